//! From a captioner's run to its numbers and its record.

use super::{METRIC_VERSION, provenance};
use crate::jobs::host;
use fgd_captioner::run::{OnError, Outcome, Summary};
use fgd_captioner::{DEFAULT_PROMPT, GenerationConfig, Identity, Precision};
use fgd_record::{
    CaptionFailure, CaptionMilliseconds, CaptionResults, CaptionStages, CheckpointInfo,
    Comparability, Host, Input, Measure, Record, Results, SCHEMA_VERSION,
};
use fgd_store::hub::Model;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a captioner is asked, how it searches for captions, and how it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Captioning {
    /// What the model is asked; may be empty.
    pub prompt: String,
    /// How captions are decoded; the seed is the job's own.
    pub generation: GenerationConfig,
    /// What the checkpoint's weights are kept in.
    pub dtype: Precision,
    /// Images per batch; also what is lost at most when the process is killed.
    pub batch_size: usize,
    /// What to do with an image that cannot be read.
    pub on_error: OnError,
    /// Keep and reuse the vision features here.
    pub features_cache: Option<PathBuf>,
    /// Forget an earlier run's journal.
    pub restart: bool,
}

impl Default for Captioning {
    fn default() -> Self {
        Self {
            prompt: DEFAULT_PROMPT.into(),
            generation: GenerationConfig::default(),
            dtype: Precision::F32,
            batch_size: 8,
            on_error: OnError::Fail,
            features_cache: None,
            restart: false,
        }
    }
}

/// What `fgd caption` is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Checkpoint that captions: a directory or a hub id; an adapter brings its base.
    pub checkpoint: String,
    /// LoRA adapter to merge into the checkpoint.
    #[serde(default)]
    pub adapter: Option<String>,
    /// The images: a directory, or a list with a column image_id and optionally path.
    pub images: PathBuf,
    /// Where the paths of the list start; its own directory by default.
    #[serde(default)]
    pub image_root: Option<PathBuf>,
    /// The captions; beside them stand the journal and the record.
    pub output: PathBuf,
    /// `cpu`, or `cuda:N`.
    #[serde(default = "cpu")]
    pub device: String,
    /// How it captions.
    #[serde(default)]
    pub captioning: Captioning,
}

fn cpu() -> String {
    "cpu".into()
}

/// Fewest captions whose 99th percentile is not just the slowest.
const ENOUGH_FOR_P99: usize = 100;

/// A run that ended: what a record says of it.
#[derive(Debug, Clone)]
pub struct Captioned {
    /// Its numbers.
    pub results: CaptionResults,
    /// What captioned.
    pub checkpoint: CheckpointInfo,
    /// The list of images.
    pub images: Input,
    /// What decided the captions.
    pub settings: BTreeMap<String, Value>,
    /// The machine, as it was when the run began.
    pub host: Host,
}

impl Captioned {
    /// The run that a saved record tells of; `None` where it is of another kind of job.
    pub fn from_record(record: Record) -> Option<Self> {
        let Results::Caption(results) = record.results else {
            return None;
        };
        Some(Self {
            results: *results,
            checkpoint: record.checkpoint?,
            images: record.inputs.into_iter().next()?,
            settings: record.settings,
            host: record.host,
        })
    }

    /// The record of the run, ending now.
    pub fn record(&self) -> Record {
        let comparability = comparability(&self.settings, &self.checkpoint.dtype);
        let tool = provenance::tool();
        let results = &self.results;
        Record {
            schema_version: SCHEMA_VERSION,
            created: provenance::now(),
            signature: signature(
                &tool.version,
                &self.checkpoint,
                &self.images,
                &comparability,
            ),
            tool,
            host: self.host.clone(),
            encoder: None,
            checkpoint: Some(self.checkpoint.clone()),
            inputs: vec![self.images.clone()],
            settings: self.settings.clone(),
            comparability,
            findings: Vec::new(),
            timings: BTreeMap::from([
                ("load".to_owned(), results.load_seconds),
                ("caption".to_owned(), results.seconds),
            ]),
            results: Results::Caption(Box::new(self.results.clone())),
        }
    }
}

/// The numbers of a run. Peak memory is that of the process so far.
pub fn results(
    outcomes: &[Outcome],
    summary: &Summary,
    batch: usize,
    load_seconds: f64,
) -> CaptionResults {
    let fresh = summary.images.saturating_sub(summary.resumed);
    let rate = |count: usize| match fresh > 0 && summary.seconds > 0.0 {
        true => Measure::exact(count as f64 / summary.seconds),
        false => Measure::missing("every caption was taken over from an earlier run"),
    };
    let failures = summary.broken.iter();
    CaptionResults {
        images: summary.images as u64,
        captions: summary.captions as u64,
        resumed: summary.resumed as u64,
        tokens: outcomes.iter().map(|o| o.tokens.len() as u64).sum(),
        failures: failures
            .map(|(image_id, reason)| CaptionFailure {
                image_id: image_id.clone(),
                reason: reason.clone(),
            })
            .collect(),
        batch: batch as u64,
        cached_features: summary.cached_features as u64,
        load_seconds,
        seconds: summary.seconds,
        stages: CaptionStages {
            preprocess: summary.stages.preprocess,
            vision: summary.stages.vision,
            language: summary.stages.language,
        },
        images_per_second: rate(fresh),
        tokens_per_second: rate(summary.tokens),
        caption_ms: milliseconds(outcomes.iter().filter_map(|o| o.milliseconds).collect()),
        peak_memory_bytes: host::peak_memory_bytes(),
    }
}

