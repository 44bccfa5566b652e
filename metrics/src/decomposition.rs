//! What the paired distance is made of: `fgd_paired = mean shift + covariance + misalignment`.
//!
//! With covariances of the population (ddof 0) and C₁₂ the cross-covariance of the pairs,
//! fgd_paired = ‖μ₁ − μ₂‖² + tr Σ₁ + tr Σ₂ − 2 tr C₁₂ exactly. Adding and subtracting the Fréchet distance's
//! 2 tr (Σ₁^½ Σ₂ Σ₁^½)^½ leaves that distance, and 2 [tr (Σ₁^½ Σ₂ Σ₁^½)^½ − tr C₁₂], which is never negative: over all
//! couplings of two covariances the cross-covariance's trace is at most the fidelity (Dowson & Landau 1982). The
//! right style on the wrong image shows as misalignment.

use ndarray::{Array1, ArrayView2};
use rayon::prelude::*;

use crate::MetricError;
use crate::frechet::Side;
use crate::linalg::{Decompose, Factor, default_solver};
use crate::moments::{weighted_mean, weighted_moments};
use crate::paired::Pairs;
use crate::transport::Transport;

/// The three parts of `fgd_paired`; each at least 0, together equal to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decomposition {
    /// ‖μ₁ − μ₂‖²: a style that differs on average.
    pub mean_shift: f64,
    /// Squared Bures distance between the covariances: a variety that differs.
    pub covariance: f64,
    /// What re-pairing the captions in the best possible way could gain: content that misses its image.
    pub misalignment: f64,
}

/// Splits the paired distance of `pairs`.
///
/// ddof 0. With several references per image each pair weighs 1/(N kᵢ), as it does in
/// [`fgd_paired`](crate::paired::fgd_paired); `mean_shift + covariance` then equals
/// [`fgd_set`](crate::frechet::fgd_set) up to its ddof when all images have equally many references.
///
/// # Errors
/// Inconsistent pairs, or embeddings that are not finite.
pub fn decompose(pairs: &Pairs) -> Result<Decomposition, MetricError> {
    decompose_with(pairs, default_solver())
}

/// [`decompose`] with a given linear algebra library.
///
/// # Errors
/// As [`decompose`].
pub fn decompose_with(pairs: &Pairs, solver: &dyn Decompose) -> Result<Decomposition, MetricError> {
    let counts = pairs.references_per_image()?;
    let n = counts.len() as f64;
    let of_candidates = vec![1.0 / n; counts.len()];
    let of_pairs: Vec<f64> =
        pairs.image_of.iter().map(|&image| 1.0 / (n * counts[image] as f64)).collect();
    let candidates = weighted_side(pairs.candidates, &of_candidates, solver)?;
    let references = weighted_side(pairs.references, &of_pairs, solver)?;
    let set = candidates.distance(&references, solver)?;
    let cross = cross_trace(pairs, &of_pairs, &candidates.mean, &references.mean);
    Ok(Decomposition {
        mean_shift: set.mean_shift,
        covariance: set.covariance_term,
        misalignment: (2.0 * (set.trace_sqrt - cross)).max(0.0),
    })
}

/// [`decompose`] out of a transport that was made from the same captions; `None` where some images have more references
/// than others, which the transport does not weigh.
pub(crate) fn of_transport(
    pairs: &Pairs,
    transport: &Transport,
) -> Result<Option<Decomposition>, MetricError> {
    let counts = pairs.references_per_image()?;
    if counts.iter().any(|count| *count != counts[0]) {
        return Ok(None);
    }
    let (first, second) = (&transport.first, &transport.second);
    let weights = vec![1.0 / second.n as f64; pairs.image_of.len()];
    let cross = cross_trace(pairs, &weights, &first.mean, &second.mean);
    Ok(Some(of_cross_trace(transport, cross)))
}

/// The parts from tr C₁₂, where all images have equally many references.
pub(crate) fn of_cross_trace(transport: &Transport, cross: f64) -> Decomposition {
    let (first, second) = (&transport.first, &transport.second);
    let (n, m) = (first.n as f64, second.n as f64);
    // From ddof 1 to ddof 0.
    let (of_first, of_second) = ((n - 1.0) / n, (m - 1.0) / m);
    let set = transport.distance();
    let trace_sqrt = (of_first * of_second).sqrt() * set.trace_sqrt;
    let traces =
        of_first * first.covariance.diag().sum() + of_second * second.covariance.diag().sum();
    Decomposition {
        mean_shift: set.mean_shift,
        covariance: (traces - 2.0 * trace_sqrt).max(0.0),
        misalignment: (2.0 * (trace_sqrt - cross)).max(0.0),
    }
}

fn weighted_side(
    rows: ArrayView2<f32>,
    weights: &[f64],
    solver: &dyn Decompose,
) -> Result<Side, MetricError> {
    if rows.nrows() <= rows.ncols() {
        let mean = weighted_mean(rows, weights);
        return Side::of_few_rows(rows, mean, weights);
    }
    let (mean, covariance) = weighted_moments(rows, weights);
    if mean.iter().chain(&covariance).any(|v| !v.is_finite()) {
        return Err(MetricError::NotFinite { what: "embeddings" });
    }
    let factor = Factor::of_covariance(covariance.view(), mean.dot(&mean), solver)?;
    Ok(Side { mean, factor })
}

/// tr C₁₂ = Σ w (p − μ₁)·(g − μ₂) over the pairs.
fn cross_trace(pairs: &Pairs, weights: &[f64], mean1: &Array1<f64>, mean2: &Array1<f64>) -> f64 {
    let terms: Vec<f64> = (0..weights.len())
        .into_par_iter()
        .map(|j| {
            let p = pairs.candidates.row(pairs.image_of[j]);
            let g = pairs.references.row(j);
            let product: f64 = p
                .iter()
                .zip(&g)
                .zip(mean1.iter().zip(mean2))
                .map(|((&p, &g), (m1, m2))| (f64::from(p) - m1) * (f64::from(g) - m2))
                .sum();
            weights[j] * product
        })
        .collect();
    terms.iter().sum()
}
