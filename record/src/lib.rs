//! The record: the versioned result of one job, and the only thing that documents are made from.
//!
//! A job (`fgd score`, `fgd compare`, …) ends in one [`Record`]. It is written as JSON, held to the
//! committed JSON Schema, and can be rendered again at any time without computing anything. The
//! types here are plain data: no model, no metric and no file is known to this crate.
//!
//! ```
//! use fgd_record::{Record, Results};
//!
//! let text = r#"{
//!   "schema_version": 1, "created": "2025-10-09T08:07:06Z",
//!   "tool": {"name": "fgd", "version": "0.1.0", "commit": null, "dirty": null},
//!   "host": {"cpu": "EPYC", "cores": 2, "threads": 2, "memory_bytes": null, "simd": "avx2", "os": "linux", "gpu": null},
//!   "encoder": null, "checkpoint": null, "inputs": [], "settings": {},
//!   "comparability": {"key": "b1946ac9", "encoder_sha256": null, "precision": "f32", "pooling": null, "max_length": null,
//!                     "references_sha256": null, "metric_version": 1},
//!   "signature": "fgd 0.1.0|n:2", "findings": [], "timings": {"score": 0.5},
//!   "kind": "score",
//!   "results": {"n": 2, "references": 2, "pairing": "paired", "decomposition": null,
//!               "fgd_paired": {"value": 0.25, "se": 0.1, "ci95": [0.05, 0.45]},
//!               "fgd_set": {"value": null, "bias": null, "corrected": null, "se": null, "ci95": null, "reason": "2 captions"},
//!               "mean_cosine": {"value": 0.875, "se": null, "ci95": null}}
//! }"#;
//! let mut record = Record::from_json(text)?;
//! if let Results::Score(scores) = &mut record.results {
//!     assert_eq!(scores.fgd_paired.interval(), Some([0.05, 0.45]));
//!     scores.n = 3;
//! }
//! assert_eq!(Record::from_json(&record.to_json())?, record);
//! # Ok::<(), fgd_record::RecordError>(())
//! ```

mod agreement;
mod bench;
mod caption;
mod captions;
mod compare;
mod count;
mod curate;
pub mod json;
mod leaderboard;
mod measure;
mod nightly;
mod provenance;
mod roofline;
mod score;
mod secrets;
mod select;
mod train;
mod trend;
pub mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use agreement::{AgreementResults, MetricAgreement};
pub use bench::{
    BenchResults, BenchTarget, Headline, Overhead, Percentile, Queries, QueryLatency, Remark,
    Scenario, Server, ServerOutcome, ServerPoint, SweepCell, Throughput, Validity,
};
pub use caption::{CaptionFailure, CaptionMilliseconds, CaptionResults, CaptionStages};
pub use captions::{CaptionNumbers, CaptionTable, PRIVATE, PUBLIC, SPLIT, SystemCaptions};
pub use compare::{
    CompareResults, Contrast, ContrastCaption, Difference, DifferenceSlice, GRID, Gate, LEVEL,
    System,
};
pub use curate::{CurateExample, CurateResults, CurateRule, CurateSource};
pub use leaderboard::{LeaderboardResults, Rejected, Split, Standing};
pub use measure::{Mark, Measure, SetMeasure};
pub use nightly::{
    Acceptance, NightlyFailure, NightlyFinding, NightlyResults, NightlyStep, NightlyVerdict,
    StepOutcome,
};
pub use provenance::{
    CheckpointInfo, Comparability, Deviation, EncoderInfo, Finding, Host, Input, Severity, Tool,
};
pub use roofline::{BoundBy, Ceilings, Stage};
pub use score::{
    Decomposition, Distribution, Infinity, Metric, Pairing, ScoreResults, Slice, SlicePart,
    TextStatistics, WorstCaption,
};
pub use select::{Judged, SelectResults, SelectSource};
pub use train::{TrainExample, TrainPoint, TrainResults, TrainValidation};
pub use trend::{Trend, TrendChange, TrendPoint};

/// The version of the record's shape. It grows by one with every change that a reader could notice.
pub const SCHEMA_VERSION: u32 = 1;

/// The JSON Schema that every record holds to.
pub const SCHEMA: &str = include_str!("../schema/record-v1.schema.json");

