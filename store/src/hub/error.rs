//! What can go wrong between a model's name and its directory, each with what to do next.

use std::io;
use std::path::PathBuf;

/// Why a model could not be had.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Neither a directory nor a well-formed hub id.
    #[error("{name}: no such directory, and not a hub id of the form org/name[@revision]")]
    Name {
        /// What was given.
        name: String,
    },
    /// The directory lacks files.
    #[error("{}: not a complete {kind}: {missing} missing{advice}", dir.display())]
    Incomplete {
        /// The directory.
        dir: PathBuf,
        /// What it should have been.
        kind: &'static str,
        /// What is missing.
        missing: String,
        /// What to do, after a semicolon; may be empty.
        advice: String,
    },
    /// A file where a directory is expected.
    #[error("{}: is a file where the directory of a model ({kind}) is expected; {advice}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was expected.
        kind: &'static str,
        /// What to do.
        advice: String,
    },
    /// Not in the cache, and the network may not be used.
    #[error(
        "{id}: {missing} not in the hub cache {}, and HF_HUB_OFFLINE is set: unset it, \
         or download the {kind} elsewhere and give its directory with {flag} DIR",
        cache.display()
    )]
    Offline {
        /// Hub id.
        id: String,
        /// What is missing.
        missing: String,
        /// The cache that was searched.
        cache: PathBuf,
        /// What it is.
        kind: &'static str,
        /// The flag that takes a directory.
        flag: &'static str,
    },
    /// The hub refused or has no such model.
    #[error("{id}: the hub answers {status}: {hint}, or give a local directory with {flag} DIR")]
    Refused {
        /// Hub id.
        id: String,
        /// HTTP status.
        status: u16,
        /// What to do.
        hint: &'static str,
        /// The flag that takes a directory.
        flag: &'static str,
    },
    /// The hub could not be reached or the transfer broke off.
    #[error(
        "{id}: not in the hub cache {} and the hub could not be reached ({reason}): check the network, \
         or download the {kind} elsewhere and give its directory with {flag} DIR",
        cache.display()
    )]
    Unreachable {
        /// Hub id.
        id: String,
        /// The cache that was searched.
        cache: PathBuf,
        /// What went wrong.
        reason: String,
        /// What it is.
        kind: &'static str,
        /// The flag that takes a directory.
        flag: &'static str,
    },
    /// A downloaded file is not what the hub said it would be.
    #[error(
        "{}: its SHA-256 is not the one that the hub announced; the file was removed, try again",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
    },
    /// A repository cannot be read or written to.
    #[error("{id}: {problem}")]
    Repository {
        /// Hub id.
        id: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<crate::digest::DigestError> for HubError {
    fn from(error: crate::digest::DigestError) -> Self {
        Self::Io { path: error.path, source: error.source }
    }
}
