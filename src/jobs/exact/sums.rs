//! From sums to a record, wherever they were made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fgd_metrics::pair_sums::SlicedSums;
use fgd_record::{EncoderInfo, Finding, Host, Input, Record, Results};
use serde::{Deserialize, Serialize};

use super::buckets::Manifest;
use super::results::results;
use crate::host;
use crate::jobs::apart::Apart;
use crate::jobs::options::{Encoding, Measuring};
use crate::jobs::provenance::{self, Origin};
use crate::jobs::{JobError, Session, score};

/// Where pairs come from: what a record says of them beside their numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sources {
    /// Submission and references.
    pub inputs: Vec<Input>,
    /// Hash over ids and texts of the references.
    pub references_sha256: String,
    /// What the linter found.
    pub findings: Vec<Finding>,
    /// Columns that the score is sliced by.
    pub slice: Vec<String>,
    /// Whether the record is to show no texts of references.
    pub hide_references: bool,
}

impl Sources {
    /// Those of a score.
    pub(super) fn of(
        request: &score::Request,
        inputs: Vec<Input>,
        references_sha256: String,
        findings: Vec<Finding>,
    ) -> Self {
        let slice = request.measuring.slice.clone();
        let hide_references = request.hide_references;
        Self { inputs, references_sha256, findings, slice, hide_references }
    }
}

/// What is asked about sums that `fgd-cluster` made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The folder of `fgd prepare` that was summed.
    pub buckets: PathBuf,
    /// The sums.
    pub sums: PathBuf,
    /// How captions were embedded.
    #[serde(default)]
    pub encoding: Encoding,
    /// Which submission of several.
    #[serde(default)]
    pub system: usize,
    /// Images of the finite set that the score is to speak for.
    #[serde(default)]
    pub population: Option<u64>,
}

impl Apart for Request {
    fn inputs(&self) -> Vec<&Path> {
        vec![&self.sums]
    }
}

/// Makes the record of sums.
///
/// # Errors
/// Files that cannot be read or do not belong together, an encoder that cannot be had.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    let (start, host) = (Instant::now(), host::describe());
    let mut manifest = Manifest::read(&request.buckets)?;
    if let Some(other) = request.system.checked_sub(1) {
        let there = manifest.others.len();
        let Some(other) = manifest.others.into_iter().nth(other) else {
            return Err(JobError::usage(format!(
                "{}: holds {} submissions, and not number {}",
                request.buckets.display(),
                there + 1,
                request.system
            )));
        };
        manifest.sources = other;
    }
    let encoder = provenance::encoder_info(session.embedder(&request.encoding)?);
    let sums = checked_sums(&request.sums, &request.buckets, manifest.pairs, encoder.dim)?;
    let measuring = Measuring {
        slice: manifest.sources.slice.clone(),
        population: request.population,
        ..Measuring::default()
    };
    let read = start.elapsed().as_secs_f64();
    record(manifest.sources, &sums, Some(encoder), &measuring, host, [read, read, 0.0])
}

/// Reads sums, which must be of so many images of `buckets` in so many dimensions.
pub(super) fn checked_sums(
    path: &Path,
    buckets: &Path,
    pairs: u64,
    dim: usize,
) -> Result<SlicedSums, JobError> {
    let bytes = std::fs::read(path).map_err(JobError::at(path))?;
    let sums = SlicedSums::from_bytes(&bytes);
    let sums = sums.map_err(JobError::at(path))?;
    if (sums.whole.n(), sums.whole.dim()) == (pairs, dim) {
        return Ok(sums);
    }
    Err(JobError::usage(format!(
        "{}: sums of {} pairs in {} dimensions; {} holds {pairs} pairs and the encoder has {dim} dimensions",
        path.display(),
        sums.whole.n(),
        sums.whole.dim(),
        buckets.display(),
    )))
}

/// The record of sums; `seconds` in all, for reading and for embedding.
pub(super) fn record(
    sources: Sources,
    sums: &SlicedSums,
    encoder: Option<EncoderInfo>,
    measuring: &Measuring,
    host: Host,
    [total, read, embed]: [f64; 3],
) -> Result<Record, JobError> {
    let results = results(sums, &sources.slice, measuring.population)?.results;
    let mut settings = measuring.settings();
    settings.insert("unpaired".to_owned(), false.into());
    settings.insert("exact".to_owned(), true.into());
    let mut record = provenance::record(
        Origin {
            host,
            comparability: provenance::comparability(encoder.as_ref(), sources.references_sha256),
            encoder,
            checkpoint: None,
            inputs: sources.inputs,
            settings,
            findings: sources.findings,
            timings: BTreeMap::from([
                ("read".to_owned(), read),
                ("embed".to_owned(), embed),
                ("score".to_owned(), total - read - embed),
                ("total".to_owned(), total),
            ]),
        },
        Results::Score(Box::new(results)),
    );
    if sources.hide_references {
        record.hide_references();
    }
    Ok(record)
}
