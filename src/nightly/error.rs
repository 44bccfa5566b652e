//! Why a nightly job could not be done.

use super::files::Failure;
use super::history::HistoryError;
use super::lock::LockError;
use super::suite::SuiteError;
use fgd_reports::site::SiteError;

/// Why a nightly job could not be done.
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
    /// A file or folder.
    #[error(transparent)]
    File(#[from] Failure),
    /// The site.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// A secret that the environment does not have.
    #[error("the environment variable {name} is not set: it holds {what}")]
    Secret {
        /// The variable.
        name: String,
        /// What it holds.
        what: &'static str,
    },
    /// There is nothing to work on.
    #[error("{0}")]
    Nothing(String),
}
