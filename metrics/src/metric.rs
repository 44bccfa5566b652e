//! What every metric has in common: names with their directions, and one evaluation of a sample.
//!
//! A [`Metric`] is one computation. Often it yields several numbers at once (BLEU-1 to BLEU-4, three kernels over one pass), so
//! it has one [`Definition`] per number. What can be said of a single image is kept as [`Statistics`], from which
//! [`paired_difference`](crate::compare::paired_difference) tests any two systems. All metrics stand in
//! the table, `METRICS`.

use crate::MetricError;
use crate::estimate::{Estimate, Unavailable};
use crate::infinity::Infinity;
use crate::samples::Sample;
use crate::statistics::SetStatistics;
use crate::sufficient::Statistics;

/// Name of the paired distance.
pub const FGD_PAIRED: &str = "fgd_paired";
/// Name of the set distance.
pub const FGD_SET: &str = "fgd_set";
/// Name of the mean cosine between a caption and its references.
pub const MEAN_COSINE: &str = "mean_cosine";
/// Name of the set distance at infinitely many captions.
pub const FGD_INFINITY: &str = "fgd_infinity";

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Lower values.
    Lower,
    /// Higher values.
    Higher,
    /// Neither: the number describes.
    Neither,
}

impl Direction {
    /// As records keep it: `None` where neither direction is better.
    pub fn higher_is_better(self) -> Option<bool> {
        match self {
            Self::Lower => Some(false),
            Self::Higher => Some(true),
            Self::Neither => None,
        }
    }
}

/// Where shares and what is measured like them lie.
pub(crate) const SHARES: [f64; 2] = [0.0, 1.0];
/// Where distances lie.
pub(crate) const NOT_NEGATIVE: [f64; 2] = [0.0, f64::INFINITY];

/// What is known of a number before it is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Definition {
    /// Its name in records and gates, such as `cider_d`.
    pub name: &'static str,
    /// What to call it in a table.
    pub label: &'static str,
    /// Which values are better.
    pub direction: Direction,
    /// Whether it is the mean of one value per image.
    pub is_mean: bool,
    /// Whether it counts things, so that its values are whole.
    pub is_count: bool,
    /// Where it can lie, `[low, high]`: its interval ends there.
    pub range: [f64; 2],
}

impl Definition {
    const fn new(name: &'static str, label: &'static str, direction: Direction) -> Self {
        let range = [f64::NEG_INFINITY, f64::INFINITY];
        Self { name, label, direction, is_mean: false, is_count: false, range }
    }

    pub(crate) const fn lower(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Direction::Lower)
    }

    pub(crate) const fn higher(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Direction::Higher)
    }

    pub(crate) const fn neither(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Direction::Neither)
    }

    pub(crate) const fn mean(self) -> Self {
        Self { is_mean: true, ..self }
    }

    pub(crate) const fn count(self) -> Self {
        Self { is_count: true, ..self }
    }

    pub(crate) const fn within(self, range: [f64; 2]) -> Self {
        Self { range, ..self }
    }
}

/// What users ask for by one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The word.
    pub name: &'static str,
    /// What it brings, in a phrase.
    pub about: &'static str,
}

impl Group {
    pub(crate) const fn new(name: &'static str, about: &'static str) -> Self {
        Self { name, about }
    }
}

/// One computation on a sample, and the numbers that it yields.
pub trait Metric: Sync {
    /// The group that asks for it; `None` for what every score has.
    fn group(&self) -> Option<Group>;

    /// The numbers that it yields.
    fn definitions(&self) -> &'static [Definition];

    /// Computes them, one value per definition, in their order; their intervals need not end where the definitions say.
    ///
    /// # Errors
    /// Why this sample has none of these numbers.
    fn compute(&self, sample: &Sample) -> Result<Evaluation, MetricError>;

