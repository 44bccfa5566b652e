//! Captioning a list of images, durably: decode ahead, caption batch by batch, write the journal, resume.

mod batch;
mod journal;
mod list;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use fgd_store::digest::Digest;
use serde_json::{Map, Value, json};

use super::error::{Error, Result};
use super::features::FeaturesCache;
use super::generate::GenerationConfig;
use super::model::Captioner;
use super::preprocess::{DecodedImage, Prefetch};

pub(crate) use batch::{Readable, features};
pub use journal::{Journal, Outcome};
pub use list::{ImageFile, list_images};

/// What happens when an image cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// It is reported and left out of the result.
    Skip,
    /// The run ends there.
    Fail,
}

/// What a run is to do.
pub struct Plan<'a> {
    /// The images, in order.
    pub images: &'a [ImageFile],
    /// The prompt for all of them; may be empty.
    pub prompt: &'a str,
    /// How captions are decoded.
    pub generation: GenerationConfig,
    /// Images per batch.
    pub batch_size: usize,
    /// What to do with broken images.
    pub on_error: OnError,
    /// Threads that decode ahead.
    pub decode_threads: usize,
}

impl Plan<'_> {
    /// Everything that decides the captions, for the journal's header and the record. What happens to broken images is
    /// not among it: a run that ended at one may go on without it.
    pub fn settings(&self, captioner: &Captioner) -> Map<String, Value> {
        let images = self.images.iter().fold(Digest::new("images", 2), |all, image| {
            let path = image.path.as_os_str().as_encoded_bytes();
            all.field("id", &image.id).field("path", path)
        });
        let options = captioner.options();
        let device = if options.device.is_cpu() { "cpu" } else { "cuda" };
        let identity = captioner.identity();
        let settings = json!({
            "checkpoint_sha256": identity.checkpoint_sha256,
            "adapter_sha256": identity.adapter_sha256,
            "config_sha256": identity.config_sha256,
            "dtype": options.precision,
            "device": device,
            "prompt": self.prompt,
            "generation": self.generation,
            "batch_size": self.batch_size,
            "images": self.images.len(),
            "images_sha256": images.finish(),
        });
        match settings {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy)]
pub struct Position<'a> {
    /// Images done, those of earlier runs included.
    pub done: usize,
    /// Images in all.
    pub total: usize,
    /// The batch just finished; empty at the beginning.
    pub newest: &'a [Outcome],
}

/// A run in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Images in the list.
    pub images: usize,
    /// Captions written.
    pub captions: usize,
    /// Images that could not be read, with the reason.
    pub broken: Vec<(String, String)>,
    /// Images that the journal already had.
    pub resumed: usize,
    /// Tokens generated in this run.
    pub tokens: usize,
    /// Seconds this run took, loading excluded.
    pub seconds: f64,
    /// Images whose features came from the cache.
    pub cached_features: usize,
    /// Seconds spent in each stage by this run.
    pub stages: Stages,
}

/// Where the time went, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stages {
    /// Waiting for images to be decoded and resized.
    pub preprocess: f64,
    /// Vision tower and Q-Former.
    pub vision: f64,
    /// Encoder and decoding.
    pub language: f64,
}

/// Captions the images of `plan` that `journal` does not have yet; returns all outcomes, in list order. `watch` is told
/// after every batch, and may end the run there.
///
/// # Errors
/// Settings without a meaning, a journal of another run, a broken image where that ends the run, the order to stop.
pub fn caption_images(
    captioner: &Captioner,
    plan: &Plan,
    journal: &Path,
    mut cache: Option<FeaturesCache>,
    watch: &mut dyn FnMut(Position) -> ControlFlow<()>,
) -> Result<(Vec<Outcome>, Summary)> {
    plan.generation.check()?;
    if plan.batch_size == 0 {
        return Err(Error::Setting("the batch size is 0; it must be at least 1".into()));
    }
    let prompt = captioner.tokenizer().encode(plan.prompt)?;
    let journal_path = journal;
    let (mut journal, mut outcomes) = Journal::open(journal_path, &plan.settings(captioner))?;
    let begin = Instant::now();
    let resumed = outcomes.len();
    let mut report = |outcomes: &[Outcome], newest: usize| {
        let (done, total) = (outcomes.len(), plan.images.len());
        let newest = &outcomes[done - newest..];
        let position = Position { done, total, newest };
        if watch(position).is_break() && done < total {
            let journal = journal_path.into();
            return Err(Error::Interrupted { done, total, journal });
        }
        Ok(())
    };
    report(&outcomes, 0)?;

    let rest = &plan.images[resumed.min(plan.images.len())..];
    let paths = rest.iter().map(|image| image.path.clone()).collect();
    let mut prefetch = Prefetch::start(
        paths,
        captioner.preprocessor().clone(),
        plan.decode_threads,
        plan.batch_size,
    );
    let mut stages = Stages::default();
    for images in rest.chunks(plan.batch_size) {
        let waiting = Instant::now();
        let decoded: Vec<DecodedImage> = prefetch.by_ref().take(images.len()).collect();
        stages.preprocess += waiting.elapsed().as_secs_f64();
        let batch =
            batch::caption(captioner, plan, images, decoded, &prompt, &mut cache, &mut stages)?;
        journal.push(&batch)?;
        outcomes.extend(batch);
        report(&outcomes, images.len())?;
    }

    let seconds = begin.elapsed().as_secs_f64();
    let broken = |o: &Outcome| o.error.as_ref().map(|e| (o.id.clone(), e.clone()));
    let summary = Summary {
        images: outcomes.len(),
        captions: outcomes.iter().filter(|o| o.caption.is_some()).count(),
        broken: outcomes.iter().filter_map(broken).collect(),
        resumed,
        tokens: outcomes[resumed..].iter().map(|o| o.tokens.len()).sum(),
        seconds,
        cached_features: cache.map_or(0, |c| c.hits()),
        stages,
    };
    Ok((outcomes, summary))
}
