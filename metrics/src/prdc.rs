//! Precision, recall, density and coverage by nearest neighbours: quality and variety told apart.
//!
//! A set is taken to fill the balls around its rows that reach their k-th nearest neighbour
//! (Kynkäänniemi et al. 2019, arXiv:1904.06991; Naeem et al. 2020, arXiv:2002.09797):
//!
//! - precision: the share of candidates inside some reference's ball (do they read like references?);
//! - recall: the share of references inside some candidate's ball (is everything references say said?);
//! - density: the mean number of reference balls around a candidate, over k; robust to outlying references;
//! - coverage: the share of references whose ball holds a candidate; robust to outlying candidates.
//!
//! A ball is open (distance < radius). A caption that occurs more than k times has a ball of radius 0 that
//! holds nothing: constant captions have recall 0.
//!
//! The balls depend on all rows, so the spread of the indicators is no standard error. It is taken by a
//! delete-a-group jackknife (Efron & Tibshirani 1993, chapter 11) over 20 groups of images, or as many as there are
//! images, balls included: each row keeps its nearest neighbours group by group, which gives the radius without any one
//! group exactly.

mod balls;

use ndarray::Axis;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::MetricError;
use crate::estimate::{Estimate, Unavailable};
use crate::metric::{Definition, Evaluation, Group, Metric, NOT_NEGATIVE, SHARES, Value};
use crate::pairwise::Rows;
use crate::samples::{Sample, TwoSamples};
use balls::{Hits, Radii};

/// Groups of images of the jackknife. The relative error of a standard error from 20 groups is about 16%.
const GROUPS: usize = 20;
/// Groups are drawn once and for all: the same rows give the same standard error.
const GROUPING_SEED: u64 = 0x9d2c;

/// Neighbours in the table of metrics, as in Naeem et al. 2020.
const NEIGHBOURS: usize = 5;

/// Precision, recall, density and coverage, in the table of metrics.
pub(crate) struct NearestNeighbours;

impl Metric for NearestNeighbours {
    fn group(&self) -> Option<Group> {
        Some(Group::new("prdc", "Precision, recall, density and coverage"))
    }

    fn definitions(&self) -> &'static [Definition] {
        const {
            &[
                Definition::higher("precision", "precision").within(SHARES),
                Definition::higher("recall", "recall").within(SHARES),
                Definition::higher("density", "density").within(NOT_NEGATIVE),
                Definition::higher("coverage", "coverage").within(SHARES),
            ]
        }
    }

    fn compute(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        let found = prdc(&sample.two_samples()?, NEIGHBOURS)?;
        let is_open = sample.left_to_chance()? > 0.0;
        let found = [found.precision, found.recall, found.density, found.coverage];
        Ok(Evaluation::of(found.map(|found| match is_open && found.se == 0.0 {
            // None of so many, or all, is no certainty of others.
            true => Value {
                reason: Some(Unavailable::NoInterval("no group of images moves it")),
                ..Value::exact(found.value)
            },
            false => Value::from(found),
        })))
    }
}

/// The four nearest-neighbour metrics, each with its jackknife standard error. Higher is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prdc {
    /// Share of candidates inside a reference's ball, in `0..=1`.
    pub precision: Estimate,
    /// Share of references inside a candidate's ball, in `0..=1`.
    pub recall: Estimate,
    /// Reference balls around a candidate, over k; at least 0, about 1 for equal distributions.
    pub density: Estimate,
    /// Share of references whose ball holds a candidate, in `0..=1`.
    pub coverage: Estimate,
}

/// Precision, recall, density and coverage with balls that reach the `k`-th nearest neighbour (5 is usual).
///
/// O((n² + m² + nm) d) operations, O(k (n + m)) memory.
///
/// # Errors
/// `k` of zero, or sets too small to have `k` neighbours when a group is left out.
pub fn prdc(samples: &TwoSamples<'_>, k: usize) -> Result<Prdc, MetricError> {
    if k == 0 {
        return Err(MetricError::InvalidSetting(
            "nearest neighbours: k must be at least 1".to_owned(),
        ));
    }
    for (what, rows) in [
        ("candidates", samples.candidates().len_of(Axis(0))),
        ("references", samples.references().len_of(Axis(0))),
    ] {
        let needed = 2 * (k + 1);
        if rows < needed {
            return Err(MetricError::TooFew { what, n: rows, needed });
        }
    }
    let units = samples.units().count();
    if units < 2 {
        return Err(MetricError::TooFew { what: "images or clusters", n: units, needed: 2 });
    }
    let count = GROUPS.min(units);
    let groups = group_of_label(units);
    let of =
        |labels: &[usize]| -> Vec<usize> { labels.iter().map(|&label| groups[label]).collect() };
    let (in_x, in_y) = (of(samples.units().of(0)), of(samples.units().of(1)));
    let (x, y) = (Rows::new(samples.candidates()), Rows::new(samples.references()));
    let radii_x = Radii::new(&x, &in_x, k)?;
    let radii_y = Radii::new(&y, &in_y, k)?;
    let hits = Hits::count(&x, &y, &in_x, &in_y, &radii_x, &radii_y);

    let mean = |group_of: &[usize], value: &dyn Fn(usize, usize) -> f64| {
        mean(count, group_of, value).with_error(samples.left_to_chance())
    };
    let balls = |row: usize, case: usize| f64::from(hits.balls_around(row, case));
    let bit = |masks: &[u32], row: usize, case: usize| f64::from(masks[row] >> case & 1);
    Ok(Prdc {
        precision: mean(&in_x, &|row, case| balls(row, case).min(1.0)),
        recall: mean(&in_y, &|row, case| bit(&hits.recalled, row, case)),
        density: mean(&in_x, &|row, case| balls(row, case) / k as f64),
        coverage: mean(&in_y, &|row, case| bit(&hits.covered, row, case)),
    })
}

/// Mean over rows of a value, which depends on the case: the whole, or the whole less a group.
fn mean(groups: usize, group_of: &[usize], value: impl Fn(usize, usize) -> f64) -> Estimate {
    jackknife(groups, |left_out| {
        let case = left_out.map_or(0, |group| group + 1);
        let kept = (0..group_of.len()).filter(|&row| Some(group_of[row]) != left_out);
        let (n, sum) = kept.fold((0, 0.0), |(n, sum), row| (n + 1, sum + value(row, case)));
        sum / f64::from(n)
    })
}

/// A group for every image, of equal sizes up to one and in no order that the file could have.
fn group_of_label(labels: usize) -> Vec<usize> {
    let mut groups: Vec<usize> = (0..labels).map(|label| label % GROUPS).collect();
    groups.shuffle(&mut ChaCha8Rng::seed_from_u64(GROUPING_SEED));
    groups
}

/// The value on everything, with the delete-a-group jackknife standard error
/// √((G−1)/G Σ (θ₋g − θ̄)²) of the values without each of G groups, and Student's interval.
fn jackknife(groups: usize, value: impl Fn(Option<usize>) -> f64) -> Estimate {
    let without: Vec<f64> = (0..groups).map(|group| value(Some(group))).collect();
    let g = groups as f64;
    let mean = without.iter().sum::<f64>() / g;
    let squares: f64 = without.iter().map(|v| (v - mean).powi(2)).sum();
    let se = (squares * (g - 1.0) / g).sqrt();
    Estimate::student(value(None), se, groups - 1)
}

#[cfg(test)]
mod tests;
