//! The set distance near a pair of sets: first and second derivative in coordinates where both are simple.
//!
//! With Σ₁ = L₁L₁ᵀ, Σ₂ = L₂L₂ᵀ and L₁ᵀL₂ = U S Vᵀ, the maps A = S^-½ Vᵀ L₂ᵀ and B = S^-½ Uᵀ L₁ᵀ balance the two
//! covariances: A Σ₁ Aᵀ = B Σ₂ Bᵀ = S, and A Bᵀ = I, so the product Σ₁Σ₂, hence
//! F = tr (Σ₁^½ Σ₂ Σ₁^½)^½, keeps its eigenvalues. For small symmetric changes E₁, E₂ of the two S,
//!
//! F(S + E₁, S + E₂) = tr S + ½ tr (E₁ + E₂) − ¼ Σᵢⱼ (E₁ − E₂)ᵢⱼ² / (sᵢ + sⱼ) + third order.
//!
//! (The balancing is that of Moore 1981 for Gramians; the derivatives are those of the matrix square root,
//! and of F along E₁ = E₂, where it is linear.) The first order makes the influence of a caption, with AᵀA the optimal
//! transport map T of Rippl, Munk & Sturm 2016 (arXiv:1507.04090); the second order makes the bias.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::MetricError;
use crate::linalg::{Factor, Svd, default_solver};
use crate::moments::Moments;

/// Singular values below this share of the largest are rounding: the sets have no spread there.
const ROUNDING: f64 = 1e-12;
/// Rows that are mapped at a time.
const BLOCK: usize = 512;

/// The set distance around two sets with known moments.
pub(super) struct Expansion {
    /// The distance itself, as `fgd_set` computes it.
    pub(super) value: f64,
    /// S, descending, of length r.
    pub(super) spectrum: Array1<f64>,
    /// √(n/(n−1) · m/(m−1)): what ddof = 1 does to F.
    pub(super) scale: f64,
    pub(super) candidates: Side,
    pub(super) references: Side,
}

/// One of the two sets: where it is, and how it maps to balanced coordinates.
pub(super) struct Side {
    mean: Array1<f64>,
    /// Gradient of ‖μ₁ − μ₂‖² in this set's mean.
    pull: Array1<f64>,
    /// n/(n−1).
    pub(super) scale: f64,
    /// Aᵀ or Bᵀ, `[d, r]`.
    pub(super) balance: Array2<f64>,
}

/// Rows of a set, seen from the expansion.
pub(super) struct Coordinates {
    /// Rows less the mean, `[n, d]`.
    pub(super) centred: Array2<f32>,
    /// The same in balanced coordinates, `[n, r]`.
    pub(super) balanced: Array2<f32>,
    /// Influence of each row, up to a constant: the first-order change of the distance when its weight grows.
    pub(super) slopes: Vec<f64>,
}

impl Expansion {
    pub(super) fn new(candidates: &Moments, references: &Moments) -> Result<Self, MetricError> {
        let solver = default_solver();
        let factor =
            |moments: &Moments| Factor::of_covariance(moments.covariance(0)?.view(), solver);
        let (first, second) = (factor(candidates)?, factor(references)?);
        let Svd { u, s, vt } = solver.svd(first.l().t().dot(&second.l()).view())?;
        let largest = s.iter().copied().fold(0.0, f64::max);
        let kept: Vec<usize> = (0..s.len())
            .filter(|&i| s[i] > ROUNDING * largest)
            .collect();
        let spectrum = s.select(Axis(0), &kept);
        let roots = spectrum.mapv(f64::sqrt);
        let (scale1, scale2) = (bessel(candidates), bessel(references));
        let scale = (scale1 * scale2).sqrt();
        let shift = &candidates.mean() - &references.mean();
        let value = shift.dot(&shift) + scale1 * first.trace() + scale2 * second.trace()
            - 2.0 * scale * s.sum();
        Ok(Expansion {
            value: value.max(0.0),
            scale,
            candidates: Side {
                mean: candidates.mean().to_owned(),
                pull: 2.0 * &shift,
                scale: scale1,
                balance: second.l().dot(&vt.select(Axis(0), &kept).t()) / &roots,
            },
            references: Side {
                mean: references.mean().to_owned(),
                pull: -2.0 * &shift,
                scale: scale2,
                balance: first.l().dot(&u.select(Axis(1), &kept)) / &roots,
            },
            spectrum,
        })
    }

    /// Coordinates and slopes of rows of one side, in parallel over blocks of rows.
    pub(super) fn coordinates(&self, side: &Side, rows: ArrayView2<'_, f32>) -> Coordinates {
        let mut coordinates = Coordinates {
            centred: Array2::zeros(rows.dim()),
            balanced: Array2::zeros((rows.nrows(), self.spectrum.len())),
            slopes: vec![0.0; rows.nrows()],
        };
        (rows.axis_chunks_iter(Axis(0), BLOCK).into_par_iter())
            .zip(coordinates.centred.axis_chunks_iter_mut(Axis(0), BLOCK))
            .zip(coordinates.balanced.axis_chunks_iter_mut(Axis(0), BLOCK))
            .zip(coordinates.slopes.par_chunks_mut(BLOCK))
            .for_each(|(((rows, mut centred), mut balanced), slopes)| {
                let block = rows.mapv(f64::from) - &side.mean;
                let image = block.dot(&side.balance);
                for ((value, row), image) in slopes
                    .iter_mut()
                    .zip(block.outer_iter())
                    .zip(image.outer_iter())
                {
                    *value = side.pull.dot(&row) + side.scale * row.dot(&row)
                        - self.scale * image.dot(&image);
                }
                centred.assign(&block.mapv(|v| v as f32));
                balanced.assign(&image.mapv(|v| v as f32));
            });
        coordinates
    }
}

/// n/(n−1), from a covariance of ddof 0 to one of ddof 1.
fn bessel(moments: &Moments) -> f64 {
    let n = moments.n() as f64;
    n / (n - 1.0)
}
