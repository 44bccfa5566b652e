//! Captions chosen by meaning, learned beside real ones (<https://arxiv.org/abs/2309.10966>). The rules of `fgd curate` mix them into a
//! file of the run, and cross-entropy learns that.

use std::path::PathBuf;

use fgd_captions::ReadOptions;
use fgd_record::{Input, Results};
use serde::{Deserialize, Serialize};

use super::{Objective, Request};
use crate::jobs::{JobError, Session, curate};

/// Files of a run that distils: what it learns, and what was left out and why.
const MIXED: &str = "mixed.csv";
const DROPPED: &str = "dropped.csv";

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
    /// What curating fails at.
    pub fn of(request: &Request, session: &mut Session) -> Result<Self, JobError> {
        if request.objective != Objective::Distill {
            let (path, reading) = (request.captions.clone(), request.reading.clone());
            return Ok(Self { path, reading, inputs: Vec::new() });
        }
        std::fs::create_dir_all(&request.output)?;
        let path = request.output.join(MIXED);
        let record = curate::run(
            &curate::Request {
                captions: request.captions.clone(),
                synthetic: request.distill.synthetic.clone(),
                max_synthetic: request.distill.max_synthetic,
                validation: request.validation.clone(),
                features: Some(request.features.clone()),
                output: path.clone(),
                dropped: Some(request.output.join(DROPPED)),
                reading: request.reading.clone(),
                ..curate::Request::default()
            },
            session,
        )?;
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
