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
/// or is a directory is said in the same words everywhere, unless somebody has said what to do.
pub fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    if text.contains("; ") {
        return text;
    }
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    let told = causes.find_map(|cause| match cause.kind() {
        ErrorKind::NotFound => {
            Some(text.replace(&cause.to_string(), "there is no such file") + "; check the path")
        }
        ErrorKind::IsADirectory => Some(format!("{text}; give a file in it")),
        _ => None,
    });
    told.unwrap_or(text)
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
        let missing = || std::fs::read("not-there/m.npz").unwrap_err();
        let of_array = ArrayError::Io { path: "m.npz".into(), source: missing() };
        let once = "m.npz: there is no such file; check the path";
        assert_eq!(told(&JobError::from(of_array).into()), once);
        let around = Err::<(), _>(missing()).context("m.npz").unwrap_err();
        assert_eq!(told(&around), once);
    }
}
