//! What stands for a system or for references on the command line.

use fgd_captions::{self as captions, CaptionFile, ReadError, ReadOptions};
use fgd_metrics::moments::Moments;
use fgd_store::arrays::{self, ArrayError, MeanCovariance};
use ndarray::Array2;
use std::path::{Path, PathBuf};

/// Captions, their embeddings, or the moments of these.
#[derive(Debug)]
pub enum System {
    /// A caption file.
    Captions(CaptionFile),
    /// A `.npy` file of embeddings; row `i` belongs to image `i`.
    Embeddings {
        /// The file.
        path: PathBuf,
        /// Its rows.
        embeddings: Array2<f32>,
    },
    /// A `.npz` file of moments.
    Moments {
        /// The file.
        path: PathBuf,
        /// What it holds.
        moments: Box<Moments>,
        /// How many embeddings they were made of, where the file says so.
        n: Option<u64>,
    },
}

/// Why an input could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// A caption file.
    #[error(transparent)]
    Captions(#[from] ReadError),
    /// A file of embeddings or moments.
    #[error(transparent)]
    Array(#[from] ArrayError),
}

impl System {
    /// Reads what `path` holds: `.npy` and `.npz` by their names, captions otherwise.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, SystemError> {
        let extension = path
            .extension()
            .map(|extension| extension.to_ascii_lowercase());
        match extension
            .as_deref()
            .and_then(|extension| extension.to_str())
        {
            Some("npy") => Ok(Self::Embeddings {
                path: path.into(),
                embeddings: arrays::read_embeddings(path)?,
            }),
            Some("npz") => {
                let (moments, n) = read_moments(path)?;
                Ok(Self::Moments {
                    path: path.into(),
                    moments: Box::new(moments),
                    n,
                })
            }
            _ => Ok(Self::Captions(captions::read(path, options)?)),
        }
    }

    /// What a sentence calls it.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Captions(_) => "captions",
            Self::Embeddings { .. } => "embeddings",
            Self::Moments { .. } => "moments",
        }
    }
}

/// Reads a `.npz` file of moments and how many embeddings they were made of, where the file says so; they carry `n = 2`, the
/// least for which a covariance exists, where it does not.
///
/// # Errors
/// A file that cannot be read, or whose sigma is no covariance.
pub fn read_moments(path: &Path) -> Result<(Moments, Option<u64>), ArrayError> {
    let MeanCovariance { mu, sigma, n } = arrays::read_moments(path)?;
    let moments = Moments::from_mean_covariance(n.unwrap_or(2), mu, sigma, 1);
    let moments = moments.map_err(|error| ArrayError::Format {
        path: path.into(),
        reason: error.to_string(),
    })?;
    Ok((moments, n))
}
