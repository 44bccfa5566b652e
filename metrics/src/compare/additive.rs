//! Metrics that are a mean over images: the paired distance, CIDEr per caption, a latency.

use rayon::prelude::*;

use super::resample::{bca, draw_counts, sign_flip_p_value};
use super::{Difference, Resampling, detectable_difference};
use crate::MetricError;
use crate::estimate::Estimate;

/// Compares two systems in a metric that is the mean of one value per image.
///
/// `a[i]` and `b[i]` are the values of the two systems on image `i`. The interval of the bootstrap is BCa, the p-value
/// that of the sign-flip test: exact if the systems are interchangeable, asymptotically right if only the means
/// are equal.
///
/// # Errors
/// Lengths that differ, fewer than two images, a value that is not finite, or fewer than two replicates.
pub fn paired_difference(
    a: &[f64],
    b: &[f64],
    resampling: &Resampling,
) -> Result<Difference, MetricError> {
    resampling.check()?;
    check(a, b)?;
    let images = a.len();
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let observed = differences.iter().sum::<f64>() / images as f64;
    let centred: Vec<f64> = differences.iter().map(|d| d - observed).collect();
    let influence = Estimate::normal(observed, influence_error(&centred));
    let replicates: Vec<f64> = (0..resampling.replicates)
        .into_par_iter()
        .map(|replicate| {
            let counts = draw_counts(images, resampling.seed, replicate);
            let sum: f64 = counts
                .iter()
                .zip(&centred)
                .map(|(&n, d)| f64::from(n) * d)
                .sum();
            observed + sum / images as f64
        })
        .collect();
    Ok(Difference {
        observed,
        bias: 0.0,
        bootstrap: bca(observed, replicates, &centred),
        influence,
        p_value: sign_flip_p_value(&differences, resampling.randomisations, resampling.seed),
        detectable: detectable_difference(influence.se),
        images,
    })
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
/// As [`paired_difference`].
pub fn outcomes(a: &[f64], b: &[f64], lower_is_better: bool) -> Result<Outcomes, MetricError> {
    check(a, b)?;
    let count =
        |holds: fn(&f64, &f64) -> bool| a.iter().zip(b).filter(|(a, b)| holds(a, b)).count();
    let (lower, higher) = (count(|a, b| a < b), count(|a, b| a > b));
    let (wins, losses) = if lower_is_better {
        (lower, higher)
    } else {
        (higher, lower)
    };
    Ok(Outcomes {
        wins,
        ties: a.len() - lower - higher,
        losses,
    })
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
    if a.len() < 2 {
        return Err(MetricError::TooFew {
            what: "images",
            n: a.len(),
            needed: 2,
        });
    }
    if a.iter().chain(b).any(|v| !v.is_finite()) {
        return Err(MetricError::NotFinite {
            what: "values per image",
        });
    }
    Ok(())
}
