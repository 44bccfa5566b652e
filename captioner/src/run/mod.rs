//! Captioning a list of images, durably: decode ahead, caption some at a time, write the journal, resume.

mod flow;
mod images;
mod journal;
mod list;
mod width;

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
use super::preprocess::Prefetch;
use flow::Flow;

pub(crate) use images::{Readable, features};
pub use journal::{Journal, Outcome, Sample, check_place, flat};
pub use list::{ImageFile, ImageList, list_images, unreadable};
pub use width::{BatchSize, Width};

/// Images that each thread decodes ahead.
const AHEAD: usize = 8;

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
    /// Images captioned together.
    pub batch_size: BatchSize,
    /// Bytes that a batch of [`BatchSize::Auto`] may take, where that is known.
    pub memory: Option<u64>,
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
        });
        if !options.device.is_cpu() {
            // A GPU rounds otherwise in batches of other sizes.
            settings["batch_size"] = json!(self.batch_size);
        }
        if let Some(rounded) = options.rounded_products() {
            settings["products"] = rounded.into();
            settings["keys_and_values"] = "bf16".into();
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
    /// Those just done; empty at the beginning.
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
    /// Images captioned in this run.
    pub captioned: usize,
    /// Tokens generated in this run.
    pub tokens: usize,
    /// Seconds this run took, loading excluded.
    pub seconds: f64,
    /// Images whose features came from the cache.
    pub cached_features: usize,
    /// Most images that were captioned together.
    pub batch: usize,
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
/// is told of all captions that end, and may end the run: images that were begun are still captioned then.
///
/// # Errors
/// Settings without a meaning, a journal of another run, a broken image where that ends the run, the order to stop.
pub fn caption_images(
    captioner: &Captioner,
    plan: &Plan,
    journal: &Path,
    cache: Option<FeaturesCache>,
    watch: &mut dyn FnMut(Position) -> ControlFlow<()>,
) -> Result<(Vec<Outcome>, Summary)> {
    plan.generation.check()?;
    let journal_path = journal;
    let (mut journal, written) =
        Journal::open(journal_path, &plan.settings(captioner), plan.restart)?;
    let begin = Instant::now();
    let Known { mut outcomes, todo, replaced } = Known::of(plan.images, written);
    let total = plan.images.len();
    let mut done = total - todo.len();
    let mut stop = watch(Position { done, total, replaced, newest: &[] }).is_break();

    let mut prefetch = Prefetch::start(
        todo.iter().map(|at| plan.images[*at].path.clone()).collect(),
        captioner.preprocessor().clone(),
        plan.decode_threads,
        AHEAD,
    );
    let mut flow = Flow::new(captioner, plan, cache)?;
    let mut waiting = todo.into_iter();
    let (mut fresh, mut captioned, mut tokens, mut failure) = (0, 0, 0, None);
    loop {
        let room = if stop || failure.is_some() { 0 } else { flow.room() };
        let places: Vec<usize> = waiting.by_ref().take(room).collect();
        let mut ended = flow.admit(&places, &mut prefetch).or_else(|error| match error {
            // What was begun before it is not lost.
            Error::Image { .. } => {
                failure = Some(error);
                Ok(Vec::new())
            }
            error => Err(error),
        })?;
        ended.extend(flow.advance()?);
        if ended.is_empty() {
            break;
        }
        let (places, newest): (Vec<usize>, Vec<Outcome>) = ended.into_iter().unzip();
        // What could not be read then and cannot now is no news.
        let is_news =
            |(at, outcome): &(&usize, &Outcome)| outcomes[**at].as_ref() != Some(*outcome);
        let news: Vec<Outcome> = places
            .iter()
            .zip(&newest)
            .filter(is_news)
            .map(|(_, outcome)| outcome.clone())
            .collect();
        if !news.is_empty() {
            journal.push(&news)?;
        }
        fresh += news.len();
        captioned += news.iter().filter(|outcome| outcome.caption.is_some()).count();
        tokens += news.iter().map(Outcome::generated).sum::<usize>();
        done += newest.len();
        stop |= watch(Position { done, total, replaced, newest: &newest }).is_break();
        for (at, outcome) in places.into_iter().zip(newest) {
            outcomes[at] = Some(outcome);
        }
    }
    if let Some(error) = failure {
        return Err(error);
    }
    if stop && done < total {
        return Err(Error::Interrupted { done, total, journal: journal_path.into() });
    }

    let seconds = begin.elapsed().as_secs_f64();
    let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
    let broken = |o: &Outcome| o.error.as_ref().map(|e| (o.id.clone(), e.clone()));
    let summary = Summary {
        images: outcomes.len(),
        captions: outcomes.iter().filter(|o| o.caption.is_some()).count(),
        broken: outcomes.iter().filter_map(broken).collect(),
        resumed: total - fresh,
        captioned,
        tokens,
        seconds,
        cached_features: flow.cached(),
        batch: flow.largest,
        stages: flow.stages,
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
