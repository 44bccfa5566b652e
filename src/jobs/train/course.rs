//! The steps of a run: train, write the line, save the state; `rest` is what comes between them.
//!
//! What belongs to a step is done at the step's end or, if the process was killed before, when the run goes on: every piece is
//! there once and whole.

use std::collections::BTreeMap;
use std::time::Instant;

use fgd_captioner::train::{Batches, Data, Order, Step, Trainer, Turn, saved};
use fgd_record::EncoderInfo;
use fgd_record::words::counted;

use super::announce::{lasting, short};
use super::judge::Judge;
use super::material::Material;
use super::metrics::{Line, Metrics};
use super::self_critical::SelfCritical;
use super::{LAST, Request};
use crate::jobs::{JobError, Session};

/// A loss below this so early means that the model sees the answer.
const SUSPICIOUS_LOSS: f64 = 0.05;
const EARLY: usize = 200;

/// Images whose captions stand in the record.
const EXAMPLES: usize = 10;

/// A run on its way.
pub struct Course<'a> {
    pub request: &'a Request,
    /// What the adapter's configuration names as its checkpoint.
    pub base: &'a str,
    /// What the run is of.
    pub id: &'a str,
    pub material: &'a Material,
    pub batches: Batches<'a>,
    pub metrics: Metrics,
    /// Where captions are drawn and rewarded.
    pub self_critical: Option<SelfCritical<'a>>,
    /// Where captions decide.
    pub judge: Option<Judge<'a>>,
    pub begin: Instant,
}

/// How it ended.
pub struct Outcome {
    /// All lines of the run.
    pub lines: Vec<Line>,
    /// Step of the best adapter.
    pub best: Option<usize>,
    /// Label tokens of this process.
    pub tokens: usize,
    /// Seconds of this process's steps.
    pub train_seconds: f64,
    /// Seconds of all that this process did after loading.
    pub seconds: f64,
    /// Captions of a few images before and with the best adapter, where captions were made.
    pub examples: Vec<(String, [String; 2])>,
    /// The encoder that judges captions.
    pub encoder: Option<EncoderInfo>,
}

/// A step that was taken.
struct Taken {
    step: Step,
    /// Mean loss of the tokens of the captions of each source, where there are several.
    by_source: BTreeMap<String, f64>,
    /// Mean reward of what was drawn for it.
    reward: Option<f64>,
}

