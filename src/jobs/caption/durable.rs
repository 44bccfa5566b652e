//! One checkpoint over some images, durably: what `fgd caption` does once and `fgd compare` for each checkpoint.
//!
//! Three files come of it: the captions, beside them `FILE.journal.jsonl`, from which a run that was killed or stopped goes
//! on, and `FILE.record.json`, the record; a fourth, `FILE.samples.jsonl`, where each image has several captions, of which one is
//! chosen.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use fgd_captioner::features::FeaturesCache;
use fgd_captioner::run::{
    ImageFile, OnError, Outcome, Plan, Position, caption_images, check_place, images_sha256,
    unreadable,
};
use fgd_captioner::{Error, GenerationConfig, SpecialTokens};
use fgd_captions::{FindingKind, TableFile};
use fgd_record::words::counted;
use fgd_record::{CaptionResults, Finding, Input, Severity};
use fgd_store::digest::bytes_sha256;
use fgd_store::file::{self, FileError};
use ndarray::Array2;
use serde_json::Value;

use super::ended::CaptionRun;
use super::results::results;
use super::shards::Part;
use super::{Captioning, Checkpoint};
use crate::host;
use crate::jobs::captions_csv::captions_csv;
use crate::jobs::embedding::Embedding;
use crate::jobs::options::Encoding;
use crate::jobs::provenance;
use crate::jobs::select::{Choosing, Pool};
use crate::jobs::{Bar, JobError, Session};

/// Threads that decode images ahead of the captioner.
pub const DECODE_THREADS: usize = 2;

/// One checkpoint and the images that it captions.
#[derive(Debug)]
pub struct Run<'a> {
    /// What captions.
    pub checkpoint: &'a Checkpoint,
    /// The images.
    pub images: &'a [ImageFile],
    /// Which part of a list they are, if not all.
    pub part: Option<Part>,
    /// The directory or list that they come from.
    pub source: &'a Path,
    /// Where the captions go.
    pub output: &'a Path,
    /// `cpu`, or `cuda:N`.
    pub device: &'a str,
    /// How it captions.
    pub captioning: &'a Captioning,
    /// How one of several captions is chosen.
    pub choosing: &'a Choosing,
    /// How captions are embedded for that.
    pub encoding: &'a Encoding,
    /// Where all of them go, if not beside the captions.
    pub samples_file: Option<&'a Path>,
}

/// Finds out before the work whether the captions can be written, and, where a broken image ends the run, whether the images'
/// first bytes are those of images. Nothing temporary is left behind by a killed process: the journal is the only file until the
/// end.
///
/// # Errors
/// A place that cannot be written or that another process writes; images that are missing or of a format that is not read.
pub fn prepare(output: &Path, images: &[ImageFile], on_error: OnError) -> Result<(), JobError> {
    if output.is_dir() {
        return Err(JobError::usage(FileError::Directory(output.into())));
    }
    check_place(&file::beside(output, "journal.jsonl"))?;
    check_images(images, on_error)
}

