//! What metrics are measured on: candidates, references, and which rows share an image.
//!
//! [`Sample`] is all that a metric may look at, [`TwoSamples`] what distances between two sets see of it. The rows of one image are one draw: its captions describe the same picture. Pairs of rows of one image
//! therefore say nothing about the distance of the two distributions, and a standard error sums what they
//! contribute before it squares. Both rules live here, for every metric that compares two sets.

use std::sync::OnceLock;

use ndarray::ArrayView2;

use crate::MetricError;
use crate::estimate::Estimate;
use crate::frechet::same_dimension;
use crate::paired::Pairs;
use crate::text::{Corpus, CorpusError};
use crate::transport::Sampling;

/// One system's captions beside their references.
#[derive(Clone, Debug)]
pub struct Sample<'a> {
    /// Candidate embeddings, `[N, d]`.
    pub candidates: ArrayView2<'a, f32>,
    /// Reference embeddings, `[M, d]`.
    pub references: ArrayView2<'a, f32>,
    /// For each reference the row of its image's candidate; `None` where the references are of other images.
    pub image_of: Option<&'a [usize]>,
    /// The captions themselves, where they are known and paired.
    pub captions: Option<Captions<'a>>,
    /// Seed of everything random.
    pub seed: u64,
}

impl<'a> Sample<'a> {
    /// The pairs of candidates and references.
    ///
    /// # Errors
    /// [`MetricError::Unpaired`] where the references are of other images.
    pub fn pairs(&self) -> Result<Pairs<'a>, MetricError> {
        Ok(Pairs {
            candidates: self.candidates,
            references: self.references,
            image_of: self.image_of.ok_or(MetricError::Unpaired)?,
        })
    }

    /// How the two sets depend on each other.
    pub fn sampling(&self) -> Sampling<'a> {
        match self.image_of {
            Some(image_of) => Sampling::Paired { image_of },
            None => Sampling::Independent,
        }
    }

    /// The two sets, with what belongs together.
    ///
    /// # Errors
    /// As [`TwoSamples::by_image`] or [`TwoSamples::independent`].
    pub fn two_samples(&self) -> Result<TwoSamples<'a>, MetricError> {
        match self.pairs() {
            Ok(pairs) => TwoSamples::by_image(&pairs),
            Err(_) => TwoSamples::independent(self.candidates, self.references),
        }
    }

    /// The captions.
    ///
    /// # Errors
    /// [`MetricError::NoCaptions`] where there are only embeddings.
    pub fn captions(&self) -> Result<&Captions<'a>, MetricError> {
        self.captions.as_ref().ok_or(MetricError::NoCaptions)
    }
}

/// Captions image by image, tokenised once for all metrics that ask.
#[derive(Clone, Debug)]
pub struct Captions<'a> {
    /// One candidate per image.
    pub candidates: &'a [String],
    /// The references of each image.
    pub references: Vec<Vec<&'a str>>,
    /// Whether a word or phrase runs away in a caption: the rule of whoever reads captions, so that a file is described as it is
    /// linted.
    pub is_runaway: fn(&str) -> bool,
    corpus: OnceLock<Result<Corpus, CorpusError>>,
}

impl<'a> Captions<'a> {
    /// `candidates[i]` belongs to the image of `references[i]`.
    pub fn new(
        candidates: &'a [String],
        references: Vec<Vec<&'a str>>,
        is_runaway: fn(&str) -> bool,
    ) -> Self {
        Self { candidates, references, is_runaway, corpus: OnceLock::new() }
    }

    /// The captions as words.
    ///
    /// # Errors
    /// As [`Corpus::new`].
    pub fn corpus(&self) -> Result<&Corpus, MetricError> {
        let corpus = (self.corpus).get_or_init(|| Corpus::new(self.candidates, &self.references));
        corpus.as_ref().map_err(|error| error.clone().into())
    }
}

