//! Which captions make the set distance what it is, and how far it would move in another sample.
//!
//! The influence of a caption x of the first set is
//! IF(x) = 2(μ₁ − μ₂)·(x − μ₁) + (x − μ₁)ᵀ(I − T₁)(x − μ₁) − tr[(I − T₁)Σ₁], and likewise on the other side: the
//! derivative of the distance when x gains weight. It is 0 on average; positive captions make the distance larger.
//! The sum of independent influences is normal (delta method; for this distance: Rippl, Munk & Sturm 2016,
//! arXiv:1507.04090), which gives the standard error.

use ndarray::ArrayView2;

use crate::MetricError;
use crate::paired::Pairs;
use crate::transport::{Sampling, Transport};

/// First-order influence of every caption on the set distance.
#[derive(Debug, Clone, PartialEq)]
pub struct SetInfluence {
    /// Influence of each row of the first set; mean 0. Divided by the number of rows it is what the caption adds.
    pub candidates: Vec<f64>,
    /// Influence of each row of the second set; mean 0.
    pub references: Vec<f64>,
    /// First-order standard error of the distance: over images when paired, over both samples when independent.
    pub se: f64,
}

/// Influence of every row of `a` and `b` on the distance of `transport`, which was made from them.
///
/// Where a set does not span all directions (`n ≤ d`), the directions it lacks have no influence: the numbers
/// then rank captions, but their standard error is too small.
///
/// # Errors
/// Pairs that are inconsistent.
pub fn set_influence(
    transport: &Transport,
    a: ArrayView2<f32>,
    b: ArrayView2<f32>,
    sampling: Sampling,
) -> Result<SetInfluence, MetricError> {
    let delta = &transport.first.mean - &transport.second.mean;
    let candidates = centre(transport.first.quadratic(a, delta.view()));
    let references = centre(transport.second.quadratic(b, (-&delta).view()));
    let se = match sampling {
        Sampling::Independent => variance_of_mean(&candidates) + variance_of_mean(&references),
        Sampling::Paired { image_of } => {
            Pairs { candidates: a, references: b, image_of }.references_per_image()?;
            let n = candidates.len() as f64;
            let share = n / references.len() as f64;
            let mut images = candidates.clone();
            for (&image, influence) in image_of.iter().zip(&references) {
                images[image] += share * influence;
            }
            variance_of_mean(&images)
        }
    }
    .sqrt();
    Ok(SetInfluence { candidates, references, se })
}

fn centre(mut values: Vec<f64>) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|value| *value -= mean);
    values
}

/// Estimated variance of the mean of centred values.
fn variance_of_mean(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    values.iter().map(|v| v * v).sum::<f64>() / (n * (n - 1.0))
}
