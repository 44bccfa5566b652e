//! Every pair of many systems in a metric that is a mean over images: what a leaderboard needs.
//!
//! A few hundred systems make a hundred thousand pairs. The p-value of a randomisation test cannot be smaller than one
//! over the number of exchanges, so no such test survives the correction for so many; the normal test of the mean
//! difference has no floor and costs one pass. It wants the thirty images or more that any leaderboard has.

use rayon::prelude::*;

use super::additive::check;
use super::{holm, p_value};
use crate::MetricError;
use crate::estimate::Estimate;

/// The difference of one pair of systems, and how sure it is among all pairs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairDifference {
    /// Index of the first system.
    pub first: usize,
    /// Index of the second system, larger than `first`.
    pub second: usize,
    /// The first less the second, with its interval.
    pub estimate: Estimate,
    /// Two-sided p-value of the test that they are equal.
    pub p_value: f64,
    /// The same after [`holm`]'s correction over all pairs.
    pub p_holm: f64,
}

/// Compares all pairs of systems; `values[s][i]` is what system `s` has on image `i`.
///
/// The pairs come in the order (0, 1), (0, 2), …, (1, 2), …. Rejecting those with `p_holm` below 0.05 makes no false
/// statement about any pair with a probability of 95%, hence none about any rank that follows from them.
///
/// # Errors
/// Lengths that differ, fewer than two images, or a value that is not finite.
pub fn all_differences(values: &[&[f64]]) -> Result<Vec<PairDifference>, MetricError> {
    all_pairs(values.len(), |first, second| {
        let estimate = mean_difference(values[first], values[second], None)?;
        Ok((estimate, p_value(estimate)))
    })
}

/// All pairs of `systems` systems by what `difference` says of the first and the second, with the p-value that they are equal;
/// corrected as in [`all_differences`].
///
/// # Errors
/// Those of `difference`.
pub fn all_pairs<E: Send>(
    systems: usize,
    difference: impl Fn(usize, usize) -> Result<(Estimate, f64), E> + Sync,
) -> Result<Vec<PairDifference>, E> {
    let pairs: Vec<(usize, usize)> = (0..systems)
        .flat_map(|first| (first + 1..systems).map(move |second| (first, second)))
        .collect();
    let mut differences = pairs
        .into_par_iter()
        .map(|(first, second)| {
            let (estimate, p_value) = difference(first, second)?;
            Ok(PairDifference { first, second, estimate, p_value, p_holm: p_value })
        })
        .collect::<Result<Vec<_>, E>>()?;
    let p_values: Vec<f64> = differences.iter().map(|pair| pair.p_value).collect();
    for (pair, adjusted) in differences.iter_mut().zip(holm(&p_values)) {
        pair.p_holm = adjusted;
    }
    Ok(differences)
}

/// Mean of the first less mean of the second system's values, with a normal interval; images of one cluster are one observation.
///
/// # Errors
/// As [`all_differences`].
pub fn mean_difference(
    a: &[f64],
    b: &[f64],
    cluster_of: Option<&[usize]>,
) -> Result<Estimate, MetricError> {
    check(a, b)?;
    let apart: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let found = match cluster_of {
        Some(cluster_of) => Estimate::of_clustered_mean(&apart, cluster_of),
        None => Estimate::of_mean(&apart),
    };
    let Estimate { value, se, .. } =
        found.map_err(|_| MetricError::TooFew { what: "clusters of images", n: 1, needed: 2 })?;
    Ok(Estimate::normal(value, se))
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::compare::{Resampling, paired_difference};
    use crate::sufficient::Statistics;

    fn systems() -> Vec<Vec<f64>> {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let hard: Vec<f64> = (0..400).map(|_| rng.random::<f64>()).collect();
        [0.0, 0.02, 0.5]
            .map(|shift| hard.iter().map(|h| h + shift + 0.3 * rng.random::<f64>()).collect())
            .to_vec()
    }

    #[test]
    fn agrees_with_the_randomisation_test_of_a_pair() {
        let systems = systems();
        let values: Vec<&[f64]> = systems.iter().map(Vec::as_slice).collect();
        let pairs = all_differences(&values).unwrap();
        let order: Vec<_> = pairs.iter().map(|pair| (pair.first, pair.second)).collect();
        assert_eq!(order, [(0, 1), (0, 2), (1, 2)]);
        let [a, b] = [0, 1].map(|system| Statistics::mean(systems[system].clone()));
        let found = paired_difference(&a, &b, &Resampling::default()).unwrap();
        assert!((pairs[0].estimate.value - found.observed).abs() < 1e-12);
        assert!((pairs[0].estimate.se - found.influence.se).abs() < 1e-12);
        assert!((pairs[0].p_value - found.p_value).abs() < 0.02);
        assert!(pairs[1].p_holm < 1e-100 && pairs[2].p_holm < 1e-100);
        assert!(pairs[0].p_holm >= pairs[0].p_value);
    }

    #[test]
    fn equal_systems_do_not_differ() {
        let values = [0.1, 0.7, 0.3];
        let pairs = all_differences(&[&values, &values]).unwrap();
        assert_eq!((pairs[0].p_value, pairs[0].estimate.se), (1.0, 0.0));
    }

    #[test]
    fn one_image_shows_nothing() {
        assert!(matches!(all_differences(&[&[1.0], &[2.0]]), Err(MetricError::TooFew { .. })));
    }
}
