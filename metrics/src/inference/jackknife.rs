//! The two jackknives over groups of units: of the distance less what the means add, and of the same less its Gaussian bias.

use rayon::prelude::*;

use super::large_dimension;
use super::sums::Sums;
use crate::MetricError;
use crate::linalg::{Factor, default_solver};
use crate::transport::SPAN;

/// Units for each direction at which a sample begins to tell its bias: with fewer, orders that both jackknives leave make up to one and
/// a half standard errors, and the two need not be apart (docs/statistics.md).
const ENOUGH: usize = 2;

/// Whether so many units a side tell the bias of a sample in so many directions.
pub(super) fn are_enough(units: usize, rank: usize) -> bool {
    units > ENOUGH * rank
}

/// The two jackknives over groups of units.
pub(super) struct Jackknives {
    /// The distance of the whole sample.
    pub(super) raw: f64,
    /// Pseudo-values of both, one for each group.
    pub(super) pseudo: [Vec<f64>; 2],
    /// Whether the second could be had, and there are units enough.
    pub(super) enough: bool,
}

impl Jackknives {
    /// `rank` is the number of directions that both sets span, `sharing` what units on both sides make of the bias.
    pub(super) fn of(
        total: &Sums,
        groups: &[Sums],
        rank: usize,
        sharing: f64,
    ) -> Result<Self, MetricError> {
        let whole = Terms::of(total.clone(), rank)?;
        let left_out: Vec<Terms> = (groups.par_iter())
            .map(|group| Terms::of(total.without(group), rank))
            .collect::<Result<_, _>>()?;
        let gaussian = left_out.iter().chain([&whole]).all(|terms| terms.gaussian.is_some());
        let g = groups.len() as f64;
        let pseudo = |share: f64| -> Vec<f64> {
            let whole = g * whole.less_bias(share);
            left_out.iter().map(|terms| whole - (g - 1.0) * terms.less_bias(share)).collect()
        };
        let plain = pseudo(0.0);
        let pseudo = [plain.clone(), if gaussian { pseudo(sharing) } else { plain }];
        let enough = gaussian && are_enough(total.fewest_units() as usize, rank);
        Ok(Self { raw: whole.distance, pseudo, enough })
    }
}

/// The distance of a sample, and what is known of its bias.
struct Terms {
    distance: f64,
    /// The part that the means make.
    of_means: f64,
    /// The part that the covariances make, were captions Gaussian and the sets independent; `None` where too few rows are distinct.
    gaussian: Option<f64>,
}

impl Terms {
    /// `rank` is the number of directions that both sets span.
    fn of(sums: Sums, rank: usize) -> Result<Self, MetricError> {
        let solver = default_solver();
        let of_means = sums.of_means();
        let degrees = [0, 1].map(|side| sums.rows(side) - 1.0);
        let mean = sums.mean(1);
        let shift = sums.mean(0) - &mean;
        let [first, second] = sums.into_covariances();
        let trace = first.diag().sum() + second.diag().sum();
        // The squares of the singular values that the distance itself is taken from, by half of the work: those too small to have
        // digits left are below the span anyway.
        let factor = Factor::of_covariance(second.view(), mean.dot(&mean), solver)?;
        let squares = solver.symmetric_values(factor.congruence(first.view()).view())?;
        let largest = squares.iter().fold(0.0, |max: f64, &v| max.max(v));
        let kept = squares.iter().filter(|&&v| v > SPAN * SPAN * largest);
        let spectrum: Vec<f64> = kept.map(|v| v.sqrt()).collect();
        let fidelity: f64 = spectrum.iter().sum();
        let enough = spectrum.len() == rank && degrees[0].min(degrees[1]) > rank as f64;
        Ok(Self {
            distance: shift.dot(&shift) + trace - 2.0 * fidelity,
            of_means,
            // The limit of many dimensions leaves out that the variances on the diagonal count twice.
            gaussian: enough.then(|| {
                let diagonal = 0.25 * (1.0 / degrees[0] + 1.0 / degrees[1]) * fidelity;
                2.0 * (large_dimension::fidelity(&spectrum, degrees) - fidelity) + diagonal
            }),
        })
    }

    fn less_bias(&self, sharing: f64) -> f64 {
        self.distance - self.of_means - sharing * self.gaussian.unwrap_or(0.0)
    }
}
