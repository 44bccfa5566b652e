//! All captions that can be chosen, image by image, wherever they come from.

use std::collections::HashSet;

use fgd_captioner::run::Outcome;
use fgd_captions::{CaptionFile, Cells, Table};

use crate::jobs::JobError;

/// Column of a file of samples that holds the logarithm of a caption's probability.
pub const LOG_PROBABILITY: &str = "log_probability";

/// Captions of images, image by image.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    /// The images; each has a caption.
    pub ids: Vec<String>,
    /// How many captions each image has.
    pub counts: Vec<usize>,
    /// The captions of all images, one image after the other.
    pub captions: Vec<Candidate>,
}

/// A caption that can be chosen.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The text.
    pub text: String,
    /// Index of the file that it comes from.
    pub source: usize,
    /// Index in that file.
    pub row: usize,
    /// Natural logarithm of the probability that its model gave it, where it is known.
    pub log_probability: Option<f64>,
}

impl Pool {
    /// Adds an image with its captions, unless there is none.
    pub fn push(&mut self, id: String, captions: impl IntoIterator<Item = Candidate>) {
        let before = self.captions.len();
        self.captions.extend(captions);
        let count = self.captions.len() - before;
        if count > 0 {
            self.ids.push(id);
            self.counts.push(count);
        }
    }

    /// What a captioner's run drew.
    pub fn of_outcomes(outcomes: &[Outcome]) -> Self {
        let mut pool = Self::default();
        for outcome in outcomes {
            let samples = outcome.samples.iter().enumerate().map(|(row, sample)| Candidate {
                text: sample.caption.clone(),
                source: 0,
                row,
                log_probability: sample.log_probability,
            });
            pool.push(outcome.id.clone(), samples);
        }
        pool
    }

    /// The captions that can be chosen: an empty one only for an image that has no other.
    pub fn without_empty(&self) -> Self {
        let is_written = |caption: &&Candidate| !caption.text.trim().is_empty();
        let mut kept = Self::default();
        for (id, (_, captions)) in self.ids.iter().zip(self.images()) {
            let any = captions.iter().any(|caption| is_written(&caption));
            let left = captions.iter().filter(|caption| !any || is_written(caption));
            kept.push(id.clone(), left.cloned());
        }
        kept
    }

    /// The texts, in order.
    pub fn texts(&self) -> Vec<&str> {
        self.captions.iter().map(|caption| caption.text.as_str()).collect()
    }

    /// The captions of each image, with the index of the first.
    pub fn images(&self) -> impl Iterator<Item = (usize, &[Candidate])> {
        let mut start = 0;
        self.counts.iter().map(move |count| {
            let from = start;
            start += count;
            (from, &self.captions[from..start])
        })
    }

    /// Share of the images with several captions in which they are all one text; `None` where no image has two.
    pub fn identical(&self) -> Option<f64> {
        let several = self.images().filter(|(_, captions)| captions.len() > 1);
        let same = several.map(|(_, captions)| {
            let texts: HashSet<&str> = captions.iter().map(|c| c.text.as_str()).collect();
            texts.len() == 1
        });
        let same: Vec<bool> = same.collect();
        let equal = same.iter().filter(|same| **same).count();
        (!same.is_empty()).then(|| equal as f64 / same.len() as f64)
    }

    /// The captions with their log-probabilities: what a file of samples holds.
    pub fn table(&self) -> Table {
        let counted = self.ids.iter().zip(&self.counts);
        let ids = counted.flat_map(|(id, count)| std::iter::repeat_n(id, *count));
        let mut table = Table::default();
        table.push("image_id", Cells::text(ids));
        table.push("sample", Cells::counts(self.captions.iter().map(|c| c.row as u64)));
        table.push("caption", Cells::text(self.texts()));
        let known = self.captions.iter().map(|caption| caption.log_probability);
        table.push(LOG_PROBABILITY, Cells::Number(known.collect()));
        table
    }
}

/// The log-probabilities of a file's captions; all `None` where it has no such column.
///
/// # Errors
/// A cell that is no number.
pub fn log_probabilities(file: &CaptionFile) -> Result<Vec<Option<f64>>, JobError> {
    let Some(cells) = file.column(LOG_PROBABILITY) else {
        return Ok(vec![None; file.captions.len()]);
    };
    let number = |(at, cell): (usize, Option<String>)| match cell.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => match text.parse::<f64>() {
            Ok(number) if !number.is_nan() => Ok(Some(number)),
            _ => Err(JobError::usage(format!(
                "{}, row {}: {LOG_PROBABILITY} {text:?} is no number",
                file.path.display(),
                file.captions[at].row
            ))),
        },
    };
    cells.into_iter().enumerate().map(number).collect()
}