fn milliseconds(mut times: Vec<f64>) -> Option<CaptionMilliseconds> {
    times.sort_by(f64::total_cmp);
    let max = *times.last()?;
    // Interpolated between the two nearest, as numpy does.
    let quantile = |share: f64| {
        let place = share * (times.len() - 1) as f64;
        let below = times[place.floor() as usize];
        below + (times[place.ceil() as usize] - below) * place.fract()
    };
    Some(CaptionMilliseconds {
        captions: times.len() as u64,
        mean: times.iter().sum::<f64>() / times.len() as f64,
        p50: quantile(0.5),
        p90: quantile(0.9),
        p99: (times.len() >= ENOUGH_FOR_P99).then(|| quantile(0.99)),
        max,
    })
}

/// A loaded checkpoint as it stands in a record.
pub fn checkpoint(
    checkpoint: &Model,
    adapter: Option<&Model>,
    identity: &Identity,
    precision: Precision,
    device: &str,
) -> CheckpointInfo {
    CheckpointInfo {
        id: checkpoint.id.clone(),
        revision: checkpoint.revision.clone(),
        sha256: identity.checkpoint_sha256.clone(),
        adapter: adapter.map(|model| (model.id.clone(), identity.adapter_sha256.clone())),
        dtype: serde_json::to_value(precision)
            .ok()
            .and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default(),
        device: device.to_owned(),
    }
}

/// Two runs may be held against each other if all but the checkpoint is the same.
fn comparability(settings: &BTreeMap<String, Value>, dtype: &str) -> Comparability {
    let shared = settings
        .iter()
        .filter(|(name, _)| !name.starts_with("checkpoint") && !name.starts_with("adapter"));
    let mut hash = Sha256::new();
    hash.update(format!("{METRIC_VERSION} {dtype}\n"));
    for (name, value) in shared {
        hash.update(format!("{name}={value}\n"));
    }
    Comparability {
        key: format!("{:x}", hash.finalize())[..16].to_owned(),
        encoder_sha256: None,
        precision: dtype.to_owned(),
        pooling: None,
        max_length: None,
        references_sha256: None,
        metric_version: METRIC_VERSION,
    }
}

fn signature(
    version: &str,
    checkpoint: &CheckpointInfo,
    images: &Input,
    comparability: &Comparability,
) -> String {
    let short = |hash: &str| hash.chars().take(8).collect::<String>();
    let revision = match &checkpoint.revision {
        Some(revision) => format!("@{}", short(revision)),
        None => String::new(),
    };
    let adapter = match &checkpoint.adapter {
        Some((id, sha256)) => format!("|adapter:{id}:{}", short(sha256)),
        None => String::new(),
    };
    format!(
        "fgd:{version}|checkpoint:{}{revision}|weights:{}{adapter}|{}|{}|images:{}|key:{}",
        checkpoint.id,
        short(&checkpoint.sha256),
        checkpoint.dtype,
        checkpoint.device,
        short(&images.sha256),
        comparability.key
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use fgd_captioner::run::Stages;

    fn outcome(id: u32, milliseconds: f64) -> Outcome {
        Outcome {
            id: id.to_string(),
            caption: Some("a dog".into()),
            tokens: vec![7, 8, 1],
            milliseconds: Some(milliseconds),
            error: None,
        }
    }

    fn summary(images: usize, resumed: usize) -> Summary {
        Summary {
            images,
            captions: images,
            broken: Vec::new(),
            resumed,
            tokens: 3 * (images - resumed),
            seconds: 2.0,
            images_per_second: None,
            cached_features: 0,
            stages: Stages::default(),
        }
    }

    #[test]
    fn rates_are_of_this_run_and_times_of_all() {
        let outcomes: Vec<Outcome> = (0..101).map(|i| outcome(i, f64::from(i))).collect();
        let found = results(&outcomes, &summary(101, 91), 4, 0.5);
        assert_eq!(found.images_per_second.value, Some(5.0));
        assert_eq!(found.tokens_per_second.value, Some(15.0));
        assert_eq!(found.tokens, 303);
        let ms = found.caption_ms.unwrap();
        assert_eq!((ms.captions, ms.mean, ms.max), (101, 50.0, 100.0));
        assert_eq!((ms.p50, ms.p90, ms.p99), (50.0, 90.0, Some(99.0)));
    }

    #[test]
    fn a_run_with_nothing_to_do_has_no_rate_and_says_why() {
        let outcomes: Vec<Outcome> = (0..3).map(|i| outcome(i, 10.0)).collect();
        let found = results(&outcomes, &summary(3, 3), 4, 0.5);
        assert_eq!(found.images_per_second.value, None);
        assert!(found.images_per_second.reason.is_some());
        assert_eq!(found.caption_ms.unwrap().p99, None);
        assert_eq!(results(&[], &summary(0, 0), 4, 0.5).caption_ms, None);
    }
}
