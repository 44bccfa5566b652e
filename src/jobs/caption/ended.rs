//! A run of a captioner that ended, and its record, there and back.

use std::collections::BTreeMap;
use std::path::Path;

use fgd_record::{
    CaptionResults, CheckpointInfo, Comparability, Finding, Host, Input, Record, Results,
};
use fgd_store::digest::Digest;
use serde_json::Value;

use crate::jobs::provenance::{self, Origin};
use crate::jobs::{METRIC_VERSION, saved};

/// A run that ended: what a record says of it.
#[derive(Debug, Clone)]
pub struct CaptionRun {
    /// Its numbers.
    pub results: CaptionResults,
    /// What captioned.
    pub checkpoint: CheckpointInfo,
    /// The list of images.
    pub images: Input,
    /// What is to be known of the captions.
    pub findings: Vec<Finding>,
    /// What decided the captions.
    pub(super) settings: BTreeMap<String, Value>,
    /// The machine, as it was when the run began.
    pub(super) host: Host,
    /// When it ended.
    pub(super) created: String,
}

impl CaptionRun {
    /// The earlier run of these settings that left nothing to do: its record has the speeds that this one did not measure.
    pub(super) fn finished(record: &Path, settings: &BTreeMap<String, Value>) -> Option<Self> {
        let captioned = Self::from_record(saved::read(record).ok()?)?;
        (captioned.settings == *settings).then_some(captioned)
    }

    /// The run that a saved record tells of; `None` where it is of another kind of job.
    fn from_record(record: Record) -> Option<Self> {
        let Results::Caption(results) = record.results else {
            return None;
        };
        Some(Self {
            results: *results,
            checkpoint: record.checkpoint?,
            images: record.inputs.into_iter().next()?,
            findings: record.findings,
            settings: record.settings,
            host: record.host,
            created: record.created,
        })
    }

    /// The record of the run.
    pub fn into_record(self) -> Record {
        let results = self.results;
        let origin = Origin {
            comparability: comparability(&self.settings, &self.checkpoint.dtype),
            host: self.host,
            encoder: None,
            checkpoint: Some(self.checkpoint),
            inputs: vec![self.images],
            settings: self.settings,
            findings: self.findings,
            timings: BTreeMap::from([
                ("load".to_owned(), results.load_seconds),
                ("caption".to_owned(), results.seconds),
            ]),
        };
        Record {
            created: self.created,
            ..provenance::record(origin, Results::Caption(Box::new(results)))
        }
    }
}

/// Two runs may be held against each other if all but the checkpoint is the same.
fn comparability(settings: &BTreeMap<String, Value>, dtype: &str) -> Comparability {
    let shared = settings
        .iter()
        .filter(|(name, _)| !name.starts_with("checkpoint") && !name.starts_with("adapter"));
    let key = shared
        .fold(Digest::new("captions' comparability", METRIC_VERSION), |key, (name, value)| {
            key.field(name, value.to_string())
        });
    Comparability {
        key: provenance::key(key),
        encoder_sha256: None,
        tokenizer: None,
        config: None,
        precision: dtype.to_owned(),
        pooling: None,
        max_length: None,
        references_sha256: None,
        metric_version: METRIC_VERSION,
    }
}
