//! Which captions make the set distance what it is.
//!
//! The influence of a caption x of the first set is
//! IF(x) = 2(μ₁ − μ₂)·(x − μ₁) + (x − μ₁)ᵀ(I − T₁)(x − μ₁) − tr[(I − T₁)Σ₁], and likewise on the other side: the
//! derivative of the distance when x gains weight. It is 0 on average; positive captions make the distance larger. What it says of
//! the distance's error, and what not, stands in [`inference`](crate::inference).

use ndarray::ArrayView2;

use crate::transport::Transport;

/// First-order influence of every caption on the set distance.
#[derive(Debug, Clone, PartialEq)]
pub struct SetInfluence {
    /// Influence of each row of the first set; mean 0. Divided by the number of rows it is what the caption adds.
    pub candidates: Vec<f64>,
    /// Influence of each row of the second set; mean 0.
    pub references: Vec<f64>,
}

impl SetInfluence {
    /// From influences up to a constant on either side.
    pub(crate) fn of_slopes(candidates: Vec<f64>, references: Vec<f64>) -> Self {
        Self { candidates: centre(candidates), references: centre(references) }
    }
}

/// Influence of every row of `a` and `b` on the distance of `transport`, which was made from them.
///
/// Where a set does not span all directions (`n ≤ d`), the directions it lacks have no influence.
pub fn set_influence(
    transport: &Transport,
    a: ArrayView2<f32>,
    b: ArrayView2<f32>,
) -> SetInfluence {
    let delta = &transport.first.mean - &transport.second.mean;
    SetInfluence::of_slopes(
        transport.first.quadratic(a, delta.view()),
        transport.second.quadratic(b, (-&delta).view()),
    )
}

fn centre(mut values: Vec<f64>) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|value| *value -= mean);
    values
}
