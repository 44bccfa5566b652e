//! The suite file: what the nightly job runs, how it judges, and where everything goes.
//!
//! Paths are relative to the file. [`EXAMPLE`] is the commented file that `fgd nightly init` writes, and the
//! documentation of every key; a test holds it to these shapes.

mod check;
mod duration;
mod metrics;
mod named;
mod place;
mod read;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use fgd_captions::ReadOptions;
use fgd_encoder::EngineKind;
use fgd_metrics::metric::FGD_PAIRED;
use fgd_metrics::series::Rule;
use serde::{Deserialize, Serialize};

use crate::jobs::bench::{CaptionerRequest, EncoderRequest, Request, ScoreRequest};
use crate::jobs::caption::Captioning;
use crate::jobs::train;
pub use duration::Span;

pub use named::check_named;
pub use read::{SuiteError, read};

/// A suite file with every key there is, commented. It runs as it stands beside [`EXAMPLE_FILES`].
pub const EXAMPLE: &str = include_str!("example.toml");

/// The captions that [`EXAMPLE`] names, by their places beside it.
pub const EXAMPLE_FILES: [(&str, &str); 3] = [
    ("captions/references.csv", include_str!("../../../fixtures/captions/references.csv")),
    ("captions/base.csv", include_str!("../../../fixtures/captions/other.csv")),
    ("captions/tuned.csv", include_str!("../../../fixtures/captions/good.csv")),
];

/// What a suite file says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Names the series in the history.
    pub name: String,
    /// Folder of records, accepted captions and the history.
    #[serde(default = "state")]
    pub state: PathBuf,
    /// Folder of the site; `site` in the state folder by default.
    pub report: Option<PathBuf>,
    /// The encoder: a directory, or a hub id with an optional revision.
    #[serde(default = "gte_small")]
    pub encoder: String,
    /// The engine that runs it.
    #[serde(default)]
    pub engine: EngineKind,
    /// Device of the candle engine: `cpu` or `cuda:N`.
    #[serde(default = "cpu")]
    pub device: String,
    /// Count at most this many tokens of a caption.
    pub max_length: Option<usize>,
    /// Threads of every step; all cores by default.
    pub threads: Option<usize>,
    /// Further metrics, as for `fgd score --metrics`.
    #[serde(default, deserialize_with = "metrics::names")]
    pub metrics: Vec<String>,
    /// Seed of everything random in them.
    #[serde(default)]
    pub seed: u64,
    /// How long a night may take.
    budget: Option<Span>,
    /// The data sets.
    #[serde(default)]
    pub data: Vec<DataSet>,
    /// The systems.
    #[serde(default, rename = "system")]
    pub systems: Vec<System>,
    /// The benchmarks.
    #[serde(default, rename = "benchmark")]
    pub benchmarks: Vec<Benchmark>,
    /// When a night is a regression.
    #[serde(default)]
    pub gates: Gates,
    /// Where the history lives.
    #[serde(default)]
    pub history: HistoryPlace,
    /// What is kept.
    #[serde(default)]
    pub retention: Retention,
    /// Who is told.
    #[serde(default)]
    pub notify: Vec<Notification>,
}

/// Images with their references.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSet {
    /// What systems call it.
    pub name: String,
    /// File of references.
    pub references: PathBuf,
    /// SHA-256 that the file of references must have.
    pub references_sha256: Option<String>,
    /// Folder of images, or a CSV file that lists them; needed by checkpoints only.
    pub images: Option<PathBuf>,
    /// SHA-256 over the names and bytes of the images, as the plan prints it.
    pub images_sha256: Option<String>,
    /// How files of captions are read.
    #[serde(default)]
    pub reading: ReadOptions,
    /// Column of the references' image ids, where `reading` does not say it.
    pub reference_id_column: Option<String>,
    /// Column of the references' captions, where `reading` does not say it.
    pub reference_caption_column: Option<String>,
    /// Columns to report every number by, or `ocr` or `length`.
    #[serde(default)]
    pub slice: Vec<String>,
}

/// Whatever makes captions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Names the system in reports and in the history.
    pub name: String,
    /// Its data set; may be left out where there is one only.
    pub data: Option<String>,
    /// File of captions.
    pub submission: Option<PathBuf>,
    /// Checkpoint: a directory, or a hub id with an optional revision.
    pub checkpoint: Option<String>,
    /// LoRA adapter over it.
    pub adapter: Option<String>,
    /// What trains its adapter first, where this has changed since a night that did.
    pub train: Option<Box<train::Request>>,
    /// Where the checkpoint runs: `cpu`, or `cuda:N`.
    #[serde(default = "cpu")]
    pub device: String,
    /// How the checkpoint captions.
    #[serde(default)]
    pub captioning: Captioning,
}

