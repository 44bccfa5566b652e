//! Is a submission fit to be scored? Every problem at once.

use std::path::{Path, PathBuf};

use fgd_captions::{
    self as captions, CaptionFile, Known, ReadError, ReadOptions, ReadProblem, Role,
};
use fgd_record::words::counted;
use fgd_record::{Finding, Severity};
use serde::{Deserialize, Serialize};

use super::scoring::findings::{errors, for_record, kinds};
use super::{JobError, Progress};

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
    /// What the captions are to a score.
    #[serde(default)]
    pub role: Role,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Validation {
    /// The submission, as it was named.
    pub submission: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// What it was read as: the document of another program that it is, or its format.
    pub format: String,
    /// Captions in it.
    pub captions: usize,
    /// Whether it can be scored.
    pub valid: bool,
    /// Findings that keep it from being scored.
    pub errors: u64,
    /// Findings that do not.
    pub notes: u64,
    /// All of them.
    pub findings: Vec<Finding>,
}

impl Validation {
    /// Of a file out of which nothing can be read, for a reader that is a program.
    pub fn unreadable(request: &Request, message: String) -> Self {
        Self {
            submission: request.submission.display().to_string(),
            sha256: String::new(),
            format: String::new(),
            captions: 0,
            valid: false,
            errors: 1,
            notes: 0,
            findings: vec![Finding {
                severity: Severity::Error,
                kind: "unreadable".into(),
                input: "submission".into(),
                row: None,
                id: None,
                message,
                more: 0,
            }],
        }
    }
}

/// Checks a submission.
///
/// # Errors
/// Files out of which nothing at all can be read.
pub fn run(request: &Request) -> Result<Validation, JobError> {
    let reading = ReadOptions { role: request.role, alone: true, ..request.reading.clone() };
    let mut file = captions::read(&request.submission, &reading).map_err(unreadable)?;
    let template = request.template.as_deref();
    let template = template.map(|path| captions::read_template(path, &request.reading));
    let template = template.transpose()?;
    if let Some(template) = &template {
        captions::settle_ids(&mut file, &template.ids, Known::All);
    }
    let mut found = file.findings.clone();
    found.extend(captions::lint(&file));
    match &template {
        // A file without rows lacks every image; saying so once is enough.
        Some(template) if !file.captions.is_empty() => {
            found.extend(captions::check_template(&file, template));
        }
        // References have several captions of an image.
        None if request.role == Role::Submission => found.extend(captions::duplicates(&file)),
        _ => {}
    }
    let errors = errors(&found);
    Ok(Validation {
        submission: request.submission.display().to_string(),
        sha256: file.sha256.clone(),
        format: file.document.unwrap_or(file.format.name()).to_owned(),
        captions: file.captions.len(),
        valid: errors == 0,
        errors,
        notes: found.len() as u64 - errors,
        findings: for_record(&found, "submission"),
    })
}

/// Reads captions for what is no score: what a score refuses of a file by itself is refused here too. Beside them stands what is worth
/// knowing of them.
///
/// # Errors
/// A file that cannot be read; captions with errors, or none at all.
pub fn read_valid(
    path: &Path,
    reading: &ReadOptions,
) -> Result<(CaptionFile, Vec<captions::Finding>), JobError> {
    let reading = ReadOptions { alone: true, ..reading.clone() };
    let file = captions::read(path, &reading).map_err(unreadable)?;
    let mut found = file.findings.clone();
    found.extend(captions::lint(&file));
    if captions::is_valid(&found) {
        return Ok((file, found));
    }
    let (errors, kinds) = (counted(errors(&found), "error"), kinds(&found));
    Err(JobError::Invalid {
        message: format!("{}: {errors} in the captions ({kinds}); mend them first", path.display()),
        findings: vec![(path.into(), for_record(&found, "submission"))],
    })
}

/// [`read_valid`] for captions that no record tells of: the first note of each kind is said.
///
/// # Errors
/// As [`read_valid`].
pub fn read_and_say(
    path: &Path,
    reading: &ReadOptions,
    progress: &dyn Progress,
) -> Result<CaptionFile, JobError> {
    let (file, found) = read_valid(path, reading)?;
    for (at, note) in found.iter().enumerate() {
        if found[..at].iter().all(|earlier| earlier.kind != note.kind) {
            let row = note.row.map_or(String::new(), |row| format!(", row {row}"));
            let kind = note.kind.name();
            progress.say(&format!("{}{row}: note[{kind}]: {}", path.display(), note.message));
        }
    }
    Ok(file)
}

/// A submission that cannot be read is an invalid one, unless the machine is to blame.
pub fn unreadable(error: ReadError) -> JobError {
    match error.problem {
        ReadProblem::Io(_) | ReadProblem::Missing => error.into(),
        _ => JobError::invalid(error),
    }
}
