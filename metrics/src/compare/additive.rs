//! Metrics that are made of sums over images: means (the paired distance, CIDEr) and functions of pooled counts (BLEU, METEOR).

use rayon::prelude::*;

use super::resample::{Exchange, bca, draw_counts, exchange, sign_flips};
use super::{Difference, Resampling, check_replicates};
use crate::MetricError;
use crate::estimate::Estimate;
use crate::sufficient::Statistics;

/// Below this many images the interval is that of Student's t.
const FEW: usize = 30;

/// Compares two systems in a metric that follows from [`Statistics`] of each image.
///
/// Image `i` of `a` is image `i` of `b`. The interval of the bootstrap is BCa, the p-value that of exchanging the two systems'
/// statistics image by image, which for a mean is the sign-flip test: exact if the systems are interchangeable, asymptotically right
/// if only the values are equal. Images on which a corpus metric has nothing to count for either system take no part.
///
/// ```
/// use fgd_metrics::compare::{Resampling, paired_difference};
/// use fgd_metrics::sufficient::Statistics;
///
/// // Words found and words sought, by image: 9 of 15 against 6 of 15.
/// let recall = |sums: &[f64]| sums[0] / sums[1];
/// let a = Statistics::pooled(&[[2.0, 4.0], [3.0, 5.0], [4.0, 6.0]], recall);
/// let b = Statistics::pooled(&[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]], recall);
/// let found = paired_difference(&a, &b, &Resampling::default())?;
/// assert!((found.observed - 0.2).abs() < 1e-12);
/// // Of the 8 exchanges only none and all are so far apart.
/// assert_eq!(found.exchange.p_value, 0.25);
/// # Ok::<(), fgd_metrics::MetricError>(())
/// ```
///
/// # Errors
/// Different numbers of images or kinds of metrics, fewer than two images, a value that is not finite, or too few replicates.
pub fn paired_difference(
    a: &Statistics,
    b: &Statistics,
    resampling: &Resampling,
) -> Result<Difference, MetricError> {
    check_replicates(resampling.replicates)?;
    if a.columns().len() != b.columns().len() || a.is_mean() != b.is_mean() {
        return Err(MetricError::InvalidPairs(
            "statistics of two different metrics; compare systems in one".into(),
        ));
    }
    for (a, b) in a.columns().iter().zip(b.columns()) {
        check(a, b)?;
    }
    if a.is_mean() {
        return Ok(of_means(a, b, resampling));
    }
    let says_something = |image: &usize| {
        let mut columns = a.columns().iter().chain(b.columns());
        columns.any(|column| column[*image] != 0.0)
    };
    let images: Vec<usize> = (0..a.images()).filter(says_something).collect();
    enough(images.len())?;
    Ok(of_sums(&a.subset(&images), &b.subset(&images), resampling))
}

/// A difference of means is the mean of the differences.
fn of_means(a: &Statistics, b: &Statistics, resampling: &Resampling) -> Difference {
    let differences = minus(&a.columns()[0], &b.columns()[0]);
    let images = differences.len() as f64;
    let observed = differences.iter().sum::<f64>() / images;
    let centred: Vec<f64> = differences.iter().map(|d| d - observed).collect();
    let redrawn = |counts: &[u32]| observed + weighted(&centred, counts) / images;
    resampled(observed, &centred, redrawn, sign_flips(&differences, resampling), resampling)
}

