//! What stands for each system: a file of captions, embeddings or moments, a saved record, or a checkpoint, which
//! captions the images first. Everything is read in the order that wastes no work: files first, then checkpoints.

use std::path::{Path, PathBuf};

use fgd_captions::{self as captions, Finding, ReadOptions};
use fgd_record::{self as record, Comparability, EncoderInfo, Input, Results, ScoreResults};
use fgd_store::digest::file_sha256;

use super::gate::Gate;
use super::{Request, checkpoints, wrong_gate};
use serde_json::Value;

use crate::jobs::caption::CaptionRun;
use crate::jobs::images::Images;
use crate::jobs::options::Named;
use crate::jobs::saved::{self, SavedError};
use crate::jobs::scoring::findings::{errors, for_record};
use crate::jobs::scoring::system::System;
use crate::jobs::{JobError, Session};

/// A system of the comparison, read and, where it is a checkpoint, captioned.
pub struct Participant {
    /// What reports call it.
    pub name: String,
    /// Its file; of a checkpoint, its captions.
    pub path: PathBuf,
    /// What the file holds.
    pub given: Given,
    /// How it was captioned, where it is a checkpoint.
    pub captioned: Option<CaptionRun>,
}

/// What a system's file turned out to be.
#[allow(clippy::large_enum_variant, reason = "there are as many as systems")]
pub enum Given {
    /// Captions, embeddings or moments.
    File(System),
    /// A saved record, of which only the numbers are known.
    Saved(Box<SavedScore>),
}

/// What is taken from a saved record.
pub struct SavedScore {
    /// Its numbers.
    pub scores: ScoreResults,
    /// What must be equal before they are held against others.
    pub comparability: Comparability,
    /// The encoder behind them.
    pub encoder: Option<EncoderInfo>,
    /// Images of the finite set that they speak for, if they do.
    pub population: Option<u64>,
    /// The column whose values say which images depend on each other.
    pub cluster: Option<String>,
    input: Input,
}

/// Everything that goes into a comparison.
pub struct Inputs {
    /// The systems, in the order they were given.
    pub systems: Vec<Participant>,
    /// The references; records alone do without.
    pub references: Option<System>,
    /// The images, where they are at hand.
    pub images: Option<Images>,
    /// What is to be known of the references before checkpoints' captions are held against them.
    pub notes: Vec<record::Finding>,
}

/// Said where captions have nothing to be compared with.
pub fn no_references() -> JobError {
    JobError::usage("--references FILE is missing: what the captions are compared with")
}

impl Inputs {
    /// Reads all files and refuses those with errors before the first checkpoint runs.
    pub fn open(
        request: &Request,
        gates: &[Gate],
        session: &mut Session,
    ) -> Result<Self, JobError> {
        let mut files = Vec::new();
        for system in &request.systems {
            files.push(match checkpoints::Name::of(&system.path) {
                Some(checkpoint) => Err(checkpoint),
                None => Ok(Given::open(system, &request.reading)?),
            });
        }
        // A saved record may have any metric.
        if !files.iter().any(|file| matches!(file, Ok(Given::Saved(_)))) {
            let choice = request.measuring.choice()?;
            gates.iter().try_for_each(|gate| gate.check_computed(&choice)).map_err(wrong_gate)?;
        }
        let references = match &request.references {
            Some(given) => Some(System::open_references(given, &request.reading)?),
            None if files.iter().all(|f| matches!(f, Ok(Given::Saved(_)))) => None,
            None => return Err(no_references()),
        };
        if let Some(references) = &references {
            for file in files.iter_mut().flatten() {
                if let Given::File(system) = file {
                    system.settle(references);
                }
            }
        }
        let named = request.systems.iter().zip(&files);
        let read = named.filter_map(|(system, file)| Some((&*system.path, file.as_ref().ok()?)));
        refuse_invalid(read, references.as_ref())?;
        let images = Images::open(request.images.as_deref(), request.image_root.as_deref())?;

        let checkpoints: Vec<(&Named, &checkpoints::Name)> = (request.systems.iter().zip(&files))
            .filter_map(|(system, file)| Some((system, file.as_ref().err()?)))
            .collect();
        let mut notes = Vec::new();
        let mut captioned = match (checkpoints.first(), &images, &references) {
            (None, _, _) => Vec::new(),
            (Some(_), Some(images), Some(System::Captions(references))) => {
                let (captioned, found) =
                    checkpoints::caption_all(request, &checkpoints, references, images, session)?;
                notes.extend(found);
                captioned
            }
            (Some((system, _)), _, _) => {
                return Err(JobError::usage(format!(
                    "{}: a checkpoint needs --images DIR, and references that are captions of these images",
                    system.path.display()
                )));
            }
        }
        .into_iter();
        let mut systems = Vec::new();
        for (system, file) in request.systems.iter().zip(files) {
            systems.push(match file {
                Ok(given) => Participant {
                    name: system.name.clone(),
                    path: system.path.clone(),
                    given,
                    captioned: None,
                },
                Err(_) => {
                    let (path, captioned) = captioned.next().ok_or_else(no_references)?;
                    Participant {
                        name: system.name.clone(),
                        given: Given::of_captioner(&path)?,
                        path,
                        captioned: Some(captioned),
                    }
                }
            });
        }
        let of_checkpoints = systems.iter().filter(|system| system.captioned.is_some());
        refuse_invalid(of_checkpoints.map(|s| (&*s.path, &s.given)), references.as_ref())?;
        Ok(Self { systems, references, images, notes })
    }

