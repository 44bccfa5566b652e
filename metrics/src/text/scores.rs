//! A corpus value and the value of each caption, all from one table of additive statistics.

use crate::metric::Value;
use crate::sufficient::Statistics;

/// One metric over one corpus.
#[derive(Debug, Clone)]
pub struct Scores {
    /// The value of the whole corpus.
    pub corpus: f64,
    /// The value of each caption on its own, in the order of the corpus.
    pub per_caption: Vec<f64>,
    /// What the corpus value is recomputed from for slices, bootstrap samples and tests.
    pub statistics: Statistics,
}

impl From<Statistics> for Scores {
    fn from(statistics: Statistics) -> Self {
        Self { corpus: statistics.value(), per_caption: statistics.per_image(), statistics }
    }
}

impl From<Scores> for Value {
    /// Without its estimate, which takes to know what was drawn together.
    fn from(scores: Scores) -> Self {
        Self { statistics: Some(scores.statistics), ..Self::exact(scores.corpus) }
    }
}
