//! What the program says to a script: its exit codes.

use std::io::ErrorKind;
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

/// An error and its causes in one line. Most errors say their cause themselves, and it is not said twice; a file that is not there
/// or is a directory comes with what to do where nobody has said it.
pub fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    let advice = kinds.map(std::io::Error::kind).find_map(|kind| match kind {
        ErrorKind::NotFound => Some("; check the path"),
        ErrorKind::IsADirectory => Some("; give a file in it"),
        _ => None,
    });
    text += advice.filter(|_| !text.contains("; ")).unwrap_or_default();
    text
}

/// The code of an error.
pub fn of(error: &anyhow::Error) -> Exit {
    if let Some(FileError::Directory(_)) = error.downcast_ref() {
        return Exit::Usage;
    }
    match error.downcast_ref::<JobError>() {
        Some(JobError::Usage(_)) => return Exit::Usage,
        Some(JobError::Invalid { .. }) => return Exit::InvalidSubmission,
        Some(JobError::Failed(_)) | None => {}
    }
    Exit::Failure
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use fgd_store::arrays::ArrayError;

    use super::*;

    #[test]
    fn a_cause_is_said_once_and_a_missing_file_comes_with_advice() {
        let missing = || std::io::Error::from(ErrorKind::NotFound);
        let of_array = ArrayError::Io { path: "m.npz".into(), source: missing() };
        let once = format!("m.npz: {}; check the path", missing());
        assert_eq!(told(&JobError::from(of_array).into()), once);
        let around = Err::<(), _>(missing()).context("m.npz").unwrap_err();
        assert_eq!(told(&around), once);
    }
}
