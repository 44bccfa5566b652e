//! `fgd bench score`: whole jobs, from the start of a process to the record.

use std::path::Path;
use std::time::Instant;

use fgd_record::{BenchTarget, Input, Record};
use serde::{Deserialize, Serialize};

use super::{Description, input, items_sha256, measure};
use crate::bench::load::{Load, Subject};
use crate::bench::score::ScoreTarget;
use crate::host;
use crate::jobs::request::Request;
use crate::jobs::scoring::system::{System, SystemError};
use crate::jobs::{JobError, Session, provenance, score};

/// A job that is run again and again.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreRequest {
    /// The job.
    pub score: score::Request,
    /// How often.
    #[serde(default)]
    pub load: Load,
}

pub fn run(request: &ScoreRequest, session: &Session) -> Result<Record, JobError> {
    let began = Instant::now();
    let host = host::describe();
    request.load.check(1).map_err(JobError::Usage)?;
    let job = &request.score;
    let reading = job.references.reading(&job.reading);
    let (submission, has_texts) = open("submission", &job.submission, &job.reading)?;
    let (references, has_reference_texts) = open("references", &job.references.path, &reading)?;
    let encoder = match has_texts || has_reference_texts {
        true => Some(provenance::encoder_info(&session.uncached_embedder(&job.encoding)?)),
        false => None,
    };

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("request.json");
    let json = serde_json::to_vec(&Request::Score(job.clone()));
    std::fs::write(&file, json.map_err(|error| JobError::Failed(error.into()))?)?;
    let mut target = ScoreTarget::new(&session.settings, file, rayon::current_num_threads());
    let peak = target.peak_memory();
    let subject = Subject {
        target: BenchTarget::Score,
        item: "job",
        min_queries: 10,
        bound: 60.0,
        batch_sizes: &[1],
        load_seconds: None,
        peak_memory: &|| peak.lock().ok().and_then(|peak| *peak),
        has_ceilings: false,
    };
    let inputs = vec![submission, references];
    let description = Description {
        began,
        host,
        encoder,
        checkpoint: None,
        items_sha256: items_sha256(inputs.iter().map(|input| input.sha256.as_bytes())),
        inputs,
        settings: [
            ("unpaired".to_owned(), job.unpaired.into()),
            ("no-cache".to_owned(), (!job.encoding.cache).into()),
        ]
        .into(),
    };
    measure(&mut target, &subject, &request.load, description, session)
}

/// A file as it stands in the record, and whether it holds captions. A job of its own reads it again, so nothing is kept.
fn open(
    role: &str,
    path: &Path,
    reading: &fgd_captions::ReadOptions,
) -> Result<(Input, bool), JobError> {
    let system = System::open(path, reading).map_err(|error| match error {
        SystemError::Captions(error) if role == "references" => error.into(),
        SystemError::Array(error) if role == "references" => error.into(),
        error => JobError::invalid(error),
    })?;
    let (sha256, rows) = match &system {
        System::Captions(file) => (file.sha256.clone(), file.captions.len() as u64),
        System::Embeddings { embeddings, .. } => {
            (fgd_store::hub::sha256(path)?, embeddings.nrows() as u64)
        }
        System::Moments { n, .. } => (fgd_store::hub::sha256(path)?, n.unwrap_or(0)),
    };
    Ok((
        input(role, path, sha256, rows),
        matches!(system, System::Captions(_)),
    ))
}