/// Something whose speed is measured: one of the three targets, with the options of its request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Benchmark {
    /// Names the benchmark in reports and in the history.
    pub name: String,
    /// Captions to embeddings.
    pub encoder: Option<EncoderRequest>,
    /// Images to captions.
    pub captioner: Option<CaptionerRequest>,
    /// Whole score jobs.
    pub score: Option<ScoreRequest>,
}

/// When a night is a regression.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// Conditions on systems, as for `fgd compare --gate`.
    pub conditions: Vec<String>,
    /// Metrics that a changed system is tested in.
    pub metrics: Vec<String>,
    /// Level of the test, after Holm's correction over the suite.
    pub alpha: f64,
    /// How far a metric may move, in units of itself, where nothing that goes into it has changed.
    pub tolerance: f64,
    /// Systems, benchmarks, steps and figures (`SYSTEM FIGURE`) that may fail or be gone without failing the night.
    pub allow_failed: Vec<String>,
    /// How speed is judged.
    pub speed: SpeedGate,
}

/// How speed is judged, see [`Rule`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpeedGate {
    window: usize,
    min_runs: usize,
    deviations: f64,
    floor: f64,
    severe: f64,
    change_statistic: f64,
}

/// Where the history lives.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryPlace {
    /// SQLite file; `history.sqlite` in the state folder by default.
    pub file: Option<PathBuf>,
}

/// What is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Nights whose records are kept. The history itself is kept for good.
    pub nights: usize,
}

/// Who is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notification {
    /// When.
    #[serde(default)]
    pub on: Occasion,
    /// Program and arguments; the verdict comes on its standard input.
    #[serde(default)]
    pub command: Vec<String>,
    /// Name of the environment variable with the address that the verdict is posted to.
    pub webhook: Option<String>,
    /// Name of the environment variable with a bearer token for it.
    pub token: Option<String>,
    /// How long the command or the webhook may take.
    #[serde(default = "half_a_minute")]
    pub timeout: Span,
}

/// When somebody is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// When something regressed or failed.
    #[default]
    Trouble,
    /// When something is otherwise than in the night before: trouble that is new or over, figures that improved or moved.
    Change,
    /// Every night.
    Always,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            conditions: Vec::new(),
            metrics: vec![FGD_PAIRED.into()],
            alpha: 0.05,
            tolerance: 1e-6,
            allow_failed: Vec::new(),
            speed: SpeedGate::default(),
        }
    }
}

impl Default for SpeedGate {
    fn default() -> Self {
        let rule = Rule::default();
        Self {
            window: rule.window,
            min_runs: rule.min_runs,
            deviations: rule.deviations,
            floor: rule.floor,
            severe: rule.severe,
            change_statistic: rule.change_statistic,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { nights: 90 }
    }
}

impl SpeedGate {
    /// The rule.
    pub fn rule(&self) -> Rule {
        Rule {
            window: self.window,
            min_runs: self.min_runs,
            deviations: self.deviations,
            floor: self.floor,
            severe: self.severe,
            change_statistic: self.change_statistic,
        }
    }
}

impl Benchmark {
    /// What is asked; [`read()`] has seen to it that it is one thing.
    pub fn request(&self) -> Request {
        match (&self.captioner, &self.score) {
            (Some(captioner), _) => Request::Captioner(captioner.clone()),
            (None, Some(score)) => Request::Score(score.clone()),
            (None, None) => Request::Encoder(self.encoder.clone().unwrap_or_default()),
        }
    }
}

impl Suite {
    /// How long a night may take.
    pub fn budget(&self) -> Option<Duration> {
        self.budget.map(|span| span.0)
    }

    /// The data set of a system; [`read()`] has seen to it that there is one.
    pub fn data_of(&self, system: &System) -> &DataSet {
        let named = (system.data.as_ref())
            .and_then(|name| self.data.iter().find(|data| &data.name == name));
        named.unwrap_or(&self.data[0])
    }

    /// Folder of the site, from the suite's own folder.
    pub fn site(&self) -> PathBuf {
        self.report.clone().unwrap_or_else(|| self.state.join("site"))
    }

    /// SQLite file of the history, from the suite's own folder.
    pub fn history_file(&self) -> PathBuf {
        (self.history.file.clone()).unwrap_or_else(|| self.state.join("history.sqlite"))
    }
}

fn state() -> PathBuf {
    Path::new("nightly").into()
}

fn cpu() -> String {
    "cpu".into()
}

fn half_a_minute() -> Span {
    Span(Duration::from_secs(30))
}

fn gte_small() -> String {
    fgd_store::hub::GTE_SMALL.into()
}
