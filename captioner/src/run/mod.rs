//! Captioning a list of images, durably: decode ahead, caption batch by batch, write the journal, resume.

mod batch;
mod journal;
mod list;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use fgd_store::digest::Digest;
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::error::{Error, Result};
use super::features::FeaturesCache;
use super::generate::GenerationConfig;
use super::model::Captioner;
use super::preprocess::{DecodedImage, Prefetch};

pub(crate) use batch::{Readable, features};
pub use journal::{Journal, Outcome, Sample, check_place};
pub use list::{ImageFile, ImageList, list_images, unreadable};

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
    /// Forget what the journal holds.
    pub restart: bool,
}

impl Plan<'_> {
    /// Everything that decides an image's caption, for the journal's header and the record. Which images there are is not among
    /// it, nor what happens to broken ones: a list may grow, and a run that ended at a broken image may go on without it.
    pub fn settings(&self, captioner: &Captioner) -> Map<String, Value> {
        let options = captioner.options();
        let device = if options.device.is_cpu() { "cpu" } else { "cuda" };
        let identity = captioner.identity();
        let mut settings = json!({
            "checkpoint_sha256": identity.checkpoint_sha256,
            "adapter_sha256": identity.adapter_sha256,
            "config_sha256": identity.config_sha256,
            "dtype": options.precision,
            "device": device,
            "prompt": self.prompt,
            "generation": self.generation,
            "batch_size": self.batch_size,
        });
        if let Some(rounded) = options.rounded_products() {
            settings["products"] = rounded.into();
        }
        match settings {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }
}

/// Identity of what was captioned: the images' ids and bytes, in the order of the list.
pub fn images_sha256(outcomes: &[Outcome]) -> String {
    let images = outcomes.iter().fold(Digest::new("images", 3), |all, outcome| {
        let sha256 = outcome.file.as_ref().map_or("", |file| &file.sha256);
        all.field("id", &outcome.id).field("sha256", sha256)
    });
    images.finish()
}

/// How far a run is.
#[derive(Debug, Clone, Copy)]
pub struct Position<'a> {
    /// Images done, those of earlier runs included.
    pub done: usize,
    /// Images in all.
    pub total: usize,
    /// Images whose file is another now than the one that was captioned; they are captioned again.
    pub replaced: usize,
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
    /// Images about which this run found nothing new: the journal already had what became of them.
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

/// Captions the images of `plan` of which `journal` does not have the caption yet; returns all outcomes, in list order. A caption
/// counts as long as the image's file holds the bytes that were captioned; an image that could not be read is tried again. `watch`
/// is told after every batch, and may end the run there.
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
    let (mut journal, written) =
        Journal::open(journal_path, &plan.settings(captioner), plan.restart)?;
    let begin = Instant::now();
    let Known { mut outcomes, todo, replaced } = Known::of(plan.images, written);
    let total = plan.images.len();
    let mut done = total - todo.len();
    let mut report = |done: usize, newest: &[Outcome]| {
        let position = Position { done, total, replaced, newest };
        if watch(position).is_break() && done < total {
            let journal = journal_path.into();
            return Err(Error::Interrupted { done, total, journal });
        }
        Ok(())
    };
    report(done, &[])?;

    let mut prefetch = Prefetch::start(
        todo.iter().map(|at| plan.images[*at].path.clone()).collect(),
        captioner.preprocessor().clone(),
        plan.decode_threads,
        plan.batch_size,
    );
    let mut stages = Stages::default();
    let (mut fresh, mut tokens) = (0, 0);
    // Batches have fixed boundaries in the list, so that a resumed run computes exactly what an uninterrupted one would.
    for places in todo.chunk_by(|a, b| a / plan.batch_size == b / plan.batch_size) {
        let images: Vec<&ImageFile> = places.iter().map(|at| &plan.images[*at]).collect();
        let waiting = Instant::now();
        let decoded: Vec<DecodedImage> = prefetch.by_ref().take(images.len()).collect();
        stages.preprocess += waiting.elapsed().as_secs_f64();
        let batch =
            batch::caption(captioner, plan, &images, decoded, &prompt, &mut cache, &mut stages)?;
        // What could not be read then and cannot now is no news.
        let is_news =
            |(at, outcome): &(&usize, &Outcome)| outcomes[**at].as_ref() != Some(*outcome);
        let news: Vec<Outcome> =
            places.iter().zip(&batch).filter(is_news).map(|(_, outcome)| outcome.clone()).collect();
        if !news.is_empty() {
            journal.push(&news)?;
        }
        fresh += news.len();
        tokens += news.iter().map(Outcome::generated).sum::<usize>();
        done += batch.len();
        report(done, &batch)?;
        for (at, outcome) in places.iter().zip(batch) {
            outcomes[*at] = Some(outcome);
        }
    }

    let seconds = begin.elapsed().as_secs_f64();
    let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
    let broken = |o: &Outcome| o.error.as_ref().map(|e| (o.id.clone(), e.clone()));
    let summary = Summary {
        images: outcomes.len(),
        captions: outcomes.iter().filter(|o| o.caption.is_some()).count(),
        broken: outcomes.iter().filter_map(broken).collect(),
        resumed: total - fresh,
        tokens,
        seconds,
        cached_features: cache.map_or(0, |c| c.hits()),
        stages,
    };
    Ok((outcomes, summary))
}

/// What a journal knows of the images of a list.
struct Known {
    /// Of every image its caption, else what became of it last, if it was ever tried.
    outcomes: Vec<Option<Outcome>>,
    /// Places of the images that are to be captioned, again or for the first time.
    todo: Vec<usize>,
    /// Images among them whose file was replaced.
    replaced: usize,
}

impl Known {
    fn of(images: &[ImageFile], written: Vec<Outcome>) -> Self {
        let mut by_id: HashMap<String, Vec<Outcome>> = HashMap::new();
        for outcome in written {
            by_id.entry(outcome.id.clone()).or_default().push(outcome);
        }
        let of_image = |image: &ImageFile| {
            let written = by_id.get(&image.id).map_or(&[][..], Vec::as_slice);
            let current = written.iter().rev().find(|outcome| outcome.is_caption_of(&image.path));
            let is_replaced = current.is_none()
                && written.iter().any(|outcome| outcome.caption.is_some())
                && image.path.exists();
            (current.or(written.last()).cloned(), current.is_some(), is_replaced)
        };
        let known: Vec<(Option<Outcome>, bool, bool)> = images.par_iter().map(of_image).collect();
        Self {
            todo: (0..images.len()).filter(|at| !known[*at].1).collect(),
            replaced: known.iter().filter(|(_, _, is_replaced)| *is_replaced).count(),
            outcomes: known.into_iter().map(|(outcome, _, _)| outcome).collect(),
        }
    }
}
