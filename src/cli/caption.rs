//! `fgd caption`: images to a CSV file of captions, by a BLIP-2 checkpoint, durably.

use super::exit::{Exit, usage};
use super::output::{Output, Sink};
use crate::captioner::adapter::Adapter;
use crate::captioner::features::FeaturesCache;
use crate::captioner::run::{self, OnError, Outcome, Plan, Summary};
use crate::captioner::{
    Captioner, DEFAULT_PROMPT, EarlyStopping, GenerationConfig, LoadOptions, Precision, Sampling,
    parse_device,
};
use crate::host;
use crate::hub::{self, Kind, Model};
use anyhow::Context;
use clap::builder::FalseyValueParser;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Arguments of `fgd caption`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checkpoint that captions: a directory, or a hub id with an optional @revision. An adapter's own
    /// directory or id will do: its base is then found by the name it gives.
    #[arg(long, value_name = "ID|DIR", env = "FGD_CHECKPOINT")]
    checkpoint: String,
    /// LoRA adapter to merge into the checkpoint.
    #[arg(long, value_name = "ID|DIR", env = "FGD_ADAPTER")]
    adapter: Option<String>,
    /// The images: a directory, or a CSV file with a column image_id and optionally path.
    #[arg(long, value_name = "DIR|LIST.csv", env = "FGD_IMAGES")]
    images: PathBuf,
    /// Where the paths (or ids) of LIST.csv start; its own directory by default.
    #[arg(long, value_name = "DIR", env = "FGD_IMAGE_ROOT")]
    image_root: Option<PathBuf>,
    /// The captions: columns image_id and caption. Beside it stand FILE.journal.jsonl (token ids and
    /// times; a second run with the same settings goes on from it) and FILE.summary.json.
    #[arg(short, long, value_name = "FILE.csv", env = "FGD_OUTPUT")]
    output: PathBuf,
    /// What the model is asked; may be empty.
    #[arg(long, value_name = "TEXT", default_value = DEFAULT_PROMPT, env = "FGD_PROMPT")]
    prompt: String,
    #[command(flatten)]
    decoding: DecodingArgs,
    #[command(flatten)]
    running: RunningArgs,
}

/// How captions are searched for.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Decoding")]
struct DecodingArgs {
    /// Longest caption in tokens.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 30,
        env = "FGD_MAX_NEW_TOKENS"
    )]
    max_new_tokens: usize,
    /// Beams per image; 1 is greedy.
    #[arg(long, value_name = "N", default_value_t = 1, env = "FGD_NUM_BEAMS")]
    num_beams: usize,
    /// Exponent of a beam's length in its score; above 0 favours long captions.
    #[arg(
        long,
        value_name = "X",
        default_value_t = 1.0,
        env = "FGD_LENGTH_PENALTY",
        allow_negative_numbers = true
    )]
    length_penalty: f64,
    /// When beam search stops.
    #[arg(long, value_enum, default_value_t = EarlyStopping::Heuristic, env = "FGD_EARLY_STOPPING")]
    early_stopping: EarlyStopping,
    /// Above 1 makes tokens already there less likely.
    #[arg(
        long,
        value_name = "X",
        default_value_t = 1.0,
        env = "FGD_REPETITION_PENALTY"
    )]
    repetition_penalty: f64,
    /// No sequence of N tokens twice; 0 allows all.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        env = "FGD_NO_REPEAT_NGRAM_SIZE"
    )]
    no_repeat_ngram_size: usize,
    /// Draw tokens at random, at this temperature.
    #[arg(long, value_name = "X", env = "FGD_TEMPERATURE")]
    temperature: Option<f64>,
    /// Draw among the K likeliest tokens.
    #[arg(long, value_name = "K", env = "FGD_TOP_K")]
    top_k: Option<usize>,
    /// Draw among the likeliest tokens that together reach this probability.
    #[arg(long, value_name = "P", env = "FGD_TOP_P")]
    top_p: Option<f64>,
    /// Seed of the drawing; every image has its own stream.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_SEED")]
    seed: u64,
    /// Go on to the longest caption whatever the model says; for timing.
    #[arg(long, hide = true, env = "FGD_IGNORE_EOS", value_parser = FalseyValueParser::new())]
    ignore_eos: bool,
}

