//! What can go wrong between a checkpoint directory and a caption; every message names the file and the way out.

use std::path::PathBuf;

/// Result of the captioner's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything the captioner can refuse or fail at. Each message is one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A result could not be written.
    #[error(transparent)]
    Write(#[from] fgd_store::file::FileError),
    /// A file of the checkpoint or the adapter is malformed or asks for something unsupported.
    #[error("{}: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// The tensors on disk are not those of the configured model; as many of them at once as a line holds.
    #[error("{}: {} problem(s) with the tensors: {}", path.display(), problems.len(), shown(problems))]
    Tensors {
        /// The checkpoint directory.
        path: PathBuf,
        /// One entry for each missing, misshapen or unexpected tensor.
        problems: Vec<String>,
    },
    /// An image could not be turned into pixels.
    #[error("image {id} ({}): {reason}", path.display())]
    Image {
        /// The image's id in the list.
        id: String,
        /// Where it was looked for.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// The image list itself is unusable.
    #[error("{}: {reason}", path.display())]
    Images {
        /// The directory or list file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A journal of an earlier run stands in the way.
    #[error("{}: {reason}", path.display())]
    Journal {
        /// The journal file.
        path: PathBuf,
        /// Why it cannot be continued.
        reason: String,
    },
    /// The run was told to stop.
    #[error("stopped after {done} of {total} images; the same command goes on from {}", journal.display())]
    Interrupted {
        /// Images in the journal.
        done: usize,
        /// Images in all.
        total: usize,
        /// The journal.
        journal: PathBuf,
    },
    /// A setting that makes no sense or that this build or device cannot honour.
    #[error("{0}")]
    Setting(String),
    /// The tensor library failed.
    #[error("while computing: {0}")]
    Compute(#[from] candle_core::Error),
}

/// Problems that a message lists before it only counts.
const SHOWN: usize = 20;

fn shown(problems: &[String]) -> String {
    let first = problems[..problems.len().min(SHOWN)].join("; ");
    match problems.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

impl Error {
    /// Attaches the path to an I/O error: `fs::read(&p).map_err(Error::io(&p))`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// A malformed or unsupported file of a checkpoint.
    pub fn checkpoint(path: impl Into<PathBuf>, reason: impl std::fmt::Display) -> Self {
        Self::Checkpoint { path: path.into(), reason: reason.to_string() }
    }
}
