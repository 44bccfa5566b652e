//! Files of arrays that Python reads and writes: embeddings in `.npy`, moments in `.npz`.
//!
//! They stand in place of captions wherever a system or references are asked for, so that an
//! embedding is computed once and statistics of references can be shared.

mod header;
mod npy;
mod npz;

use std::io;
use std::path::{Path, PathBuf};

pub use npy::{EmbeddingRows, read_embeddings, write_embeddings};
pub use npz::{MeanCovariance, read_moments, write_moments};

/// Most dimensions of an embedding. The largest encoders have half as many, and a covariance of these takes half a gigabyte:
/// whoever computes one may do so without asking the file again.
pub const MOST_DIMENSIONS: usize = 8_192;

/// What a file of arrays holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrayKind {
    /// Embeddings, in `.npy`.
    Embeddings,
    /// Moments, in `.npz`.
    Moments,
}

impl ArrayKind {
    /// What a file of this name holds, in whatever case its extension is; `None` where it is no file of arrays.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?;
        let is = |known: &str| extension.eq_ignore_ascii_case(known);
        match (is("npy"), is("npz")) {
            (true, _) => Some(Self::Embeddings),
            (_, true) => Some(Self::Moments),
            _ => None,
        }
    }
}

/// Why a file of arrays could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not the format, or not of the right shape or number type.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// An embedding has a component that is not a finite number.
    #[error(
        "{}: row {row} holds a value that is not a finite number; make the embeddings again",
        path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Row, counted from 1.
        row: u64,
    },
    /// An embedding is all zeros.
    #[error("{}: row {row} is all zeros and has no direction; make the embeddings again", path.display())]
    Zeros {
        /// The file.
        path: PathBuf,
        /// Row, counted from 1.
        row: u64,
    },
}

impl ArrayError {
    fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { path: path.into(), source }
    }

    fn format(path: &Path) -> impl Fn(String) -> Self {
        move |reason| Self::Format { path: path.into(), reason }
    }
}
