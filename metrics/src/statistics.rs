//! The set distance with everything that says how far to trust it, from one decomposition.

use ndarray::ArrayView2;

use crate::MetricError;
use crate::bias::{Bias, SampleSizeWarning, analytic_bias, sample_size_advice};
use crate::estimate::{Estimate, Unavailable};
use crate::frechet::{SetDistance, fgd_set};
use crate::influence::{SetInfluence, set_influence};
use crate::transport::{Sampling, Transport};

/// `fgd_set` with its bias, its uncertainty and its attribution.
#[derive(Debug, Clone, PartialEq)]
pub struct SetStatistics {
    /// The distance as every tool computes it.
    pub distance: SetDistance,
    /// Closed-form bias, and the distance without it.
    pub bias: Result<Bias, Unavailable>,
    /// The corrected distance with its standard error and 95% interval: first-order influence and second-order
    /// spread together. The interval is about the corrected value, cut at 0.
    pub corrected: Result<Estimate, Unavailable>,
    /// Set where the first-order error is not the larger part: the populations are nearly equal, the distribution
    /// of the distance is skewed, and the interval is only indicative.
    pub nearly_equal: bool,
    /// Set where the samples are too small for the raw distance to mean much.
    pub warning: Option<SampleSizeWarning>,
    /// Influence of every caption.
    pub influence: SetInfluence,
}

/// Distance, bias, interval and influence of the rows of `a` `[n, d]` and `b` `[m, d]`.
pub fn set_statistics(
    a: ArrayView2<f32>,
    b: ArrayView2<f32>,
    sampling: Sampling,
) -> Result<SetStatistics, MetricError> {
    let transport = Transport::between(a, b)?;
    let distance = if transport.smaller() > transport.dim() {
        transport.distance()
    } else {
        fgd_set(a, b)?
    };
    let influence = set_influence(&transport, a, b, sampling)?;
    let bias = analytic_bias(&transport, a, b, sampling)?;
    let corrected = bias.clone().map(|bias| {
        let mut estimate =
            Estimate::normal(bias.corrected, influence.se.hypot(bias.second_order_se));
        estimate.ci95 = estimate.ci95.map(|bound| bound.max(0.0));
        estimate
    });
    let nearly_equal = bias
        .as_ref()
        .is_ok_and(|bias| bias.second_order_se > influence.se);
    let warning = bias
        .as_ref()
        .ok()
        .and_then(|bias| sample_size_advice(bias, transport.smaller()));
    Ok(SetStatistics {
        distance,
        bias,
        corrected,
        nearly_equal,
        warning,
        influence,
    })
}
