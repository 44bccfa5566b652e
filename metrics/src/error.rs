//! What can be wrong with the numbers handed to this crate: one line each, with what to do next.

use thiserror::Error;

use crate::text::CorpusError;

/// Why a distance could not be computed.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum MetricError {
    /// A sample is too small for the quantity asked of it.
    #[error("{what}: {n} found, at least {needed} needed; give more captions")]
    TooFew {
        /// What there is too little of, as a plural noun.
        what: &'static str,
        /// How many there are.
        n: usize,
        /// How many it takes.
        needed: usize,
    },
    /// Two sets of embeddings have different dimensions.
    #[error(
        "embeddings of {left} and {right} dimensions cannot be compared; use one encoder for both sides"
    )]
    DimensionMismatch {
        /// Dimension of the first set.
        left: usize,
        /// Dimension of the second set.
        right: usize,
    },
    /// An embedding or a moment is NaN or infinite.
    #[error("{what} hold NaN or infinite values; check the encoder or the file they come from")]
    NotFinite {
        /// Which array.
        what: &'static str,
    },
    /// An all-zero embedding has no direction, so its cosine is undefined.
    #[error("{what} row {row} is all zeros and has no direction; embed it again")]
    ZeroVector {
        /// Which array.
        what: &'static str,
        /// Row index, from 0.
        row: usize,
    },
    /// `image_of` does not assign every reference to a candidate and every candidate a reference.
    #[error("pairs of candidates and references are inconsistent: {0}")]
    InvalidPairs(String),
    /// A matrix given as a covariance is not one, beyond what rounding explains.
    #[error("not a covariance matrix: {0}; recompute it in f64 from the embeddings")]
    NotACovariance(String),
    /// Sums that could not be exact.
    #[error("{0}")]
    NotExact(String),
    /// An iterative decomposition did not converge.
    #[error("the {0} did not converge; check the embeddings for extreme values")]
    NoConvergence(&'static str),
    /// Candidates and references are of other images.
    #[error("unpaired: candidates and references are of other images")]
    Unpaired,
    /// Words are compared where there are only embeddings, or captions of other images.
    #[error("caption metrics need captions on both sides, paired by id")]
    NoCaptions,
    /// Words are described where there are only embeddings.
    #[error("needs captions on both sides, not embeddings")]
    NoTexts,
    /// The captions make no corpus.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// A parameter is outside its range.
    #[error("{0}")]
    InvalidSetting(String),
}