/// The result of one job with everything needed to understand, repeat and compare it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of this document's shape, see [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// When the job ended: RFC 3339, UTC.
    pub created: String,
    /// The program that wrote the record.
    pub tool: Tool,
    /// The machine that ran the job.
    pub host: Host,
    /// The encoder that made the embeddings; `None` where the job was given embeddings or moments.
    pub encoder: Option<EncoderInfo>,
    /// The checkpoint that made the captions, where the job ran one.
    pub checkpoint: Option<CheckpointInfo>,
    /// The files that went in.
    pub inputs: Vec<Input>,
    /// The settings that can change the result, by flag name.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// What must be equal before two records may be ranked together.
    pub comparability: Comparability,
    /// One line that names everything the numbers depend on, to be quoted with them.
    pub signature: String,
    /// What the captions' linter found; notes only in a record of a finished score.
    pub findings: Vec<Finding>,
    /// Kind of the job and its numbers: `kind` and `results` in the document.
    #[serde(flatten)]
    pub results: Results,
    /// Every caption, where the job was asked to keep them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captions: Option<CaptionTable>,
    /// Seconds spent, by step.
    pub timings: BTreeMap<String, f64>,
}

/// The numbers of a job, by its kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "results", rename_all = "snake_case")]
pub enum Results {
    /// `fgd score`: one system against references.
    Score(Box<ScoreResults>),
    /// `fgd compare`: several systems on the same images.
    Compare(Box<CompareResults>),
    /// `fgd leaderboard`: many submissions, ranked.
    Leaderboard(Box<LeaderboardResults>),
    /// `fgd agreement`: metrics beside judgements of people.
    Agreement(Box<AgreementResults>),
    /// `fgd caption`: a captioner's run over a list of images.
    Caption(Box<CaptionResults>),
    /// `fgd select`, `fgd ensemble`: one of several captions of each image.
    Select(Box<SelectResults>),
    /// `fgd bench`: the speed of one target in one scenario.
    Bench(Box<BenchResults>),
    /// `fgd nightly`: a suite beside its history.
    Nightly(Box<NightlyResults>),
    /// `fgd train`: an adapter's fine-tuning.
    Train(Box<TrainResults>),
    /// `fgd curate`: what to train on.
    Curate(Box<CurateResults>),
}

impl Results {
    /// The kind as it stands in the document.
    pub fn kind(&self) -> &'static str {
        match self {
            Results::Score(_) => "score",
            Results::Compare(_) => "compare",
            Results::Leaderboard(_) => "leaderboard",
            Results::Agreement(_) => "agreement",
            Results::Caption(_) => "caption",
            Results::Select(_) => "select",
            Results::Bench(_) => "bench",
            Results::Nightly(_) => "nightly",
            Results::Train(_) => "train",
            Results::Curate(_) => "curate",
        }
    }
}

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The document is not JSON, or not of the record's shape.
    #[error("not a record of fgd: {0}")]
    Shape(#[from] serde_json::Error),
    /// The document was written by a later version.
    #[error(
        "the record has schema version {found}, this program reads up to {SCHEMA_VERSION}: update fgd"
    )]
    Newer {
        /// The version found.
        found: u32,
    },
}

impl Record {
    /// Reads a record from its JSON document.
    ///
    /// # Errors
    /// [`RecordError::Shape`] where the text is no record, [`RecordError::Newer`] where a later version wrote it.
    pub fn from_json(text: &str) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        // What PowerShell's `Out-File` puts before it.
        let text = text.trim_start_matches('\u{feff}');
        let Version { schema_version } = serde_json::from_str(text)?;
        if schema_version > SCHEMA_VERSION {
            return Err(RecordError::Newer { found: schema_version });
        }
        Ok(serde_json::from_str(text)?)
    }

    /// What reports call the record's system: the submission, or else the checkpoint; of a benchmark
    /// of the encoder, the encoder.
    pub fn system_name(&self) -> String {
        self.inputs
            .iter()
            .find(|input| input.role == "submission")
            .map(|input| input.name.clone())
            .or_else(|| self.checkpoint.as_ref().map(CheckpointInfo::name))
            .or_else(|| match &self.results {
                Results::Bench(_) => self.encoder.as_ref().map(|e| e.id.clone()),
                _ => None,
            })
            .unwrap_or_else(|| "submission".into())
    }

    /// The record's JSON document: pretty, one trailing newline, the same bytes for the same record, and nothing in
    /// it that a terminal obeys ([`json::inert`]).
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("a record holds only finite numbers, strings and maps with string keys");
        text.push('\n');
        json::inert(text)
    }
}
