//! Is one system better than another, or was it luck? Two systems that captioned the same images.
//!
//! The images are the sample: they are resampled whole, with both systems' captions and all references, so that
//! what makes an image hard for everybody cancels. Three questions, three tools:
//!
//! - how large is the difference: an interval by the paired bootstrap (Koehn 2004, W04-3250) and by the influence of
//!   each image (delta method); they should agree, and a user who sees them differ should trust neither;
//! - could it be nothing: a p-value by randomisation, in which each image's two captions trade places
//!   (Riezler & Maxwell 2005, W05-0908), and [`holm`] where many systems are compared;
//! - could we have seen it: the difference that the sample can show, and the images that it takes to show one ([`Power`]).
//!
//! [`paired_difference`] takes any metric that is made of sums over images, means and corpus metrics alike; the set distance,
//! which is not, has a test of its own ([`SetInference::difference`](crate::inference::SetInference::difference)) and an
//! [`exchange_test`]; [`all_pairs`] takes all pairs of a leaderboard at once. Each replicate draws from a ChaCha stream of its
//! own and sums run in a fixed order: a seed gives one answer, whatever the number of threads.

mod additive;
mod many;
mod multiple;
mod normal;
mod power;
mod resample;
mod set;

use crate::MetricError;
use crate::estimate::Estimate;
use crate::student;

pub use additive::{Outcomes, outcomes, paired_difference};
pub use many::{MeanDifference, PairDifference, all_differences, all_pairs, mean_difference};
pub use multiple::holm;
pub use power::{Power, Test};
pub(crate) use resample::standard_deviation;
pub use resample::{Exchange, quantile};
pub use set::exchange_test;

/// With fewer replicates the bounds of a 95% interval are hardly more than the extremes.
const FEWEST_REPLICATES: usize = 100;

/// Refuses too few replicates of a bootstrap for an interval.
///
/// # Errors
/// Fewer than 100.
pub fn check_replicates(replicates: usize) -> Result<(), MetricError> {
    if replicates < FEWEST_REPLICATES {
        return Err(MetricError::InvalidSetting(format!(
            "replicates = {replicates}: an interval needs at least {FEWEST_REPLICATES}, and 1000 are usual"
        )));
    }
    Ok(())
}

/// How often to resample, and from which seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resampling {
    /// Bootstrap replicates, for the interval. 1,000 settle a 95% bound to about 5% of the standard error.
    pub replicates: usize,
    /// Random exchanges, for the p-value, which cannot be smaller than 1/(randomisations + 1).
    pub randomisations: usize,
    /// Seed of every random stream.
    pub seed: u64,
}

impl Default for Resampling {
    fn default() -> Self {
        Resampling { replicates: 1_000, randomisations: 10_000, seed: 0 }
    }
}

/// The difference of two systems in one metric, first minus second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Difference of the two values as they are printed.
    pub observed: f64,
    /// The difference with the standard error and interval of the paired bootstrap; of Student's t below 30 images, or where too few
    /// differ.
    pub bootstrap: Estimate,
    /// The same by the delta method: Student's interval from the influence of each image.
    pub influence: Estimate,
    /// The test that the systems are interchangeable.
    pub exchange: Exchange,
    /// Number of images.
    pub images: usize,
}

impl Difference {
    /// The estimate, and the two-sided p-value of equal values in `[0, 1]`, of images that are drawn without replacement from finitely
    /// many, of which this part is left out. Only these are left to chance, which neither an exchange nor a bootstrap knows: interval and
    /// p-value are Student's, of the influences.
    pub fn of_finite_population(&self, left_out: f64) -> (Estimate, f64) {
        let influence = self.influence.with_error(left_out.sqrt());
        (influence, student::two_sided(influence.value, influence.se, self.images - 1))
    }
}

/// Two-sided normal p-value of the hypothesis that the value is 0.
pub(crate) fn p_value(estimate: Estimate) -> f64 {
    normal::two_sided(estimate.value, estimate.se)
}

#[cfg(test)]
mod tests;
