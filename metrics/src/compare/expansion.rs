//! The set distance near a pair of sets: its first and second derivative in coordinates where both are simple.
//!
//! In the coordinates of the [transport](crate::transport) both covariances are S, and the maps into them are each other's
//! inverse transpose: Σ₁Σ₂, hence F = tr (Σ₁^½ Σ₂ Σ₁^½)^½, keeps its eigenvalues. For small symmetric changes E₁, E₂
//! of the two S,
//!
//! F(S + E₁, S + E₂) = tr S + ½ tr (E₁ + E₂) − ¼ Σᵢⱼ (E₁ − E₂)ᵢⱼ² / (sᵢ + sⱼ) + third order,
//!
//! from the derivatives of the matrix square root, and because F is linear along E₁ = E₂. The first order makes the
//! influence of a caption, the second the bias.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::MetricError;
use crate::linalg::default_solver;
use crate::moments::Moments;
use crate::transport::{Seen, Transport};

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
    /// The expansion around two sets that were drawn by image.
    pub(super) fn new(candidates: &Moments, references: &Moments) -> Result<Self, MetricError> {
        let transport = Transport::between_moments(candidates, references, default_solver())?;
        let mut order: Vec<usize> = (0..transport.spectrum.len()).collect();
        order.sort_by(|&i, &j| transport.spectrum[j].total_cmp(&transport.spectrum[i]));
        let scales =
            [&transport.first, &transport.second].map(|set| set.n as f64 / (set.n as f64 - 1.0));
        let scale = (scales[0] * scales[1]).sqrt();
        let shift = &transport.first.mean - &transport.second.mean;
        // From the transport's covariances of ddof 1 to ddof 0, in which resampling is plain weighting.
        let side = |set: &Seen, pull: f64, own: f64| Side {
            mean: set.mean.clone(),
            pull: pull * &shift,
            scale: own,
            balance: set.map.select(Axis(0), &order).reversed_axes() * (own / scale).sqrt(),
        };
        Ok(Expansion {
            value: transport.distance().value,
            spectrum: transport.spectrum.select(Axis(0), &order) / scale,
            candidates: side(&transport.first, 2.0, scales[0]),
            references: side(&transport.second, -2.0, scales[1]),
            scale,
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
                for ((value, row), image) in
                    slopes.iter_mut().zip(block.outer_iter()).zip(image.outer_iter())
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
