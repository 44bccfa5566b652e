//! Is a submission fit to be scored? Every problem at once.

use std::path::PathBuf;

use fgd_captions::{self as captions, ReadError, ReadOptions, ReadProblem};
use fgd_record::Finding;
use serde::{Deserialize, Serialize};

use super::JobError;
use super::scoring::findings::{errors, for_record};

/// What `fgd validate` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The submission.
    pub submission: PathBuf,
    /// A file with the image ids that are wanted.
    #[serde(default)]
    pub template: Option<PathBuf>,
    /// How the files are read.
    #[serde(default)]
    pub reading: ReadOptions,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Validation {
    /// The submission, as it was named.
    pub submission: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Captions in it.
    pub captions: usize,
    /// Whether it can be scored.
    pub valid: bool,
    /// Findings that keep it from being scored.
    pub errors: usize,
    /// Findings that do not.
    pub notes: usize,
    /// All of them.
    pub findings: Vec<Finding>,
}

/// Checks a submission.
///
/// # Errors
/// Files out of which nothing at all can be read.
pub fn run(request: &Request) -> Result<Validation, JobError> {
    let file = captions::read(&request.submission, &request.reading).map_err(unreadable)?;
    let mut found = file.findings.clone();
    found.extend(captions::lint(&file));
    match &request.template {
        Some(template) => {
            let template = captions::read_template(template, &request.reading)?;
            // A file without rows lacks every image; saying so once is enough.
            if !file.captions.is_empty() {
                found.extend(captions::check_template(&file, &template));
            }
        }
        None => found.extend(captions::duplicates(&file)),
    }
    let errors = errors(&found);
    Ok(Validation {
        submission: request.submission.display().to_string(),
        sha256: file.sha256.clone(),
        captions: file.captions.len(),
        valid: errors == 0,
        errors,
        notes: found.len() - errors,
        findings: for_record(&found, "submission"),
    })
}

/// A submission that cannot be read is an invalid one, unless the machine is to blame.
pub fn unreadable(error: ReadError) -> JobError {
    match error.problem {
        ReadProblem::Io(_) | ReadProblem::Missing => error.into(),
        _ => JobError::invalid(error),
    }
}
