//! What the program says to a script: its exit codes.

use std::process::ExitCode;

use fgd_store::file::FileError;

use crate::jobs::JobError;

/// The exit codes, all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// Internal or I/O error.
    Failure = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// A gate of `compare` or `nightly` was crossed.
    Regression = 3,
    /// The submission is invalid; every problem has been listed.
    InvalidSubmission = 4,
    /// The benchmark run does not count, or something of a night failed or is missing.
    NotValid = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command line that parses but makes no sense.
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    JobError::Usage(message.into()).into()
}

/// The code of an error. A reader that closed the pipe got what it wanted.
pub fn of(error: &anyhow::Error) -> Exit {
    if let Some(FileError::Directory(_)) = error.downcast_ref() {
        return Exit::Usage;
    }
    match error.downcast_ref::<JobError>() {
        Some(JobError::Usage(_)) => return Exit::Usage,
        Some(JobError::Invalid { .. }) => return Exit::InvalidSubmission,
        Some(JobError::Failed(_)) | None => {}
    }
    match error.downcast_ref::<JobError>() {
        Some(JobError::Usage(_)) => return Exit::Usage,
        Some(JobError::Invalid { .. }) => return Exit::InvalidSubmission,
        Some(JobError::Failed(_)) | None => {}
    }
    let broken_pipe = error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    });
    if broken_pipe { Exit::Success } else { Exit::Failure }
}
