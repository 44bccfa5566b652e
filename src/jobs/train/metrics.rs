//! `metrics.jsonl`: a line for every step and every validation, under the names of Hugging Face's Trainer.
//!
//! A step's line is written before its state is saved; a run that goes on drops the lines behind its state, so that every step
//! stands there once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use fgd_store::file;
use serde::{Deserialize, Serialize};

use super::tensorboard::{Event, Events};
use super::tracking::Trackers;
use crate::jobs::JobError;

/// The folder that TensorBoard is given.
const TENSORBOARD: &str = "tensorboard";

/// A line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Steps taken.
    pub step: usize,
    /// Epochs seen.
    pub epoch: f64,
    /// Seconds since 1970.
    pub time: f64,
    /// Mean loss of a step's tokens.
    #[serde(rename = "train/loss", skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Mean loss of the tokens of the captions of each source, where there are several.
    #[serde(default, rename = "train/loss_by_source", skip_serializing_if = "BTreeMap::is_empty")]
    pub by_source: BTreeMap<String, f64>,
    /// Norm of the gradient before clipping.
    #[serde(rename = "train/grad_norm", skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f64>,
    /// The rate.
    #[serde(rename = "train/learning_rate", skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Label tokens of the step.
    #[serde(rename = "train/tokens", skip_serializing_if = "Option::is_none")]
    pub tokens: Option<usize>,
    /// Label tokens per second.
    #[serde(rename = "train/tokens_per_second", skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f64>,
    /// Mean reward of the captions that were drawn.
    #[serde(rename = "train/reward", skip_serializing_if = "Option::is_none")]
    pub reward: Option<f64>,
    /// Mean loss of the validation's tokens.
    #[serde(rename = "eval/loss", skip_serializing_if = "Option::is_none")]
    pub eval_loss: Option<f64>,
    /// Whether the validation was the best so far.
    #[serde(rename = "eval/is_best", skip_serializing_if = "Option::is_none")]
    pub is_best: Option<bool>,
    /// fgd_paired of the captions.
    #[serde(rename = "eval/fgd_paired", skip_serializing_if = "Option::is_none")]
    pub fgd_paired: Option<f64>,
    /// Its standard error.
    #[serde(rename = "eval/fgd_paired_se", skip_serializing_if = "Option::is_none")]
    pub fgd_paired_se: Option<f64>,
    /// Lower end of its 95% interval.
    #[serde(rename = "eval/fgd_paired_low", skip_serializing_if = "Option::is_none")]
    pub fgd_paired_low: Option<f64>,
    /// Upper end of its 95% interval.
    #[serde(rename = "eval/fgd_paired_high", skip_serializing_if = "Option::is_none")]
    pub fgd_paired_high: Option<f64>,
    /// fgd_set of the captions.
    #[serde(rename = "eval/fgd_set", skip_serializing_if = "Option::is_none")]
    pub fgd_set: Option<f64>,
    /// CIDEr-D of the captions.
    #[serde(rename = "eval/cider_d", skip_serializing_if = "Option::is_none")]
    pub cider_d: Option<f64>,
    /// That fgd_paired differs from the best one before by luck alone.
    #[serde(rename = "eval/p_value", skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// Captions that are empty or repeat themselves without end.
    #[serde(rename = "eval/broken_captions", skip_serializing_if = "Option::is_none")]
    pub broken: Option<usize>,
    /// Different words in all captions together.
    #[serde(rename = "eval/distinct_words", skip_serializing_if = "Option::is_none")]
    pub distinct_words: Option<usize>,
    /// Whether CIDEr-D or the number of words has fallen since the first step, where captions are drawn.
    #[serde(rename = "eval/is_poorer", skip_serializing_if = "Option::is_none")]
    pub is_poorer: Option<bool>,
}

/// The file and its lines.
pub struct Metrics {
    path: PathBuf,
    file: File,
    lines: Vec<Line>,
    events: Events,
    trackers: Trackers,
}