/// Whether the images' first bytes are those of images, where a broken one ends the run.
///
/// # Errors
/// Images that are missing or of a format that is not read.
pub fn check_images(images: &[ImageFile], on_error: OnError) -> Result<(), JobError> {
    if on_error == OnError::Skip {
        return Ok(());
    }
    let unreadable = unreadable(images);
    let more = match unreadable.len() {
        0 | 1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    match unreadable.into_iter().next() {
        None => Ok(()),
        Some((image, reason)) => Err(Error::Image {
            id: image.id.clone(),
            path: image.path.clone(),
            reason: format!("{reason}{more}; --on-error skip leaves them out"),
        }
        .into()),
    }
}

impl Run<'_> {
    /// Captions the images, going on from the journal, and writes captions and record. A session that is interrupted ends it
    /// with the images that were begun, which the journal then holds.
    ///
    /// # Errors
    /// A checkpoint that cannot be loaded, a journal of another run, a broken image where that ends the run, an interrupt.
    pub fn caption(&self, session: &mut Session) -> Result<CaptionRun, JobError> {
        let host = host::describe();
        let options = self.captioning.check(self.device)?;
        self.choosing.check()?;
        if self.captioning.draws_several() && self.choosing.embeds() {
            // Whoever chooses is looked for before hours of captioning.
            session.embedder(self.encoding)?;
        }
        let began = Instant::now();
        let captioner = self.checkpoint.load(options, session)?;
        let load_seconds = began.elapsed().as_secs_f64();
        let cache = match &self.captioning.features_cache {
            Some(dir) => Some(FeaturesCache::open(dir, captioner.identity())?),
            None => None,
        };
        if let Some(older) = cache.as_ref().and_then(|cache| cache.older().first()) {
            session.progress.say(&format!(
                "{}: features of an older version, which are computed anew; it may be deleted",
                older.display()
            ));
        }
        let plan = Plan {
            images: self.images,
            prompt: &self.captioning.prompt,
            generation: self.captioning.generation.clone(),
            batch_size: self.captioning.batch_size,
            memory: host::room(&host),
            on_error: self.captioning.on_error,
            decode_threads: DECODE_THREADS,
            restart: self.captioning.restart,
        };
        let total = self.images.len() as u64;
        let bar = session.progress.begin("captioning", "images", total);
        let interrupt = session.interrupt.clone();
        let mut watch = |position: Position| {
            show(position, &*bar);
            match interrupt() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let journal = file::beside(self.output, "journal.jsonl");
        let (mut outcomes, summary) =
            caption_images(&captioner, &plan, &journal, cache, &mut watch)?;
        drop(bar);
        let mut settings: BTreeMap<String, Value> = plan.settings(&captioner).into_iter().collect();
        if let Some(part) = &self.part {
            settings.extend(part.settings());
        }
        settings.insert("images".to_owned(), self.images.len().into());
        settings.insert("images_sha256".to_owned(), images_sha256(&outcomes).into());
        if self.captioning.draws_several() {
            settings.extend(self.choose(&mut outcomes, session)?);
        }
        let captioned = |outcome: &'_ Outcome| Some((outcome.id.clone(), outcome.caption.clone()?));
        let rows: Vec<(String, String)> = outcomes.iter().filter_map(captioned).collect();
        let csv = captions_csv(rows.iter().map(|(id, caption)| (id.as_str(), caption.as_str())))
            .map_err(JobError::at(self.output))?;
        file::write(self.output, &csv)?;

        let record_file = file::beside(self.output, "record.json");
        if summary.resumed == summary.images
            && let Some(finished) = CaptionRun::finished(&record_file, &settings)
        {
            return Ok(finished);
        }
        let captioned = CaptionRun {
            results: CaptionResults {
                captions_sha256: Some(bytes_sha256(&csv)),
                ..results(&outcomes, &summary, load_seconds)
            },
            checkpoint: self.checkpoint.info(&captioner, self.device),
            images: self.input(&settings),
            findings: cut_off(&outcomes, &plan.generation, captioner.special_tokens()),
            settings,
            host,
            created: provenance::now(),
        };
        let record = captioned.clone().into_record().to_json();
        file::write(&record_file, record.as_bytes())?;
        Ok(captioned)
    }

    /// Writes all captions and makes the chosen one of each image its caption; answers what decided the choice.
    fn choose(
        &self,
        outcomes: &mut [Outcome],
        session: &mut Session,
    ) -> Result<BTreeMap<String, Value>, JobError> {
        let all = Pool::of_outcomes(outcomes);
        let beside = file::beside(self.output, "samples.jsonl");
        TableFile::create(self.samples_file.unwrap_or(&beside))?.write(&all.table())?;
        let pool = all.without_empty();
        let mut settings =
            BTreeMap::from([("select".to_owned(), serde_json::to_value(self.choosing)?)]);
        let embeddings = match self.choosing.embeds() {
            false => Array2::zeros((0, 0)),
            true => {
                let texts = pool.texts();
                let mut embedding = Embedding::new(session, self.encoding, texts.len() as u64);
                let embeddings = embedding.embed(&texts)?;
                let encoder = embedding.encoder().map(|encoder| encoder.sha256);
                settings.insert("select_encoder_sha256".to_owned(), encoder.into());
                embeddings
            }
        };
        let chosen = self.choosing.choose(&pool, embeddings.view(), None)?;
        let drawn = outcomes.iter_mut().filter(|outcome| !outcome.samples.is_empty());
        for (outcome, row) in drawn.zip(chosen.rows) {
            outcome.caption = Some(pool.captions[row].text.clone());
        }
        Ok(settings)
    }

    fn input(&self, settings: &BTreeMap<String, Value>) -> Input {
        let name = self.source.file_name().unwrap_or(self.source.as_os_str());
        let sha256 = settings["images_sha256"].as_str().unwrap_or_default();
        Input {
            role: "images".into(),
            name: name.to_string_lossy().into_owned(),
            path: self.source.display().to_string(),
            sha256: sha256.to_owned(),
            rows: self.images.len() as u64,
        }
    }
}

/// A note where captions stop because they may be no longer.
fn cut_off(
    outcomes: &[Outcome],
    generation: &GenerationConfig,
    special: &SpecialTokens,
) -> Vec<Finding> {
    let most = generation.max_new_tokens;
    let cut = outcomes.iter().filter(|outcome| outcome.is_cut_off(most, &special.eos)).count();
    if cut == 0 || generation.ignore_eos {
        return Vec::new();
    }
    let captions = outcomes.iter().filter(|outcome| outcome.caption.is_some()).count();
    vec![Finding {
        severity: Severity::Note,
        kind: FindingKind::CutOff.name().into(),
        input: "captions".into(),
        row: None,
        id: None,
        message: format!(
            "{cut} of {} stopped at {most} tokens, not at their end; --max-new-tokens allows more",
            counted(captions as u64, "caption")
        ),
        more: 0,
    }]
}

fn show(position: Position, bar: &dyn Bar) {
    let Position { done, total, replaced, newest } = position;
    if done > 0 && newest.is_empty() {
        bar.say(&format!("going on after {done} of {total} images"));
    }
    if replaced > 0 && newest.is_empty() {
        bar.say(&format!("replaced since they were captioned, and captioned again: {replaced}"));
    }
    bar.set(done as u64, total as u64);
    for outcome in newest {
        if let Some(error) = &outcome.error {
            bar.say(&format!("skipped image {}: {error}", outcome.id));
        }
    }
}
