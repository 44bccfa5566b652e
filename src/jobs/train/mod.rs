//! LoRA fine-tuning of a captioner's language model: captions and features in, PEFT adapters and a record out.
//!
//! A run is a directory: `request.json` (what was asked), `metrics.jsonl` (one line per step and evaluation), `tensorboard/` (the same),
//! `last/` (the newest adapter
//! and all that is needed to go on), `best/` (the adapter that was judged best), `step-N/` where wanted, and
//! `record.json` in the end. The same request goes on where it was, to the bit: `material` is what it is about, `course` the steps, `judge` says what they are worth.

mod course;
mod judge;
mod material;
mod metrics;
mod results;
mod tensorboard;

use std::path::{Path, PathBuf};
use std::time::Instant;

use fgd_captioner::features::FeaturesCache;
use fgd_captioner::train::{Batches, Learning, Order, OrderConfig, Trainer, saved};
use fgd_captioner::weights::{Adapter, TensorFiles};
use fgd_captioner::{DEFAULT_PROMPT, LoadOptions, Precision};
use fgd_captions::ReadOptions;
use fgd_record::{Record, Results};
use fgd_store::digest::Digest;
use fgd_store::file;
use serde::{Deserialize, Serialize};

use super::caption::Checkpoint;
use super::{JobError, Session};
use crate::host;
use course::Course;
use judge::Judge;
use material::Material;
use metrics::Metrics;

pub use judge::Judging;

/// The files and folders of a run.
const REQUEST: &str = "request.json";
const METRICS: &str = "metrics.jsonl";
const RECORD: &str = "record.json";
const LAST: &str = "last";
const BEST: &str = "best";

/// When a run saves, judges itself, and ends early.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watching {
    /// Steps between two states that are saved: so many are lost at most when the process is killed.
    pub save_every: usize,
    /// Steps between two adapters that are kept as `step-N`; none if not said.
    pub keep_every: Option<usize>,
    /// Steps between two validations; an epoch if not said.
    pub evaluate_every: Option<usize>,
    /// Ends after so many validations that were no better than the best before.
    pub patience: Option<usize>,
    /// How adapters are judged by their captions; by the loss alone if not said.
    pub judging: Option<Judging>,
}

impl Default for Watching {
    fn default() -> Self {
        Self {
            save_every: 1,
            keep_every: None,
            evaluate_every: None,
            patience: None,
            judging: None,
        }
    }
}

/// What `fgd train` is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The checkpoint: a directory or a hub id.
    pub checkpoint: String,
    /// Adapter to begin at; PEFT's first values if not said.
    #[serde(default)]
    pub adapter: Option<String>,
    /// The folder that `fgd features` filled.
    pub features: PathBuf,
    /// Captions to learn.
    pub captions: PathBuf,
    /// Captions to judge by, of other images.
    #[serde(default)]
    pub validation: Option<PathBuf>,
    /// The directory of the run.
    pub output: PathBuf,
    /// What the model is asked.
    #[serde(default = "default_prompt")]
    pub prompt: String,
    /// How the caption files are read.
    #[serde(default)]
    pub reading: ReadOptions,
    /// Whether captions that repeat themselves or seem cut off are notes and not errors.
    #[serde(default)]
    pub lenient: bool,
    /// What the frozen weights are kept in: f32 or bf16. The factors are f32.
    #[serde(default = "default_dtype")]
    pub dtype: Precision,
    /// How it learns.
    #[serde(default)]
    pub learning: Learning,
    /// In what order.
    #[serde(default)]
    pub order: OrderConfig,
    /// When it saves and judges itself.
    #[serde(default)]
    pub watching: Watching,
}

fn default_prompt() -> String {
    DEFAULT_PROMPT.into()
}

fn default_dtype() -> Precision {
    Precision::F32
}

impl Request {
    /// The request of the run in `dir`.
    ///
    /// # Errors
    /// A directory without a run.
    pub fn of_run(dir: &Path) -> Result<Self, JobError> {
        let path = dir.join(REQUEST);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            JobError::usage(format!("{}: {error}; give the directory of a run", path.display()))
        })?;
        let request: Self = serde_json::from_str(&text)
            .map_err(|error| JobError::usage(format!("{}: {error}", path.display())))?;
        // The directory may have been moved.
        Ok(Self { output: dir.into(), ..request })
    }

    fn check(&self) -> Result<(), JobError> {
        if self.dtype == Precision::Q8 {
            return Err(JobError::usage("--dtype q8: frozen weights are f32 or bf16 in training"));
        }
        let Watching { save_every, keep_every, evaluate_every, patience, judging } = &self.watching;
        let zero = [Some(*save_every), *keep_every, *evaluate_every, *patience].contains(&Some(0));
        if zero {
            let what = "--save-every, --keep-every, --evaluate-every and --patience";
            return Err(JobError::usage(format!("{what} must be at least 1")));
        }
        let judges = patience.is_some() || evaluate_every.is_some() || judging.is_some();
        if judges && self.validation.is_none() {
            let what = "--patience, --evaluate-every and --select-by need captions to judge by";
            return Err(JobError::usage(format!("{what}: give --validation")));
        }
        Ok(())
    }
}