    /// The systems' files, and the images that checkpoints captioned.
    pub fn inputs(&self) -> Result<Vec<Input>, JobError> {
        let mut inputs = (self.systems.iter())
            .map(|system| match &system.given {
                Given::File(file) => file.input("submission", &system.name, &system.path),
                Given::Saved(saved) => Ok(saved.input.clone()),
            })
            .collect::<Result<Vec<_>, JobError>>()?;
        let captioned = self.systems.iter().find_map(|system| system.captioned.as_ref());
        inputs.extend(captioned.map(|captioned| captioned.images.clone()));
        Ok(inputs)
    }
}

impl Given {
    /// Reads what stands for a system.
    fn open(system: &Named, reading: &ReadOptions) -> Result<Self, JobError> {
        if let Some(saved) = open_saved(system)? {
            return Ok(Self::Saved(Box::new(saved)));
        }
        Ok(Self::File(System::open_submission(&system.path, reading)?))
    }

    /// Reads what a captioner of this job wrote.
    fn of_captioner(path: &Path) -> Result<Self, JobError> {
        let mut opened = System::open_submission(path, &ReadOptions::default())?;
        if let System::Captions(file) = &mut opened {
            captions::accept_empty(file);
        }
        Ok(Self::File(opened))
    }
}

/// The record in a `.json` file; `None` where it holds captions instead.
fn open_saved(system: &Named) -> Result<Option<SavedScore>, JobError> {
    let path = &system.path;
    let is_json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
    if !is_json {
        return Ok(None);
    }
    let record = match saved::read(path) {
        Ok(record) => record,
        Err(error @ SavedError::Newer { .. }) => return Err(error.into()),
        // Whatever is wrong with the file, the reader of captions says it better.
        Err(_) => return Ok(None),
    };
    let Results::Score(scores) = record.results else {
        return Err(JobError::usage(format!(
            "{}: is a record of `fgd {}`; give records of `fgd score`",
            path.display(),
            record.results.kind()
        )));
    };
    Ok(Some(SavedScore {
        input: Input {
            role: "record".into(),
            name: system.name.clone(),
            path: path.display().to_string(),
            sha256: file_sha256(path)?,
            rows: scores.n,
        },
        scores: *scores,
        population: record.settings.get("population").and_then(Value::as_u64),
        cluster: (record.settings.get("cluster").and_then(Value::as_str)).map(str::to_owned),
        comparability: record.comparability,
        encoder: record.encoder,
    }))
}

/// Lists what is wrong with every system at once, before anything is captioned or embedded. With references that are
/// not captions, ids say nothing.
fn refuse_invalid<'a>(
    systems: impl Iterator<Item = (&'a Path, &'a Given)>,
    references: Option<&System>,
) -> Result<(), JobError> {
    let mut wrong = Vec::new();
    let mut findings = Vec::new();
    for (path, given) in systems {
        let Given::File(System::Captions(file)) = given else {
            continue;
        };
        let mut found: Vec<Finding> = file.findings.clone();
        found.extend(captions::lint(file));
        if let Some(System::Captions(references)) = references {
            found.extend(captions::align(file, references).findings);
        }
        if !captions::is_valid(&found) {
            wrong.push(format!("{} ({})", path.display(), errors(&found)));
            findings.push((path.to_owned(), for_record(&found, "submission")));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(JobError::Invalid {
        message: format!(
            "{}: errors in the captions; mend them and compare again",
            wrong.join(", ")
        ),
        findings,
    })
}
