//! What an adapter is worth: it captions the validation's images, and the captions are scored and tested like those of any system.
//!
//! Captions stay in the run's directory as `captions/step-N.csv`. The best adapter is replaced only by one whose `fgd_paired` is lower and
//! whose difference, image by image, is no luck: the lowest of many noisy numbers would often be.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use fgd_captioner::train::{Batches, Data};
use fgd_captioner::{Captioner, GenerationConfig, LoadOptions};
use fgd_captions::{CaptionFile, ReadOptions, accept_empty, is_runaway, read};
use fgd_metrics::compare::{Resampling, paired_difference};
use fgd_metrics::metric::FGD_PAIRED;
use fgd_record::{EncoderInfo, LEVEL, Measure};
use fgd_store::file;
use serde::{Deserialize, Serialize};

use super::Request;
use crate::jobs::caption::Checkpoint;
use crate::jobs::captions_csv::captions_csv;
use crate::jobs::embedding::Embedding;
use crate::jobs::options::{Encoding, Measuring, References};
use crate::jobs::provenance::encoder_info;
use crate::jobs::scoring::system::System;
use crate::jobs::scoring::{ScoreError, Scorer, SystemScore};
use crate::jobs::{Interrupt, JobError, Session};

const CIDER: &str = "cider_d";

/// Images captioned together.
const IMAGES: usize = 16;

/// How adapters are judged by their captions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Judging {
    /// The encoder.
    pub encoding: Encoding,
    /// Longest caption in tokens.
    pub max_new_tokens: usize,
}

impl Default for Judging {
    fn default() -> Self {
        Self { encoding: Encoding::default(), max_new_tokens: 40 }
    }
}

impl Judging {
    /// How captions are decoded: the likeliest tokens.
    pub fn generation(&self) -> GenerationConfig {
        GenerationConfig { max_new_tokens: self.max_new_tokens, ..GenerationConfig::default() }
    }
}

/// The steps that a judgement looks back at.
#[derive(Debug, Clone, Copy)]
pub struct Against {
    /// The best so far.
    pub best: Option<usize>,
    /// One whose CIDEr-D and words may not be lost.
    pub held: Option<usize>,
}

/// Who judges.
pub struct Judge<'a> {
    judging: &'a Judging,
    checkpoint: &'a Checkpoint,
    references: System,
    dir: PathBuf,
    prompt: Vec<u32>,
    options: LoadOptions,
    /// Its encoder.
    pub encoder: EncoderInfo,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Judgement {
    pub fgd_paired: Measure,
    pub fgd_set: Measure,
    pub cider_d: Measure,
    /// That it differs from the best so far in `fgd_paired` by luck alone.
    pub p_value: Option<f64>,
    /// Whether it is the best now.
    pub is_best: bool,
    /// Captions that are empty, or repeat themselves without end.
    pub broken: usize,
    /// Different words in all captions.
    pub distinct_words: usize,
    /// Whether CIDEr-D is lower than that of the step that is held to, image by image and not by luck, or words are fewer than
    /// nine of ten.
    pub is_poorer: Option<bool>,
}

impl<'a> Judge<'a> {
    /// By the request's validation.
    ///
    /// # Errors
    /// References that cannot be read, an encoder that cannot be had: found out before the first step.
    pub fn new(
        request: &'a Request,
        judging: &'a Judging,
        checkpoint: &'a Checkpoint,
        captioner: &Captioner,
        session: &mut Session,
    ) -> Result<Self, JobError> {
        let path = request.validation.clone().unwrap_or_default();
        let references = References { path, ..References::default() };
        let encoder = encoder_info(session.embedder(&judging.encoding)?);
        let dir = request.output.join("captions");
        std::fs::create_dir_all(&dir).map_err(JobError::at(&dir))?;
        Ok(Self {
            judging,
            checkpoint,
            references: System::open_references(&references, &request.reading)?,
            dir,
            prompt: captioner.tokenizer().encode(&request.prompt)?,
            options: captioner.options().clone(),
            encoder,
        })
    }

    /// The captions behind step `step`.
    pub fn captions_of(&self, step: usize) -> PathBuf {
        self.dir.join(format!("step-{step}.csv"))
    }