    /// Computes them, one value per definition, in their order, with intervals that hold nothing but what the numbers can be.
    ///
    /// # Errors
    /// As [`Metric::compute`].
    fn evaluate(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        let mut found = self.compute(sample)?;
        for (definition, value) in self.definitions().iter().zip(&mut found.values) {
            value.estimate = value.estimate.map(|estimate| estimate.within(definition.range));
        }
        Ok(found)
    }
}

/// The numbers of one computation.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// One value per definition of the metric.
    pub values: Vec<Value>,
    /// What else came out.
    pub detail: Detail,
}

impl Evaluation {
    /// These values and nothing else.
    pub(crate) fn of(values: impl IntoIterator<Item: Into<Value>>) -> Self {
        Self { values: values.into_iter().map(Into::into).collect(), detail: Detail::None }
    }

    /// The same with the errors of numbers that are made of statistics of the images: those of their units, as far as a finite population
    /// leaves them to chance. References are taken as given: for CIDEr the document frequencies stay fixed.
    ///
    /// # Errors
    /// Clusters or a population that do not fit the sample.
    pub(crate) fn drawn_as(mut self, sample: &Sample) -> Result<Self, MetricError> {
        let (units, left) = (sample.units()?, sample.left_to_chance()?);
        for value in &mut self.values {
            let Some(statistics) = &value.statistics else { continue };
            match statistics.estimate(units.of(0)) {
                Ok(found) => value.estimate = Some(found.with_error(left)),
                Err(unavailable) => value.reason = Some(unavailable),
            }
        }
        Ok(self)
    }
}

/// A number, how sure it is, and what each image has to do with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The number as it is defined; `None` where the sample has none, while the others of its metric stand.
    pub value: Option<f64>,
    /// Its best estimate with standard error and interval (without bias, where the number has one that is known).
    pub estimate: Option<Estimate>,
    /// Why there is no number, or no estimate of one that has one as a rule.
    pub reason: Option<Unavailable>,
    /// What it is made of image by image, for metrics that systems are compared in; of the set distance that is the
    /// embeddings themselves ([`SetInference`](crate::inference::SetInference)).
    pub statistics: Option<Statistics>,
}

impl Value {
    /// A number without uncertainty.
    pub(crate) fn exact(value: f64) -> Self {
        Self { value: Some(value), estimate: None, reason: None, statistics: None }
    }

    /// No number, and why.
    pub(crate) fn missing(reason: Unavailable) -> Self {
        Self { value: None, estimate: None, reason: Some(reason), statistics: None }
    }

    /// An estimate from `n` observations, of which so many begin to tell its spread; of fewer there is the value alone.
    pub(crate) fn of_enough(found: Estimate, n: usize, needed: usize) -> Self {
        match n < needed {
            true => {
                Self { reason: Some(Unavailable::TooFew { n, needed }), ..Self::exact(found.value) }
            }
            false => Self::from(found),
        }
    }
}

impl From<Statistics> for Value {
    /// Without its estimate, which takes to know what was drawn together.
    fn from(statistics: Statistics) -> Self {
        let value = Self::exact(statistics.value());
        Self { statistics: Some(statistics), ..value }
    }
}

impl From<Estimate> for Value {
    fn from(estimate: Estimate) -> Self {
        Self { estimate: Some(estimate), ..Self::exact(estimate.value) }
    }
}

/// What a computation finds besides its numbers.
#[derive(Debug, Clone)]
pub enum Detail {
    /// Nothing.
    None,
    /// Bias, decomposition and influences of the set distance.
    Set(Box<SetStatistics>),
    /// The line that the extrapolated distance is read from.
    Infinity(Infinity),
    /// What the candidates look like as texts.
    Captions {
        /// Words of each.
        lengths: Vec<f64>,
        /// Share of those that are equal to another one, in [0, 1].
        duplicates: f64,
        /// Share of those in which a word or phrase runs away, in [0, 1].
        runaway: f64,
    },
}