/// Two sets of embeddings, one a row, of one dimension.
#[derive(Clone, Debug)]
pub struct TwoSamples<'a> {
    candidates: ArrayView2<'a, f32>,
    references: ArrayView2<'a, f32>,
    /// The image of each candidate, then of each reference; rows that share no image have labels of their own.
    images: Vec<usize>,
    paired: bool,
}

impl<'a> TwoSamples<'a> {
    /// Sets that were drawn independently of each other, every row a draw of its own.
    ///
    /// # Errors
    /// Fewer than two rows in a set, dimensions that differ, or a component that is not finite.
    pub fn independent(
        candidates: ArrayView2<'a, f32>,
        references: ArrayView2<'a, f32>,
    ) -> Result<Self, MetricError> {
        check(candidates, references)?;
        let images = (0..candidates.nrows() + references.nrows()).collect();
        Ok(TwoSamples { candidates, references, images, paired: false })
    }

    /// Sets of which the rows of one image belong together: one candidate and its references.
    ///
    /// # Errors
    /// As [`TwoSamples::independent`], and pairs that are inconsistent.
    pub fn by_image(pairs: &Pairs<'a>) -> Result<Self, MetricError> {
        let Pairs { candidates, references, image_of } = *pairs;
        pairs.references_per_image()?;
        check(candidates, references)?;
        let images = (0..candidates.nrows()).chain(image_of.iter().copied()).collect();
        Ok(TwoSamples { candidates, references, images, paired: true })
    }

    /// Candidate embeddings, one a row.
    pub fn candidates(&self) -> ArrayView2<'a, f32> {
        self.candidates
    }

    /// Reference embeddings, one a row.
    pub fn references(&self) -> ArrayView2<'a, f32> {
        self.references
    }

    /// Label of the image of every candidate.
    pub(crate) fn candidate_images(&self) -> &[usize] {
        &self.images[..self.candidates.nrows()]
    }

    /// Label of the image of every reference.
    pub(crate) fn reference_images(&self) -> &[usize] {
        &self.images[self.candidates.nrows()..]
    }

    /// Number of images, or of rows where rows share none: labels are below it.
    pub(crate) fn images(&self) -> usize {
        if self.paired { self.candidates.nrows() } else { self.images.len() }
    }

    /// Standard error of a statistic from what each row contributes to it, to first order
    /// (its influence divided by the number of rows of its set).
    ///
    /// The contributions of one image are summed, so that what the two captions of an easy picture have in
    /// common is not counted as if it were independent.
    pub(crate) fn standard_error(&self, candidates: &[f64], references: &[f64]) -> f64 {
        let (candidates, references) = (centred(candidates), centred(references));
        let spread = |sums: &[f64]| {
            let n = sums.len() as f64;
            sums.iter().map(|s| s * s).sum::<f64>() * n / (n - 1.0)
        };
        if !self.paired {
            return (spread(&candidates) + spread(&references)).sqrt();
        }
        let mut sums = candidates;
        for (&image, contribution) in self.reference_images().iter().zip(references) {
            sums[image] += contribution;
        }
        spread(&sums).sqrt()
    }

    /// A value with the normal interval of [`TwoSamples::standard_error`].
    pub(crate) fn estimate(&self, value: f64, candidates: &[f64], references: &[f64]) -> Estimate {
        Estimate::normal(value, self.standard_error(candidates, references))
    }
}

fn centred(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|v| v - mean).collect()
}

fn check(
    candidates: ArrayView2<'_, f32>,
    references: ArrayView2<'_, f32>,
) -> Result<(), MetricError> {
    same_dimension(candidates.ncols(), references.ncols())?;
    for (what, rows) in [("candidates", candidates), ("references", references)] {
        let n = rows.nrows();
        if n < 2 {
            return Err(MetricError::TooFew { what, n, needed: 2 });
        }
        if rows.iter().any(|v| !v.is_finite()) {
            return Err(MetricError::NotFinite { what });
        }
    }
    Ok(())
}
