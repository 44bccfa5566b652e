//! A corpus value, its standard error and the value of each caption, all from one table of additive statistics.

use crate::estimate::{Estimate, Unavailable};
use crate::metric::Value;
use crate::sufficient::Statistics;

/// One metric over one corpus.
#[derive(Debug, Clone)]
pub struct Scores {
    /// The value of the whole corpus.
    pub corpus: f64,
    /// Jackknife standard error of `corpus` ([`Statistics::standard_error`]). The references are taken as given: for CIDEr
    /// the document frequencies stay fixed.
    pub se: Option<f64>,
    /// The value of each caption on its own, in the order of the corpus.
    pub per_caption: Vec<f64>,
    /// What the corpus value is recomputed from for slices, bootstrap samples and tests.
    pub statistics: Statistics,
}

impl From<Statistics> for Scores {
    fn from(statistics: Statistics) -> Self {
        Self {
            corpus: statistics.value(),
            se: statistics.standard_error(),
            per_caption: statistics.per_image(),
            statistics,
        }
    }
}

impl Scores {
    /// The corpus value with its standard error and 95% interval, which is cut at 0.
    ///
    /// # Errors
    /// With fewer than two captions, which show no spread.
    pub fn estimate(&self) -> Result<Estimate, Unavailable> {
        match self.se {
            Some(se) => Ok(Estimate::non_negative(self.corpus, se)),
            None => Err(Unavailable::TooFew { n: self.per_caption.len(), needed: 2 }),
        }
    }
}

impl From<Scores> for Value {
    fn from(scores: Scores) -> Self {
        let estimate = scores.estimate();
        Self {
            value: scores.corpus,
            reason: estimate.as_ref().err().cloned(),
            estimate: estimate.ok(),
            statistics: Some(scores.statistics),
        }
    }
}
