//! LoRA fine-tuning of a captioner's language model: captions and features in, PEFT adapters and a record out.
//!
//! A run is a directory: `request.json` (what was asked), `metrics.jsonl` (one line per step and evaluation), `tensorboard/` (the same),
//! `last/` (the newest adapter
//! and all that is needed to go on), `best/` (the adapter that was judged best), `step-N/` where wanted, and
//! `record.json` in the end. The same request goes on where it was, to the bit: `material` is what it is about, `course` the steps, `judge` says what they are worth.

mod course;
mod judge;
pub(crate) mod learnable;
mod material;
mod metrics;
mod results;
mod self_critical;
mod tensorboard;
mod tracking;

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
use self_critical::SelfCritical;
use tracking::Trackers;

pub use fgd_captioner::train::features::LIST as FEATURES_LIST;
pub use judge::Judging;
pub use self_critical::Scst;
pub use tracking::Tracking;

/// The files and folders of a run.
const REQUEST: &str = "request.json";
const METRICS: &str = "metrics.jsonl";
/// The record of a finished run.
pub const RECORD: &str = "record.json";
const LAST: &str = "last";
const BEST: &str = "best";
/// The adapter that draws captions, at the step in flight.
const DRAWING: &str = "drawing";

/// Presets with every setting there is, commented: what `fgd train init` writes, and the documentation of every key.
pub const EXAMPLE: &str = include_str!("example.toml");

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

/// What a model learns to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// To expect the next token of the captions: cross-entropy.
    #[default]
    Ce,
    /// To write captions that mean what the references mean: self-critical training, from an adapter that cross-entropy has made.
    Scst,
}

/// What `fgd train` is asked, and what a file of presets says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// The checkpoint: a directory or a hub id.
    pub checkpoint: String,
    /// Adapter to begin at; PEFT's first values if not said.
    pub adapter: Option<String>,
    /// The folder that `fgd features` filled.
    pub features: PathBuf,
    /// Captions to learn.
    pub captions: PathBuf,
    /// Captions to judge by, of other images.
    pub validation: Option<PathBuf>,
    /// The directory of the run.
    pub output: PathBuf,
    /// What the model is asked.
    pub prompt: String,
    /// How the caption files are read.
    pub reading: ReadOptions,
    /// Whether captions that repeat themselves or seem cut off are notes and not errors.
    pub lenient: bool,
    /// What the frozen weights are kept in: f32 or bf16. The factors are f32.
    pub dtype: Precision,
    /// How it learns.
    pub learning: Learning,
    /// In what order.
    pub order: OrderConfig,
    /// What it learns to do.
    pub objective: Objective,
    /// How captions are drawn for `objective = "scst"`.
    pub scst: Scst,
    /// When it saves and judges itself.
    pub watching: Watching,
    /// Who else is told.
    pub tracking: Tracking,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            checkpoint: String::new(),
            adapter: None,
            features: PathBuf::new(),
            captions: PathBuf::new(),
            validation: None,
            output: PathBuf::new(),
            prompt: DEFAULT_PROMPT.into(),
            reading: ReadOptions::default(),
            lenient: false,
            dtype: Precision::F32,
            learning: Learning::default(),
            order: OrderConfig::default(),
            objective: Objective::default(),
            scst: Scst::default(),
            watching: Watching::default(),
            tracking: Tracking::default(),
        }
    }
}

impl Request {
    /// The settings that self-critical training begins with: a small rate, one epoch, captions that decide.
    pub fn self_critical() -> Self {
        let mut request = Self { objective: Objective::Scst, ..Self::default() };
        request.learning.optimizer.learning_rate = 5e-6;
        request.order.epochs = 1.0;
        request.watching.judging = Some(Judging::default());
        request
    }

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

    /// The adapter that a finished run is for: the best, or without a validation the last.
    pub fn adapter_dir(&self) -> PathBuf {
        self.output.join(if self.validation.is_some() { BEST } else { LAST })
    }