/// Trains, going on from an earlier run of the same request, and writes the run's record.
///
/// # Errors
/// Settings without a meaning; captions, features, a checkpoint or a run that cannot be used; a loss that is not finite; an
/// interrupt, behind which the same request goes on.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    request.check()?;
    let host = host::describe();
    let begin = Instant::now();
    let texts = material::Texts::read(request, session)?;
    let checkpoint = Checkpoint::resolve(&request.checkpoint, None, session)?;
    if checkpoint.adapter.is_some() {
        let name = &request.checkpoint;
        return Err(JobError::usage(format!(
            "{name}: is an adapter; give its base as --checkpoint and this as --adapter"
        )));
    }
    let options = LoadOptions { precision: request.dtype, ..LoadOptions::default() };
    checkpoint.check(&options)?;
    let captioner = checkpoint.load(options, session)?;
    let features = FeaturesCache::open(&request.features, captioner.identity())?;
    let material = Material::new(request, &texts, &captioner)?;
    let images = material.train.captions.iter().map(|caption| caption.image).collect();
    let seed = request.learning.seed;
    let mut order = Order::new(&request.order, images, seed).map_err(JobError::usage)?;
    let mut trainer = Trainer::new(&captioner, request.learning.clone(), order.steps())
        .map_err(JobError::usage)?;
    let adapter = match &request.adapter {
        Some(name) => {
            let settings = &session.settings.hub;
            let found = fgd_store::hub::resolve(name, fgd_store::hub::Kind::Adapter, settings)?;
            trainer.lora_mut().adopt(&found.dir)?;
            Adapter::read(&found.dir, &TensorFiles::none())?.sha256(|_| true)
        }
        None => String::new(),
    };
    let id = identity(request, &captioner, &material, &adapter)?;
    let last = request.output.join(LAST);
    let goes_on = last.join(saved::STATE).exists();
    if goes_on {
        let (lora, optimizer) = trainer.state_mut();
        saved::read_state(&last, lora, optimizer, &id)?;
    }
    let first = trainer.step_count();
    if goes_on && let Some(record) = finished(request, first) {
        session.progress.say(&format!("nothing is left to do after step {first}"));
        return Ok(record);
    }
    std::fs::create_dir_all(&request.output)?;
    let text =
        serde_json::to_string_pretty(request).map_err(|error| JobError::because(REQUEST, error))?;
    file::write(&request.output.join(REQUEST), text.as_bytes())?;
    let metrics = Metrics::open(&request.output.join(METRICS), first)?;
    if goes_on {
        session.progress.say(&format!("going on after step {first} of {}", order.steps()));
    }
    let loaded = begin.elapsed().as_secs_f64();
    let judge = match &request.watching.judging {
        Some(judging) => Some(Judge::new(request, judging, &checkpoint, &captioner, session)?),
        None => None,
    };
    let course = Course {
        request,
        judge,
        base: &checkpoint.base.id,
        id: &id,
        material: &material,
        batches: Batches::new(&captioner, features, &request.prompt)?,
        metrics,
        encoder: None,
        begin: Instant::now(),
    };
    let cost = course.announce(&trainer, &order, &captioner, &host, session)?;
    let outcome = course.run(&mut trainer, &mut order, session)?;
    let info = checkpoint.info(&captioner, "cpu");
    let record = results::record(results::Whole {
        request,
        host,
        checkpoint: info,
        texts: &texts,
        material: &material,
        trainer: &trainer,
        order: &order,
        outcome,
        resumed: first,
        cost,
        load_seconds: loaded,
    });
    file::write(&request.output.join(RECORD), record.to_json().as_bytes())?;
    Ok(record)
}

/// The record of a run that had ended: it has the speeds that nobody measures any more.
fn finished(request: &Request, steps: usize) -> Option<Record> {
    let text = std::fs::read_to_string(request.output.join(RECORD)).ok()?;
    let record = Record::from_json(&text).ok()?;
    let is_whole = match &record.results {
        Results::Train(results) => results.steps == steps as u64,
        _ => false,
    };
    (is_whole && record.settings == results::settings(request)).then_some(record)
}

/// All that decides the numbers: a state is read back for no other run.
fn identity(
    request: &Request,
    captioner: &fgd_captioner::Captioner,
    material: &Material,
    adapter: &str,
) -> Result<String, JobError> {
    let json = |value: serde_json::Result<String>| {
        value.map_err(|error| JobError::because("settings", error))
    };
    let identity = captioner.identity();
    Ok(Digest::new("training", 1)
        .field("checkpoint", &identity.checkpoint_sha256)
        .field("config", &identity.config_sha256)
        .field("features", &identity.frozen_sha256)
        .field("adapter", adapter)
        .field("prompt", &request.prompt)
        .field("captions", material.train.sha256())
        .field("learning", json(serde_json::to_string(&request.learning))?)
        .field("order", json(serde_json::to_string(&request.order))?)
        .finish())
}