impl Course<'_> {
    /// Takes the steps that are left.
    ///
    /// # Errors
    /// A place that cannot be written, a loss that is not finite, an interrupt.
    pub fn run(
        mut self,
        trainer: &mut Trainer,
        order: &mut Order,
        session: &mut Session,
    ) -> Result<Outcome, JobError> {
        let total = order.steps();
        let (mut tokens, mut train_seconds) = (0, 0.0);
        let bar = session.progress.begin("training", "steps", total as u64);
        bar.set(trainer.step_count() as u64, total as u64);
        self.at_rest(trainer, order, &*bar, session)?;
        while trainer.step_count() < total && !self.has_given_up() {
            let began = Instant::now();
            let turns = order.step(trainer.step_count());
            let Taken { step, by_source, reward } = self.step(trainer, &turns, session)?;
            let seconds = began.elapsed().as_secs_f64();
            tokens += step.tokens;
            train_seconds += seconds;
            let rate = step.tokens as f64 / seconds;
            let left = total - step.step;
            if train_seconds == seconds && left > 0 {
                bar.say(&format!(
                    "the first step took {} s, {} tokens/s: about {} for the {} left",
                    short(seconds),
                    short(rate),
                    lasting(seconds * left as f64),
                    counted(left as u64, "step"),
                ));
            }
            if reward.is_none() && step.loss < SUSPICIOUS_LOSS && step.step < EARLY {
                bar.say(&format!(
                    "warning: the loss is {:.4} at step {}: so low so early means captions that are all alike, or a rate too high",
                    step.loss, step.step
                ));
            }
            bar.set(step.step as u64, total as u64);
            self.metrics.push(Line {
                step: step.step,
                epoch: step.step as f64 / order.steps_per_epoch() as f64,
                loss: Some(step.loss),
                by_source,
                grad_norm: Some(step.grad_norm),
                learning_rate: Some(step.rate),
                tokens: Some(step.tokens),
                reward,
                tokens_per_second: Some(rate),
                ..Line::default()
            })?;
            let stops = (session.interrupt)();
            // A validation may take longer than the steps before it, and the best adapter is never newer than the state.
            let is_saved = step.step % self.request.watching.save_every == 0
                || self.is_validated(step.step, order);
            if stops || is_saved {
                self.save(trainer)?;
            }
            if stops {
                return Err(self.request.stopped(step.step, total));
            }
            self.at_rest(trainer, order, &*bar, session)?;
        }
        self.save(trainer)?;
        let best = self.metrics.best().map(|line| line.step);
        self.metrics.finish();
        Ok(Outcome {
            examples: self.examples(best),
            lines: self.metrics.lines().to_vec(),
            best,
            tokens,
            train_seconds,
            seconds: self.begin.elapsed().as_secs_f64(),
            encoder: self.judge.map(|judge| judge.encoder),
        })
    }

    fn step(
        &mut self,
        trainer: &mut Trainer,
        turns: &[Vec<Turn>],
        session: &mut Session,
    ) -> Result<Taken, JobError> {
        let data = &self.material.train;
        if let Some(critic) = &self.self_critical {
            let (batches, base) = (&mut self.batches, self.base);
            let weighed = critic.step(trainer, turns, data, batches, base, session)?;
            let step = trainer.step_weighted(&weighed.micros, &weighed.weights)?;
            return Ok(Taken { step, by_source: BTreeMap::new(), reward: Some(weighed.reward) });
        }
        let micros = turns.iter().map(|turns| self.batches.micro(data, turns));
        let step = trainer.step(&micros.collect::<Result<Vec<_>, _>>()?)?;
        Ok(Taken { by_source: by_source(data, turns, &step), step, reward: None })
    }

    /// The state first: from it the adapter could be written again.
    fn save(&self, trainer: &Trainer) -> Result<(), JobError> {
        let dir = self.request.output.join(LAST);
        saved::write_state(&dir, trainer.lora(), trainer.optimizer(), self.id)?;
        self.write_adapter(trainer, LAST)
    }

    pub(super) fn write_adapter(&self, trainer: &Trainer, name: &str) -> Result<(), JobError> {
        let dir = self.request.output.join(name);
        Ok(saved::write_adapter(&dir, trainer.lora(), &trainer.config().lora, self.base)?)
    }

    /// Id, caption before the first step and caption of the best adapter.
    fn examples(&self, best: Option<usize>) -> Vec<(String, [String; 2])> {
        let (Some(judge), Some(best)) = (&self.judge, best) else { return Vec::new() };
        let captions = |step| {
            let path = judge.captions_of(step);
            fgd_captions::read(&path, &fgd_captions::ReadOptions::default())
                .map(|file| file.captions)
        };
        let (Ok(before), Ok(now)) = (captions(0), captions(best)) else { return Vec::new() };
        let pairs = before.into_iter().zip(now).take(EXAMPLES);
        pairs.map(|(before, now)| (before.id, [before.text, now.text])).collect()
    }
}

fn by_source(data: &Data, turns: &[Vec<Turn>], step: &Step) -> BTreeMap<String, f64> {
    let mut sums = vec![(0.0, 0); data.sources.len()];
    for (turn, loss) in turns.iter().flatten().zip(step.examples.iter().flatten()) {
        let caption = &data.captions[turn.example];
        let (sum, tokens) = &mut sums[caption.source];
        *sum += loss;
        *tokens += caption.labels.len();
    }
    let seen = data.sources.iter().zip(sums).filter(|(_, (_, tokens))| *tokens > 0);
    let means = seen.map(|(source, (sum, tokens))| (source.clone(), sum / tokens as f64));
    if data.sources.len() > 1 { means.collect() } else { BTreeMap::new() }
}