    fn check(&self) -> Result<(), JobError> {
        let paths = [&self.features, &self.captions, &self.output];
        if self.checkpoint.is_empty() || paths.iter().any(|path| path.as_os_str().is_empty()) {
            let what = "give --checkpoint, --features, --captions and -o, or a --config that has them, or --resume";
            return Err(JobError::usage(what));
        }
        if self.dtype == Precision::Q8 {
            return Err(JobError::usage("--dtype q8: frozen weights are f32 or bf16 in training"));
        }
        let Watching { save_every, keep_every, evaluate_every, patience, judging } = &self.watching;
        let zero = [Some(*save_every), *keep_every, *evaluate_every, *patience].contains(&Some(0));
        if zero {
            let what = "--save-every, --keep-every, --evaluate-every and --patience";
            return Err(JobError::usage(format!("{what} must be at least 1")));
        }
        if self.objective == Objective::Scst {
            if judging.is_none() {
                let what = "--objective scst stops when captions get poorer: give --select-by fgd_paired and --validation";
                return Err(JobError::usage(what));
            }
            let Scst { samples, ce_weight, max_new_tokens } = &self.scst;
            if *samples < 2 || *max_new_tokens == 0 || !ce_weight.is_finite() || *ce_weight < 0.0 {
                let what = "scst: at least 2 samples and 1 token, and a weight of cross-entropy that is not negative";
                return Err(JobError::usage(what));
            }
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
    let trackers = Trackers::begin(request, session)?;
    let metrics = Metrics::open(&request.output.join(METRICS), first, trackers)?;
    if goes_on {
        session.progress.say(&format!("going on after step {first} of {}", order.steps()));
    }
    let loaded = begin.elapsed().as_secs_f64();
    let judge = match &request.watching.judging {
        Some(judging) => Some(Judge::new(request, judging, &checkpoint, &captioner, session)?),
        None => None,
    };
    let self_critical = match (request.objective, &request.watching.judging) {
        (Objective::Scst, Some(judging)) => {
            let encoding = &judging.encoding;
            Some(SelfCritical {
                scst: &request.scst,
                checkpoint: &checkpoint,
                options: captioner.options().clone(),
                encoding,
                prompt: captioner.tokenizer().encode(&request.prompt)?,
                seed,
                adapter: request.output.join(DRAWING),
                references: texts.mean_embeddings(&material.train, encoding, session)?,
            })
        }
        _ => None,
    };
    let course = Course {
        request,
        self_critical,
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

/// What decides beside the captions: who rewards draws, and how.
fn objective_of(request: &Request) -> Option<(&Scst, &Option<Judging>)> {
    let is_drawn = request.objective == Objective::Scst;
    is_drawn.then_some((&request.scst, &request.watching.judging))
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
        .field(
            "objective",
            json(serde_json::to_string(&(request.objective, objective_of(request))))?,
        )
        .finish())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::toml_file;

    /// The example with what stands behind `# `, where that is a key or a table.
    fn uncommented() -> String {
        let is_key = |rest: &str| {
            let word = rest.trim_start_matches('[').split([' ', ']']).next().unwrap_or_default();
            (rest.starts_with('[') || rest.contains(" = "))
                && word.chars().all(|c| c.is_ascii_lowercase() || "_.1234567890".contains(c))
        };
        let line = |line: &'static str| match line.strip_prefix("# ").filter(|rest| is_key(rest)) {
            Some(rest) => format!("{rest}\n"),
            None => format!("{line}\n"),
        };
        EXAMPLE.lines().map(line).collect()
    }

    #[test]
    fn the_example_shows_every_key_with_its_default() {
        let path = Path::new("train.toml");
        let plain: Request = toml_file::parse(EXAMPLE, path).unwrap();
        let example = uncommented();
        let full: Request = toml_file::parse(&example, path).unwrap();
        // What has a default stands there with it; what has none stands there with something.
        assert_eq!((&full.learning, &full.dtype), (&plain.learning, &plain.dtype));
        assert_eq!(OrderConfig { max_steps: None, ..full.order.clone() }, plain.order);
        assert!(full.watching.judging.is_some() && full.tracking.mlflow.is_some());
        for table in [
            "",
            "[learning]",
            "[learning.lora]",
            "[learning.optimizer]",
            "[order]",
            "[watching]",
            "[watching.judging]",
            "[tracking]",
        ] {
            let wrong = toml::from_str::<Request>(&format!("{table}\nzzzzzz = 1")).unwrap_err();
            for key in wrong.message().split('`').skip(3).step_by(2) {
                let written = [format!("{key} = "), format!("[{key}]"), format!(".{key}]")];
                assert!(
                    written.iter().any(|form| example.contains(form.as_str())),
                    "{table} {key}"
                );
            }
        }
    }
}
