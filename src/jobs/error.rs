//! Why a job ended without a result, by what its caller can do about it.

use std::error::Error;
use std::path::{Path, PathBuf};

use fgd_captions::TableError;
use fgd_encoder::{EmbedError, EncoderError};
use fgd_metrics::MetricError;
use fgd_record::Finding;
use fgd_store::file::FileError;

/// Why a job failed.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// What was asked for makes no sense; the message says what would.
    #[error("{0}")]
    Usage(String),
    /// Captions that cannot be scored. Every problem is in the list.
    #[error("{message}")]
    Invalid {
        /// What is wrong, in one line that names the file.
        message: String,
        /// What was found, notes included, file by file.
        findings: Vec<(PathBuf, Vec<Finding>)>,
    },
    /// Something went wrong on the way: a file, a model, the machine.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
}

impl JobError {
    /// Something asked for that makes no sense.
    pub fn usage(message: impl ToString) -> Self {
        Self::Usage(message.to_string())
    }

    /// A submission that cannot be read or scored at all.
    pub fn invalid(message: impl ToString) -> Self {
        Self::Invalid { message: message.to_string(), findings: Vec::new() }
    }

    /// A failure with what was being done in front of its own message.
    pub fn because(what: impl ToString, error: impl Error + Send + Sync + 'static) -> Self {
        Self::Failed(Box::new(Because { what: what.to_string(), source: Box::new(error) }))
    }

    /// What a file or folder could not be used for, with its name in front.
    pub fn at<E: Error + Send + Sync + 'static>(path: &Path) -> impl Fn(E) -> Self + '_ {
        move |error| Self::because(path.display(), error)
    }

    /// Why a folder could not be made.
    pub fn no_folder(path: &Path) -> impl Fn(std::io::Error) -> Self + '_ {
        move |error| Self::because(format!("{}: cannot be made a folder", path.display()), error)
    }
}

/// An error, and before it what it stopped.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
struct Because {
    what: String,
    source: Box<dyn Error + Send + Sync>,
}

/// A setting without a meaning, whichever crate finds it, is the caller's mistake.
impl From<MetricError> for JobError {
    fn from(error: MetricError) -> Self {
        match error {
            MetricError::InvalidSetting(message) => Self::Usage(message),
            error => Self::Failed(Box::new(error)),
        }
    }
}

impl From<fgd_captioner::Error> for JobError {
    fn from(error: fgd_captioner::Error) -> Self {
        match error {
            fgd_captioner::Error::Setting(message) => Self::Usage(message),
            error => Self::Failed(Box::new(error)),
        }
    }
}

impl From<EncoderError> for JobError {
    fn from(error: EncoderError) -> Self {
        match error {
            EncoderError::Option { .. } => Self::usage(error),
            error => Self::Failed(Box::new(error)),
        }
    }
}

impl From<EmbedError> for JobError {
    fn from(error: EmbedError) -> Self {
        match error {
            EmbedError::Encoder(error) => error.into(),
            error => Self::Failed(Box::new(error)),
        }
    }
}

impl From<FileError> for JobError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Directory(_) => Self::usage(error),
            error => Self::Failed(Box::new(error)),
        }
    }
}

impl From<TableError> for JobError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Extension(_) => Self::usage(error),
            TableError::File(error) => error.into(),
            error => Self::Failed(Box::new(error)),
        }
    }
}

/// Other errors of the crates below: none of them is the caller's mistake by itself.
macro_rules! failures {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for JobError {
            fn from(error: $error) -> Self {
                Self::Failed(Box::new(error))
            }
        })*
    };
}

failures!(
    serde_json::Error,
    fgd_captions::ReadError,
    fgd_encoder::cache::CacheError,
    fgd_store::arrays::ArrayError,
    fgd_store::digest::DigestError,
    fgd_store::hub::HubError,
);
