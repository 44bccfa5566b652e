//! Running a captioner from the command line: what `fgd caption` does once and `fgd compare` for each checkpoint.
//!
//! Three files come of it: the captions, beside them `FILE.journal.jsonl`, from which a killed run goes on, and
//! `FILE.record.json`, the record.

mod args;
mod checkpoint;
mod progress;

pub use args::CaptioningArgs;
pub use checkpoint::Checkpoint;

use super::exit::usage;
use super::output::{Output, Sink};
use crate::jobs::caption::{self, Captioned};
use crate::jobs::host;
use anyhow::Context;
use candle_core::Device;
use fgd_captioner::features::FeaturesCache;
use fgd_captioner::run::{self, ImageFile, Outcome, Plan};
use fgd_captioner::{Captioner, GenerationConfig, LoadOptions, parse_device};
use fgd_record::{Input, Record};
use progress::Progress;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Threads that decode images ahead of the captioner.
const DECODE_THREADS: usize = 2;

/// What was found sound on the command line before anything is loaded.
pub struct Checked {
    generation: GenerationConfig,
    device: Device,
    device_name: String,
}

/// One run.
pub struct Job<'a> {
    /// What captions.
    pub checkpoint: &'a Checkpoint,
    /// The images.
    pub images: &'a [ImageFile],
    /// The directory or list that they come from.
    pub source: &'a Path,
    /// Where the captions go.
    pub captions: &'a Path,
    /// Where vision features are kept.
    pub features: Option<&'a Path>,
}

impl CaptioningArgs {
    /// Checks what can be checked before gigabytes are read.
    pub fn check(&self, seed: u64, device: &str) -> anyhow::Result<Checked> {
        let generation = self.generation(seed);
        generation.check().map_err(|e| usage(e.to_string()))?;
        Ok(Checked {
            generation,
            device: parse_device(device).map_err(|e| usage(e.to_string()))?,
            device_name: device.to_owned(),
        })
    }

    /// Finds out before the work whether the result can be written, and forgets the journal if that was asked for.
    /// Nothing temporary is left behind by a killed process: the journal is the only file until the end.
    pub fn prepare(&self, captions: &Path) -> anyhow::Result<()> {
        if captions.is_dir() {
            return Err(usage(format!(
                "{}: is a directory; give the name of a file to write",
                captions.display()
            )));
        }
        let journal = beside(captions, "journal.jsonl");
        let opened = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&journal);
        opened.with_context(|| format!("{}: cannot be written", journal.display()))?;
        if self.running.restart {
            std::fs::remove_file(&journal)?;
        }
        Ok(())
    }

    /// Captions the images, going on from the journal, and writes captions and record.
    pub fn run(&self, job: &Job, checked: &Checked, output: &Output) -> anyhow::Result<Captioned> {
        let host = host::describe();
        let options = LoadOptions {
            precision: self.running.dtype,
            device: checked.device.clone(),
        };
        let began = Instant::now();
        let captioner = load(job.checkpoint, options, output)?;
        let load_seconds = began.elapsed().as_secs_f64();
        let cache = match job.features {
            Some(dir) => Some(FeaturesCache::open(dir, captioner.identity())?),
            None => None,
        };
        let plan = Plan {
            images: job.images,
            prompt: self.prompt(),
            generation: checked.generation.clone(),
            batch_size: self.running.batch_size,
            on_error: self.running.on_error,
            decode_threads: DECODE_THREADS,
        };
        let journal = beside(job.captions, "journal.jsonl");
        let mut progress = Progress::new(job.images.len(), output);
        let (outcomes, summary) =
            run::caption_images(&captioner, &plan, &journal, cache, &mut |step| {
                progress.show(step)
            })?;
        progress.finish();
        Sink::open(Some(job.captions))?.write(&csv_of(&outcomes)?)?;

        let settings = plan.settings(&captioner).into_iter().collect();
        let record_file = beside(job.captions, "record.json");
        if summary.resumed == summary.images
            && let Some(finished) = finished(&record_file, &settings)
        {
            return Ok(finished);
        }
        let captioned = Captioned {
            results: caption::results(&outcomes, &summary, plan.batch_size, load_seconds),
            checkpoint: caption::checkpoint(
                &job.checkpoint.base,
                job.checkpoint.adapter.as_ref(),
                captioner.identity(),
                self.running.dtype,
                &checked.device_name,
            ),
            images: input(job, &settings),
            settings,
            host,
        };
        let record = captioned.record().to_json();
        Sink::open(Some(&record_file))?.write(record.as_bytes())?;
        Ok(captioned)
    }
}

/// The earlier run that left nothing to do: its record has the speeds that this one did not measure.
fn finished(record: &Path, settings: &BTreeMap<String, Value>) -> Option<Captioned> {
    let text = std::fs::read_to_string(record).ok()?;
    let captioned = Captioned::from_record(Record::from_json(&text).ok()?)?;
    (captioned.settings == *settings).then_some(captioned)
}

fn input(job: &Job, settings: &BTreeMap<String, Value>) -> Input {
    let name = job.source.file_name().unwrap_or(job.source.as_os_str());
    Input {
        role: "images".into(),
        name: name.to_string_lossy().into_owned(),
        path: job.source.display().to_string(),
        sha256: settings["images_sha256"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        rows: job.images.len() as u64,
    }
}

/// `captions.csv` → `captions.csv.journal.jsonl`.
fn beside(captions: &Path, suffix: &str) -> PathBuf {
    let mut name = captions.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

pub fn load(
    checkpoint: &Checkpoint,
    options: LoadOptions,
    output: &Output,
) -> anyhow::Result<Captioner> {
    let bar = output.bar(0, "loading");
    let show = |progress: fgd_captioner::Progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    };
    let adapter = checkpoint.adapter.as_ref().map(|model| model.dir.as_path());
    let captioner = Captioner::load(&checkpoint.base.dir, adapter, options, &show)?;
    bar.finish_and_clear();
    Ok(captioner)
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