impl Line {
    /// What TensorBoard and others draw.
    fn event(&self) -> Event {
        let scalars = [
            ("train/loss", self.loss),
            ("train/grad_norm", self.grad_norm),
            ("train/learning_rate", self.learning_rate),
            ("train/epoch", self.loss.map(|_| self.epoch)),
            ("train/tokens_per_second", self.tokens_per_second),
            ("eval/loss", self.eval_loss),
            ("eval/fgd_paired", self.fgd_paired),
            ("eval/fgd_set", self.fgd_set),
            ("eval/cider_d", self.cider_d),
            ("eval/p_value", self.p_value),
            ("train/reward", self.reward),
            ("eval/distinct_words", self.distinct_words.map(|words| words as f64)),
        ];
        let known = scalars.into_iter().filter_map(|(tag, value)| Some((Cow::from(tag), value?)));
        // A tracker may refuse other letters in a name.
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let by_source = self.by_source.iter().map(|(source, loss)| {
            let source: String = source.chars().map(plain).collect();
            (Cow::from(format!("train/loss_by_source/{source}")), *loss)
        });
        let scalars = known.chain(by_source).collect();
        Event { time: self.time, step: self.step as i64, scalars }
    }
}

impl Metrics {
    /// Opens the file of a run that goes on after a step: later lines, and a last one that was cut off, are dropped. Of a run that begins
    /// anew nothing is kept, as it may be another's.
    ///
    /// # Errors
    /// A file that cannot be read or written, or lacks steps that were taken.
    pub fn open(path: &Path, step: Option<usize>, trackers: Trackers) -> Result<Self, JobError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(JobError::at(path)(error)),
        };
        let lines: Vec<Line> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &Line| Some(line.step) <= step)
            .collect();
        let (taken, all) =
            (lines.iter().filter(|line| line.loss.is_some()).count(), step.unwrap_or(0));
        if taken < all {
            // The best adapter would be replaced by the next that is validated.
            return Err(JobError::Failed(
                format!(
                    "{}: has {taken} of the {all} steps that were taken, and so does not say which adapter is the best; put a whole \
                     copy in its place, or begin another run with -o",
                    path.display()
                )
                .into(),
            ));
        }
        let kept: Vec<String> = lines.iter().map(json).collect();
        file::write(path, kept.concat().as_bytes())?;
        let file = OpenOptions::new().append(true).open(path).map_err(JobError::at(path))?;
        let board = path.with_file_name(TENSORBOARD);
        let events = Events::create(&board, lines.iter().map(Line::event));
        let events = events.map_err(JobError::at(&board))?;
        Ok(Self { path: path.into(), file, lines, events, trackers })
    }

    /// All lines so far.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Adds a line.
    ///
    /// # Errors
    /// A full disk.
    pub fn push(&mut self, line: Line) -> Result<(), JobError> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = Line { time: time.as_secs_f64(), ..line };
        let event = line.event();
        self.file
            .write_all(json(&line).as_bytes())
            .and_then(|()| self.events.push(&event))
            .map_err(JobError::at(&self.path))?;
        self.trackers.tell(&event);
        self.lines.push(line);
        Ok(())
    }

    /// The run is over and whole.
    pub fn finish(&self) {
        self.trackers.finish();
    }

    /// The lines of validations.
    pub fn validations(&self) -> impl DoubleEndedIterator<Item = &Line> + Clone {
        self.lines.iter().filter(|line| line.eval_loss.is_some())
    }

    /// That of the best so far.
    pub fn best(&self) -> Option<&Line> {
        self.validations().rfind(|line| line.is_best == Some(true))
    }
}

fn json(line: &Line) -> String {
    serde_json::to_string(line).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_behind_the_state_and_half_a_line_are_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let mut metrics = Metrics::open(&path, None, Trackers::default()).unwrap();
        for step in 0..4 {
            let (loss, eval_loss) = ((step > 0).then_some(1.0), Some(step as f64));
            metrics.push(Line { step, loss, eval_loss, ..Line::default() }).unwrap();
        }
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"step\":2,\"ep");
        std::fs::write(&path, text).unwrap();
        let metrics = Metrics::open(&path, Some(2), Trackers::default()).unwrap();
        assert_eq!(metrics.validations().map(|line| line.step).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);

        std::fs::remove_file(&path).unwrap();
        let lost = Metrics::open(&path, Some(2), Trackers::default()).err().unwrap().to_string();
        assert!(lost.contains("has 0 of the 2 steps that were taken"), "{lost}");
    }
}
