//! Why a night, or what is done with its history, could not be done.

use std::path::{Path, PathBuf};

use fgd_reports::site::SiteError;
use fgd_store::digest::DigestError;
use fgd_store::file::FileError;

use super::history::HistoryError;
use super::lock::LockError;
use super::suite::SuiteError;
use crate::jobs::JobError;
use crate::jobs::saved::SavedError;

/// Why a night, or what is done with its history, could not be done.
#[derive(Debug, thiserror::Error)]
pub enum NightlyError {
    /// The suite file.
    #[error(transparent)]
    Suite(#[from] SuiteError),
    /// The history.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Another run.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file that cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file that cannot be hashed.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// A file or folder that cannot be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The site.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// Nights of one suite in the state folder of another.
    #[error(
        "{} holds nights of the suite `{suite}`: give this one a folder of its own (state = \"…\" in its file)",
        state.display()
    )]
    OtherSuite {
        /// The state folder.
        state: PathBuf,
        /// Whose nights they are.
        suite: String,
    },
    /// A record of a night.
    #[error(transparent)]
    Record(#[from] SavedError),
    /// There is nothing to work on.
    #[error("{0}")]
    Nothing(String),
}

impl NightlyError {
    /// What the system said of a file or folder.
    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }
}

/// What is wrong with a suite's file is wrong usage.
impl From<NightlyError> for JobError {
    fn from(error: NightlyError) -> Self {
        match error {
            NightlyError::Suite(error @ SuiteError::Place(_)) => Self::usage(error),
            error @ NightlyError::OtherSuite { .. } => Self::usage(error),
            error => Self::Failed(Box::new(error)),
        }
    }
}