fn of_sums(a: &Statistics, b: &Statistics, resampling: &Resampling) -> Difference {
    let images = a.images() as f64;
    let (value_a, value_b) = (a.value(), b.value());
    let redrawn = |counts: &[u32]| {
        let value = |system: &Statistics| {
            let sums = system.columns().iter().map(|column| weighted(column, counts));
            system.of_sums(&sums.collect::<Vec<_>>(), images)
        };
        value(a) - value(b)
    };
    // An exchange leaves the sum of both systems as it is and moves their difference.
    let both: Vec<f64> = a.sums().iter().zip(b.sums()).map(|(a, b)| a + b).collect();
    let exchanged = |apart: &[f64]| {
        let value = |sign: f64| {
            let sums = both.iter().zip(apart).map(|(both, d)| 0.5 * (both + sign * d));
            a.of_sums(&sums.collect::<Vec<_>>(), images)
        };
        value(1.0) - value(-1.0)
    };
    let columns = a.columns().iter().zip(b.columns());
    let columns: Vec<Vec<f64>> = columns.map(|(a, b)| minus(a, b)).collect();
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let magnitude = value_a.abs() + value_b.abs();
    let exchange = exchange(&columns, magnitude, exchanged, resampling);
    let without = minus(&a.leave_one_out(), &b.leave_one_out());
    let mean = without.iter().sum::<f64>() / images;
    let influence: Vec<f64> = without.iter().map(|v| (images - 1.0) * (mean - v)).collect();
    resampled(value_a - value_b, &influence, redrawn, exchange, resampling)
}

/// What both kinds have in common: intervals from the influence of each image and from redrawn images.
fn resampled(
    observed: f64,
    influence: &[f64],
    redrawn: impl Fn(&[u32]) -> f64 + Sync,
    exchange: Exchange,
    resampling: &Resampling,
) -> Difference {
    let images = influence.len();
    let replicates: Vec<f64> = (0..resampling.replicates)
        .into_par_iter()
        .map(|replicate| redrawn(&draw_counts(images, resampling.seed, replicate)))
        .collect();
    let by_influence = Estimate::student(observed, influence_error(influence), images - 1);
    // Redrawing few images says little of others: Student's t does better there.
    let bootstrap = match images < FEW || !exchange.can_tell() {
        true => by_influence,
        false => bca(observed, replicates, influence),
    };
    Difference { observed, bootstrap, influence: by_influence, exchange, images }
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn weighted(values: &[f64], counts: &[u32]) -> f64 {
    (counts.iter().zip(values)).map(|(&n, value)| f64::from(n) * value).sum()
}

/// Standard error of a statistic from the centred influence of each image.
pub(super) fn influence_error(influence: &[f64]) -> f64 {
    let n = influence.len() as f64;
    (influence.iter().map(|v| v * v).sum::<f64>() / (n * (n - 1.0))).sqrt()
}

/// Images on which the first system is better, as good, and worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcomes {
    /// The first system is better.
    pub wins: usize,
    /// Both are equal.
    pub ties: usize,
    /// The second system is better.
    pub losses: usize,
}

/// Counts the images on which each system is better; `lower_is_better` as for a distance.
///
/// # Errors
/// Lengths that differ, fewer than two images, or a value that is not finite.
pub fn outcomes(a: &[f64], b: &[f64], lower_is_better: bool) -> Result<Outcomes, MetricError> {
    check(a, b)?;
    let count =
        |holds: fn(&f64, &f64) -> bool| a.iter().zip(b).filter(|(a, b)| holds(a, b)).count();
    let (lower, higher) = (count(|a, b| a < b), count(|a, b| a > b));
    let (wins, losses) = if lower_is_better { (lower, higher) } else { (higher, lower) };
    Ok(Outcomes { wins, ties: a.len() - lower - higher, losses })
}

/// Whether the values of two systems can be compared at all.
pub(super) fn check(a: &[f64], b: &[f64]) -> Result<(), MetricError> {
    if a.len() != b.len() {
        return Err(MetricError::InvalidPairs(format!(
            "{} values of the first system and {} of the second; compare them on the same images",
            a.len(),
            b.len()
        )));
    }
    enough(a.len())?;
    if a.iter().chain(b).any(|v| !v.is_finite()) {
        return Err(MetricError::NotFinite { what: "values per image" });
    }
    Ok(())
}

fn enough(images: usize) -> Result<(), MetricError> {
    if images < 2 {
        return Err(MetricError::TooFew { what: "images", n: images, needed: 2 });
    }
    Ok(())
}
