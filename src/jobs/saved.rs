//! A saved record, and what is said of a file that is none: the same to everybody who reads one.

use std::io;
use std::path::{Path, PathBuf};

use fgd_record::{Record, RecordError};

use super::JobError;

/// Why there is no record to be had from a file.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no record.
    #[error("{}: {source}; records are what --format json writes", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        source: RecordError,
    },
    /// A later program wrote it.
    #[error("{}: {source}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Of which version it is.
        source: RecordError,
    },
}

/// Reads a record.
///
/// # Errors
/// A file that cannot be read, is no record, or is one of a later program.
pub fn read(path: &Path) -> Result<Record, SavedError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SavedError::Unreadable { path: path.into(), source })?;
    Record::from_json(&text).map_err(|source| match source {
        RecordError::Shape(_) => SavedError::Foreign { path: path.into(), source },
        RecordError::Newer { .. } => SavedError::Newer { path: path.into(), source },
    })
}

/// Another file than a record is the caller's mistake.
impl From<SavedError> for JobError {
    fn from(error: SavedError) -> Self {
        match error {
            SavedError::Unreadable { .. } => Self::Failed(Box::new(error)),
            error => Self::usage(error),
        }
    }
}
