//! `fgd bench score`: whole jobs, from the start of a process to the record.

use std::time::Instant;

use fgd_record::{BenchTarget, Record};
use serde::{Deserialize, Serialize};

use super::{Description, items_sha256, measure};
use crate::bench::load::{Load, Subject};
use crate::bench::score::ScoreTarget;
use crate::host;
use crate::jobs::score::{self, Pair};
use crate::jobs::scoring::system::{System, stem};
use crate::jobs::{JobError, Session, provenance};

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
    let Pair { submission, references } = Pair::open(job)?;
    let has_captions =
        [&submission, &references].iter().any(|system| matches!(system, System::Captions(_)));
    let encoder = match has_captions {
        true => Some(provenance::encoder_info(&session.uncached_embedder(&job.encoding)?)),
        false => None,
    };
    let (path, references_path) = (&job.submission, &job.references.path);
    let inputs = vec![
        submission.input("submission", &stem(path), path)?,
        references.input("references", &stem(references_path), references_path)?,
    ];
    // A job of its own holds its own files.
    drop((submission, references));

    let folder = tempfile::tempdir().map_err(JobError::at(&std::env::temp_dir()))?;
    let file = folder.path().join("request.json");
    let mut json = serde_json::to_value(job).map_err(|error| JobError::Failed(error.into()))?;
    json["job"] = "score".into();
    std::fs::write(&file, json.to_string()).map_err(JobError::at(&file))?;
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
