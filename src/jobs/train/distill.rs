//! Captions chosen by meaning, learned beside real ones (<https://arxiv.org/abs/2309.10966>). The rules of `fgd curate` mix them into a
//! file of the run, and cross-entropy learns that.

use std::path::{Path, PathBuf};

use fgd_captioner::train::saved;
use fgd_captions::ReadOptions;
use fgd_record::{Input, Results};
use serde::{Deserialize, Serialize};

use super::{LAST, Objective, Request};
use crate::jobs::{JobError, Session, curate};

/// Files of a run that distils: what it learns, and what was left out and why.
const MIXED: &str = "mixed.csv";
const DROPPED: &str = "dropped.csv";
/// The mixture of a run that goes on, until it has shown to be the same.
const AGAIN: &str = "mixed.again.csv";

/// What is mixed into the captions for `objective = "distill"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Distill {
    /// Files of synthetic captions, such as those of `fgd caption --select mbr`.
    pub synthetic: Vec<PathBuf>,
    /// Most synthetic captions per real one of their image.
    pub max_synthetic: f64,
}

impl Default for Distill {
    fn default() -> Self {
        let curate::Request { synthetic, max_synthetic, .. } = curate::Request::default();
        Self { synthetic, max_synthetic }
    }
}

/// The file of captions to learn.
pub struct Learned {
    pub path: PathBuf,
    pub reading: ReadOptions,
    /// What it was mixed from.
    pub inputs: Vec<Input>,
}

impl Learned {
    /// That of the request or, where it distils, the mixture.
    ///
    /// # Errors
    /// What curating fails at; a run that goes on with another mixture, which leaves its files as they are.
    pub fn of(request: &Request, session: &mut Session) -> Result<Self, JobError> {
        if request.objective != Objective::Distill {
            let (path, reading) = (request.captions.clone(), request.reading.clone());
            return Ok(Self { path, reading, inputs: Vec::new() });
        }
        let path = request.output.join(MIXED);
        let goes_on = path.exists() && request.output.join(LAST).join(saved::STATE).exists();
        let mixed = if goes_on { request.output.join(AGAIN) } else { path.clone() };
        let record = curate::run(
            &curate::Request {
                captions: request.captions.clone(),
                synthetic: request.distill.synthetic.clone(),
                max_synthetic: request.distill.max_synthetic,
                validation: request.validation.clone(),
                features: Some(request.features.clone()),
                output: mixed.clone(),
                dropped: (!goes_on).then(|| request.output.join(DROPPED)),
                reading: request.reading.clone(),
                ..curate::Request::default()
            },
            session,
        )?;
        if goes_on {
            let read = |path: &Path| std::fs::read(path).map_err(JobError::at(path));
            let same = read(&mixed)? == read(&path)?;
            std::fs::remove_file(&mixed).map_err(JobError::at(&mixed))?;
            if !same {
                return Err(JobError::usage(format!(
                    "{}: was mixed from other captions than are given now; give another directory, or what that run was given",
                    path.display()
                )));
            }
        }
        if let Results::Curate(results) = &record.results {
            session.progress.say(&format!(
                "{} of {} captions, real and synthetic, are learned: {MIXED} of the run; {DROPPED} says why not the others",
                results.kept, results.captions
            ));
        }
        let mut inputs = record.inputs;
        inputs.retain(|input| input.role != "validation");
        for input in inputs.iter_mut().filter(|input| input.role == "captions") {
            input.role = "real".into();
        }
        Ok(Self { path, reading: ReadOptions::default(), inputs })
    }
}