    /// Captions the validation's images with the adapter in `adapter`, that of step `step`, and judges them beside those of other steps;
    /// nothing where it is interrupted.
    ///
    /// # Errors
    /// A checkpoint that cannot be loaded, captions that cannot be written or scored.
    pub fn judge(
        &self,
        step: usize,
        against: Against,
        adapter: &Path,
        data: &Data,
        batches: &mut Batches,
        session: &mut Session,
    ) -> Result<Option<Judgement>, JobError> {
        let path = self.captions_of(step);
        if !self.caption(&path, adapter, data, batches, &session.interrupt)? {
            return Ok(None);
        }
        let measuring = Measuring { metrics: vec!["cider".into()], ..Measuring::default() };
        let embedding = Embedding::silent(session, &self.judging.encoding);
        let mut scorer = Scorer::new(embedding, &self.references, false, &measuring)?;
        let mut score = |path: &Path| {
            let mut file = read(path, &ReadOptions::default())?;
            accept_empty(&mut file);
            let broken = file.captions.iter();
            let broken = broken.filter(|c| c.text.trim().is_empty() || is_runaway(&c.text)).count();
            let words = distinct_words(&file);
            let score = scorer.score(&System::Captions(file), None).map_err(failed)?;
            Ok::<_, JobError>(Scored { score, broken, words })
        };
        let Scored { score: now, broken, words: distinct_words } = score(&path)?;
        let mut earlier =
            |step: Option<usize>| step.map(|step| score(&self.captions_of(step))).transpose();
        let (before, held) = (earlier(against.best)?, earlier(against.held)?);
        let of = |score: &SystemScore, metric: &str| {
            let images = score.images.as_ref()?;
            images.per_caption.statistics.get(metric).cloned()
        };
        let values = |score: &SystemScore| of(score, FGD_PAIRED);
        let (p_value, is_best) =
            match before.as_ref().map(|before| (values(&now), values(&before.score))) {
                Some((Some(now), Some(before))) => {
                    let difference = paired_difference(&now, &before, &Resampling::default())?;
                    let p = difference.exchange.p_value;
                    (Some(p), difference.observed < 0.0 && p < LEVEL)
                }
                Some(_) => (None, false),
                None => (None, true),
            };
        let is_poorer = match &held {
            Some(held) => {
                let fell = match (of(&now, CIDER), of(&held.score, CIDER)) {
                    (Some(now), Some(before)) => {
                        let difference = paired_difference(&now, &before, &Resampling::default())?;
                        difference.observed < 0.0 && difference.exchange.p_value < LEVEL
                    }
                    _ => false,
                };
                Some(fell || 10 * distinct_words < 9 * held.words)
            }
            None => None,
        };
        let is_best = is_best && is_poorer != Some(true);
        let results = now.results;
        let missing = || Measure::missing("not among the numbers");
        Ok(Some(Judgement {
            cider_d: results.metrics.get(CIDER).map_or_else(missing, |m| m.measure.clone()),
            fgd_set: results.fgd_set.raw(),
            fgd_paired: results.fgd_paired,
            p_value,
            is_best,
            broken,
            distinct_words,
            is_poorer,
        }))
    }

    /// Whether it was done, and not interrupted.
    fn caption(
        &self,
        path: &Path,
        adapter: &Path,
        data: &Data,
        batches: &mut Batches,
        interrupt: &Interrupt,
    ) -> Result<bool, JobError> {
        let base = &self.checkpoint.base.dir;
        let captioner =
            Captioner::load(base, Some(adapter), self.options.clone(), &|_| {})?.without_eyes();
        let generation = self.judging.generation();
        let mut rows = Vec::with_capacity(data.images.len());
        for images in data.images.chunks(IMAGES) {
            if interrupt() {
                return Ok(false);
            }
            let queries = batches.queries(images)?;
            let prompts = vec![self.prompt.clone(); images.len()];
            let seeds = vec![0; images.len()];
            let captions = captioner.caption(&queries, &prompts, &seeds, &generation)?;
            let ids = images.iter().map(|image| image.id.as_str());
            rows.extend(ids.zip(captions.into_iter().map(|caption| caption.text)));
        }
        let bytes = captions_csv(rows.iter().map(|(id, text)| (*id, text.as_str())));
        let bytes = bytes.map_err(JobError::at(path))?;
        file::write(path, &bytes)?;
        Ok(true)
    }
}

fn failed(error: ScoreError) -> JobError {
    match error {
        ScoreError::Job(error) => error,
        other => JobError::Failed(other.into()),
    }
}

/// Captions of a step with their numbers.
struct Scored {
    score: SystemScore,
    broken: usize,
    words: usize,
}

fn distinct_words(file: &CaptionFile) -> usize {
    let words = file.captions.iter().flat_map(|caption| caption.text.split_whitespace());
    words.map(str::to_lowercase).collect::<HashSet<_>>().len()
}
