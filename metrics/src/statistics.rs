//! The set distance with everything that says how far to trust it, from one decomposition.
//!
//! How the intervals fare is simulated by `examples/coverage.rs`: unit vectors of anisotropic spread in 384 dimensions, two
//! systems, the share of draws in which the 95% interval held the truth.
//!
//! | | draws | `fgd_paired` | `fgd_set`, same images | `fgd_set`, independent sets |
//! |---|---:|---:|---:|---:|
//! | moderately different (`fgd_set` .0937), N = 1,000 | 1,000 | 94.7% ± 0.7 | 95.0% ± 0.7 | 93.4% ± 0.8 |
//! | similar (.0090), N = 1,000 | 1,000 | 95.3% ± 0.7 | 96.3% ± 0.6 | 96.3% ± 0.6 |
//! | moderately different, N = 4,000 | 850 | 95.1% ± 0.7 | 95.5% ± 0.7 | 93.9% ± 0.8 |
//! | similar, N = 4,000 | 850 | 94.9% ± 0.8 | 95.9% ± 0.7 | 93.8% ± 0.8 |
//!
//! How much is taken off the variance of independent sets was chosen so that the first two rows of the last column do well;
//! the other two are a test of it.

use ndarray::ArrayView2;

use crate::MetricError;
use crate::bias::{Bias, SampleSizeWarning, analytic_bias, sample_size_advice};
use crate::decomposition::{Decomposition, decompose, of_transport};
use crate::estimate::{Estimate, Unavailable};
use crate::frechet::{SetDistance, fgd_set};
use crate::influence::{SetInfluence, set_influence};
use crate::paired::Pairs;
use crate::transport::{Sampling, Transport};

/// How fast the excess in the variance of the influence of independent sets is lost with d/N: the influence is estimated from
/// the captions it is then evaluated on, and fits them. Found by simulation, not by theory (`examples/coverage.rs`).
const EXCESS_LOST: f64 = 1.8;

/// `fgd_set` with its bias, its uncertainty and its attribution.
#[derive(Debug, Clone, PartialEq)]
pub struct SetStatistics {
    /// The distance as every tool computes it.
    pub distance: SetDistance,
    /// What the paired distance is made of; for captions of the same images.
    pub decomposition: Option<Decomposition>,
    /// Closed-form bias, and the distance without it.
    pub bias: Result<Bias, Unavailable>,
    /// The corrected distance with its standard error to second order and its 95% interval. The interval is about the
    /// corrected value, cut at 0.
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
///
/// # Errors
/// Fewer than two rows on a side, dimensions that differ, values that are not finite, or pairs that are inconsistent.
pub fn set_statistics(
    a: ArrayView2<f32>,
    b: ArrayView2<f32>,
    sampling: Sampling,
) -> Result<SetStatistics, MetricError> {
    let transport = Transport::between(a, b)?;
    let distance =
        if transport.smaller() > transport.dim() { transport.distance() } else { fgd_set(a, b)? };
    let decomposition = match sampling {
        Sampling::Independent => None,
        Sampling::Paired { image_of } => {
            Some(decomposed(&transport, &Pairs { candidates: a, references: b, image_of })?)
        }
    };
    let influence = set_influence(&transport, a, b, sampling)?;
    let bias = analytic_bias(&transport, a, b, sampling)?;
    let corrected = bias.clone().map(|bias| {
        Estimate::non_negative(
            bias.corrected,
            standard_error(influence.se, &bias, &transport, sampling),
        )
    });
    let nearly_equal =
        bias.as_ref().is_ok_and(|bias| influence.se.powi(2) < 3.0 * bias.second_order_se.powi(2));
    let warning = bias.as_ref().ok().and_then(|bias| sample_size_advice(bias, transport.smaller()));
    Ok(SetStatistics { distance, decomposition, bias, corrected, nearly_equal, warning, influence })
}

fn decomposed(transport: &Transport, pairs: &Pairs) -> Result<Decomposition, MetricError> {
    // With fewer captions than dimensions the transport knows its covariances to rounding only.
    let shared =
        if transport.smaller() > transport.dim() { of_transport(pairs, transport)? } else { None };
    shared.map_or_else(|| decompose(pairs), Ok)
}

/// The standard error of the distance to second order.
///
/// Let V₁ and V₂ be the variances of the linear and the quadratic part of the distance's expansion. The influence is
/// estimated at sample moments, whose own error adds 2 V₂ to its variance: for a quadratic form Q = eᵀHe of an error e
/// with covariance V, the gradient 2He has the expected variance 4 tr(HVHV) = 2 Var Q (the excess of the jackknife that
/// Efron & Stein 1981 describe). So V₁ + V₂ = se² − V₂ is left where d/N is small. Of independent sets less is taken off, see
/// [`EXCESS_LOST`]. Never below V₂, which is all of the variance where the populations are equal.
fn standard_error(influence: f64, bias: &Bias, transport: &Transport, sampling: Sampling) -> f64 {
    let (linear, quadratic) = (influence.powi(2), bias.second_order_se.powi(2));
    let dimensions_per_caption = transport.dim() as f64 / transport.smaller() as f64;
    let excess = match sampling {
        Sampling::Paired { .. } => 1.0,
        Sampling::Independent => (1.0 - EXCESS_LOST * dimensions_per_caption).max(0.0),
    };
    (linear - excess * quadratic).max(quadratic).sqrt()
}
