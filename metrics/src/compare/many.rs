//! Every pair of many systems in a metric that is a mean over images: what a leaderboard needs.
//!
//! A few hundred systems make a hundred thousand pairs. The p-value of a randomisation test cannot be smaller than one
//! over the number of exchanges, so no such test survives the correction for so many; Student's t of the mean difference
//! has no floor and costs one pass.

use std::collections::HashSet;

use rayon::prelude::*;

use super::additive::check;
use super::holm;
use crate::MetricError;
use crate::estimate::Estimate;
use crate::student;

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
        let found = mean_difference(values[first], values[second], None)?;
        Ok((found.estimate, found.p_value()))
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

/// A difference of means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanDifference {
    /// The difference, with the interval of Student's t.
    pub estimate: Estimate,
    /// Images, or clusters of them, at least 2.
    pub observations: usize,
}

impl MeanDifference {
    /// Two-sided p-value of Student's t that the means are equal.
    pub fn p_value(&self) -> f64 {
        student::two_sided(self.estimate.value, self.estimate.se, self.observations - 1)
    }

    /// The same where this part of a finite population is left out.
    pub fn of_finite_population(self, left_out: f64) -> Self {
        Self { estimate: self.estimate.with_error(left_out.sqrt()), ..self }
    }
}

/// Mean of the first less mean of the second system's values; images of one cluster are one observation.
///
/// # Errors
/// As [`all_differences`].
pub fn mean_difference(
    a: &[f64],
    b: &[f64],
    cluster_of: Option<&[usize]>,
) -> Result<MeanDifference, MetricError> {
    check(a, b)?;
    let apart: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let (found, observations) = match cluster_of {
        Some(of) => {
            let clusters: HashSet<usize> = of.iter().copied().collect();
            (Estimate::of_clustered_mean(&apart, of), clusters.len())
        }
        None => (Estimate::of_mean(&apart), apart.len()),
    };
    let too_few = |_| MetricError::TooFew { what: "clusters of images", n: 1, needed: 2 };
    Ok(MeanDifference { estimate: found.map_err(too_few)?, observations })
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
        assert!((pairs[0].p_value - found.exchange.p_value).abs() < 0.02);
        assert!(pairs[1].p_holm < 1e-50 && pairs[2].p_holm < 1e-50);
        assert!(pairs[0].p_holm >= pairs[0].p_value);
    }

    #[test]
    fn equal_systems_do_not_differ() {
        let values = [0.1, 0.7, 0.3];
        let pairs = all_differences(&[&values, &values]).unwrap();
        assert_eq!((pairs[0].p_value, pairs[0].estimate.se), (1.0, 0.0));
    }

    #[test]
    fn few_observations_have_heavy_tails() {
        // scipy.stats.ttest_rel([1.0, 3.0], [0.5, 2.0]): two differences, 0.5 and 1
        let found = mean_difference(&[1.0, 3.0], &[0.5, 2.0], None).unwrap();
        assert!((found.p_value() - 0.204_832_764_699_133_5).abs() < 1e-12);
        assert!((found.estimate.ci95[0] - (0.75 - 12.706_204_736 * 0.25)).abs() < 1e-8);
        // Of one cluster each, repeated.
        let (a, b) = ([1.0, 1.0, 3.0, 3.0], [0.5, 0.5, 2.0, 2.0]);
        let of_clusters = mean_difference(&a, &b, Some(&[0, 0, 1, 1])).unwrap();
        assert_eq!(of_clusters.observations, 2);
        assert!((of_clusters.p_value() - found.p_value()).abs() < 1e-12);
    }

    #[test]
    fn one_image_shows_nothing() {
        assert!(matches!(all_differences(&[&[1.0], &[2.0]]), Err(MetricError::TooFew { .. })));
    }
}