/// How the model runs.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Running")]
struct RunningArgs {
    /// What weights are kept in; part of the captions' identity.
    #[arg(long, value_enum, default_value_t = Precision::F32, env = "FGD_DTYPE")]
    dtype: Precision,
    /// cpu, or cuda:N in a build with that feature.
    #[arg(long, default_value = "cpu", env = "FGD_DEVICE")]
    device: String,
    /// Images per batch; also what is lost at most when the process is killed.
    #[arg(long, value_name = "N", default_value_t = 8, env = "FGD_BATCH_SIZE")]
    batch_size: usize,
    /// What to do with an image that cannot be read.
    #[arg(long, value_enum, default_value_t = OnError::Fail, env = "FGD_ON_ERROR")]
    on_error: OnError,
    /// Keep and reuse the vision features here; checkpoints with equal frozen parts share them.
    #[arg(long, value_name = "DIR", env = "FGD_FEATURES_CACHE")]
    features_cache: Option<PathBuf>,
    /// Forget an earlier run's journal.
    #[arg(long, env = "FGD_RESTART", value_parser = FalseyValueParser::new())]
    restart: bool,
}

impl DecodingArgs {
    fn config(&self) -> GenerationConfig {
        let draws = self.temperature.is_some() || self.top_k.is_some() || self.top_p.is_some();
        GenerationConfig {
            max_new_tokens: self.max_new_tokens,
            num_beams: self.num_beams,
            length_penalty: self.length_penalty,
            early_stopping: self.early_stopping,
            repetition_penalty: self.repetition_penalty,
            no_repeat_ngram_size: self.no_repeat_ngram_size,
            sampling: draws.then(|| Sampling {
                temperature: self.temperature.unwrap_or(1.0),
                top_k: self.top_k,
                top_p: self.top_p,
                seed: self.seed,
            }),
            ignore_eos: self.ignore_eos,
        }
    }
}

/// Runs `fgd caption`.
pub fn run(args: &Args, output: &Output) -> anyhow::Result<Exit> {
    // What can be wrong with the command line is said before gigabytes are read.
    let generation = args.decoding.config();
    generation.check().map_err(|e| usage(e.to_string()))?;
    let device = parse_device(&args.running.device).map_err(|e| usage(e.to_string()))?;
    let images = run::list_images(&args.images, args.image_root.as_deref())?;
    let journal = beside(&args.output, "journal.jsonl");
    check_writable(&args.output, &journal)?;
    if args.running.restart && journal.exists() {
        std::fs::remove_file(&journal)?;
    }

    let (checkpoint, adapter) = resolve(&args.checkpoint, args.adapter.as_deref(), output)?;
    let options = LoadOptions {
        precision: args.running.dtype,
        device,
    };
    let began = Instant::now();
    let captioner = load(&checkpoint, adapter.as_ref(), options, output)?;
    let load_seconds = began.elapsed().as_secs_f64();
    let cache = match &args.running.features_cache {
        Some(dir) => Some(FeaturesCache::open(dir, captioner.identity())?),
        None => None,
    };
    let plan = Plan {
        images: &images,
        prompt: &args.prompt,
        generation,
        batch_size: args.running.batch_size,
        on_error: args.running.on_error,
        decode_threads: 2,
    };
    let mut progress = Progress::new(images.len(), output);
    let (outcomes, summary) =
        run::caption_images(&captioner, &plan, &journal, cache, &mut |step| {
            progress.show(step)
        })?;
    progress.finish();

    Sink::open(Some(&args.output))?.write(&csv_of(&outcomes)?)?;
    let record = record(
        &checkpoint,
        adapter.as_ref(),
        &plan,
        &captioner,
        &summary,
        load_seconds,
    );
    let mut json = serde_json::to_vec_pretty(&record)?;
    json.push(b'\n');
    Sink::open(Some(&beside(&args.output, "summary.json")))?.write(&json)?;
    output.say(sentence(&args.output, &summary));
    Ok(Exit::Success)
}

/// `captions.csv` → `captions.csv.journal.jsonl`.
fn beside(output: &Path, suffix: &str) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Finds out before the work whether the result can be written. Nothing temporary is left behind by a killed process:
/// the journal is the only file until the end.
fn check_writable(output: &Path, journal: &Path) -> anyhow::Result<()> {
    if output.is_dir() {
        return Err(usage(format!(
            "{}: is a directory; give the name of a file to write",
            output.display()
        )));
    }
    let opened = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(journal);
    opened.with_context(|| format!("{}: cannot be written", journal.display()))?;
    Ok(())
}

/// The checkpoint and the adapter, found; an adapter given as the checkpoint brings its base.
pub(super) fn resolve(
    given: &str,
    adapter: Option<&str>,
    output: &Output,
) -> anyhow::Result<(Model, Option<Model>)> {
    let settings = hub::Settings::from_env(output.draws_progress());
    let adapter = match adapter {
        Some(name) => Some(hub::resolve(name, Kind::Adapter, &settings)?),
        None => None,
    };
    let found = if Adapter::is_alone_in(Path::new(given)) {
        None
    } else {
        match hub::resolve(given, Kind::Checkpoint, &settings) {
            Ok(model) => Some(model),
            // A hub repository that holds an adapter only has no config.json.
            Err(error) => match hub::resolve(given, Kind::Adapter, &settings) {
                Ok(_) => None,
                Err(_) => return Err(error.into()),
            },
        }
    };
    if let Some(checkpoint) = found {
        return Ok((checkpoint, adapter));
    }
    if adapter.is_some() {
        return Err(usage(format!(
            "{given}: is an adapter; give its base with --checkpoint"
        )));
    }
    let alone = hub::resolve(given, Kind::Adapter, &settings)?;
    let Some(base) = Adapter::read(&alone.dir)?.base().map(str::to_owned) else {
        return Err(usage(format!(
            "{given}: is an adapter that names no base; give the base with --checkpoint and this with --adapter"
        )));
    };
    output.say(format!("{given} is an adapter of {base}"));
    Ok((
        hub::resolve(&base, Kind::Checkpoint, &settings)?,
        Some(alone),
    ))
}

/// Loads a checkpoint behind a progress bar.
pub(super) fn load(
    checkpoint: &Model,
    adapter: Option<&Model>,
    options: LoadOptions,
    output: &Output,
) -> anyhow::Result<Captioner> {
    let bar = output.bar(0, "loading");
    let show = |progress: crate::captioner::Progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    };
    let adapter = adapter.map(|model| model.dir.as_path());
    let captioner = Captioner::load(&checkpoint.dir, adapter, options, &show)?;
    bar.finish_and_clear();
    Ok(captioner)
}

/// A bar on a terminal; elsewhere a line now and then.
struct Progress<'a> {
    output: &'a Output,
    bar: indicatif::ProgressBar,
    began: Instant,
    first: Option<usize>,
    said: Instant,
}

impl<'a> Progress<'a> {
    fn new(images: usize, output: &'a Output) -> Self {
        let now = Instant::now();
        Self {
            output,
            bar: output.bar(images as u64, "captioning"),
            began: now,
            first: None,
            said: now,
        }
    }

    fn show(&mut self, step: run::Step) {
        if self.first.is_none() && step.done > 0 && step.outcomes.is_empty() {
            self.output.say(format!(
                "going on after {} of {} images",
                step.done, step.total
            ));
            self.bar.set_position(step.done as u64);
            self.bar.reset_eta();
        }
        let first = *self.first.get_or_insert(step.done);
        self.bar.set_position(step.done as u64);
        for outcome in step.outcomes {
            if let Some(error) = &outcome.error {
                self.bar.suspend(|| {
                    self.output
                        .say(format!("skipped image {}: {error}", outcome.id))
                });
            }
        }
        let quiet_for = self.said.elapsed();
        if !self.output.draws_progress() && quiet_for >= Duration::from_secs(30) {
            self.said = Instant::now();
            let rate = (step.done - first) as f64 / self.began.elapsed().as_secs_f64();
            let left = (step.total - step.done) as f64 / rate / 60.0;
            self.output.say(format!(
                "{} of {} images, {rate:.3} images/s, {left:.0} minutes left",
                step.done, step.total
            ));
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn csv_of(outcomes: &[Outcome]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["image_id", "caption"])?;
    for outcome in outcomes {
        if let Some(caption) = &outcome.caption {
            writer.write_record([&outcome.id, caption])?;
        }
    }
    Ok(writer.into_inner()?)
}

fn record(
    checkpoint: &Model,
    adapter: Option<&Model>,
    plan: &Plan,
    captioner: &Captioner,
    summary: &Summary,
    load_seconds: f64,
) -> serde_json::Value {
    let named = |model: &Model| serde_json::json!({ "id": model.id, "revision": model.revision });
    serde_json::json!({
        "kind": "caption",
        "tool": { "name": "fgd", "version": env!("CARGO_PKG_VERSION") },
        "host": host::describe(),
        "checkpoint": named(checkpoint),
        "adapter": adapter.map(named),
        "settings": plan.settings(captioner),
        "results": summary,
        "load_seconds": load_seconds,
        "peak_memory_bytes": host::peak_memory_bytes(),
    })
}

fn sentence(path: &Path, summary: &Summary) -> String {
    let mut text = format!("{}: {} captions", path.display(), summary.captions);
    if summary.resumed > 0 {
        text += &format!(", {} of the images from an earlier run", summary.resumed);
    }
    if !summary.broken.is_empty() {
        text += &format!(", {} broken images left out", summary.broken.len());
    }
    if let Some(rate) = summary.images_per_second {
        text += &format!("; {rate:.3} images/s");
    }
    if let Some(bytes) = host::peak_memory_bytes() {
        text += &format!(", peak memory {:.2} GB", bytes as f64 / 1e9);
    }
    text
}
