//! The optimal transport between the Gaussians of two sets: what the set distance's statistics are built on.
//!
//! Write L₁ᵀL₂ = U S Vᵀ for factors Σ = L Lᵀ. The linear map that carries the first Gaussian onto the second is
//! T₁ = Σ₁^-½(Σ₁^½Σ₂Σ₁^½)^½Σ₁^-½ = W₁ᵀW₁ with W₁ = S^-½ Vᵀ L₂ᵀ, and back again T₂ = W₂ᵀW₂ with W₂ = S^-½ Uᵀ L₁ᵀ (Dowson &
//! Landau 1982; Knott & Smith 1984). In the coordinates W₁(x − μ₁) and W₂(y − μ₂) both sets have the same diagonal
//! covariance S, so first and second derivatives of the distance are sums over entries. No matrix is inverted;
//! directions that one of the sets does not span are left out, which is the pseudo-inverse.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use crate::MetricError;
use crate::frechet::{SetDistance, Side, same_dimension};
use crate::linalg::{Decompose, default_solver, product};
use crate::moments::{Moments, centred};

/// Singular values below this share of the largest are taken for rounding: their squares, which is what is
/// decomposed, are not known any better.
pub(crate) const SPAN: f64 = 1e-7;
/// Rows whitened at once.
const BLOCK_ROWS: usize = 256;

/// Both sets seen from the optimal transport between them.
#[derive(Debug, Clone)]
pub struct Transport {
    pub(crate) first: Seen,
    pub(crate) second: Seen,
    /// The singular values S, `[r]`: the covariance of either set in the transport's coordinates.
    pub(crate) spectrum: Array1<f64>,
    distance: SetDistance,
}

/// One set seen from the transport.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) n: usize,
    pub(crate) mean: Array1<f64>,
    pub(crate) covariance: Array2<f64>,
    /// W, `[r, d]`.
    pub(crate) map: Array2<f64>,
}

impl Transport {
    /// The transport from the rows of `a` `[n, d]` to the rows of `b` `[m, d]` (ddof 1).
    ///
    /// # Errors
    /// As [`Transport::between_moments`].
    pub fn between(a: ArrayView2<f32>, b: ArrayView2<f32>) -> Result<Self, MetricError> {
        same_dimension(a.ncols(), b.ncols())?;
        let (a, b) = rayon::join(|| Moments::from_rows(a), || Moments::from_rows(b));
        Self::between_moments(&a, &b, default_solver())
    }

    /// The transport between two sets known by their moments (ddof 1).
    ///
    /// # Errors
    /// Fewer than two rows a side, dimensions that differ, or a matrix that is no covariance.
    pub fn between_moments(
        a: &Moments,
        b: &Moments,
        solver: &dyn Decompose,
    ) -> Result<Self, MetricError> {
        same_dimension(a.dim(), b.dim())?;
        let (first, second) =
            rayon::join(|| Side::of_moments(a, 1, solver), || Side::of_moments(b, 1, solver));
        let (first, second) = (first?, second?);
        let (l1, l2) = (first.factor.l(), second.factor.l());
        let factors = product(l1.t(), l2);
        let (eigen, distance) = rayon::join(
            || solver.symmetric_eigen(product(factors.t(), factors.view()).view()),
            || first.distance_by(&second, factors.view(), solver),
        );
        let (eigen, distance) = (eigen?, distance?);
        let largest = eigen.values.iter().fold(0.0, |max: f64, &v| max.max(v)).sqrt();
        let kept: Vec<usize> = (0..eigen.values.len())
            .filter(|&i| eigen.values[i] > 0.0 && eigen.values[i].sqrt() > SPAN * largest)
            .collect();
        let spectrum: Array1<f64> = kept.iter().map(|&i| eigen.values[i].sqrt()).collect();
        let v = eigen.vectors.select(Axis(1), &kept);
        let columns = |power: f64| spectrum.mapv(|s| s.powf(power));
        let map1 = (product(l2, v.view()) * columns(-0.5)).reversed_axes();
        let turned = product(factors.view(), v.view()) * columns(-1.5);
        let map2 = product(l1, turned.view()).reversed_axes();
        let seen = |moments: &Moments, map: Array2<f64>| -> Result<Seen, MetricError> {
            Ok(Seen {
                n: moments.n() as usize,
                mean: moments.mean().to_owned(),
                covariance: moments.covariance(1)?,
                map,
            })
        };
        Ok(Self { first: seen(a, map1)?, second: seen(b, map2)?, spectrum, distance })
    }

    /// The set distance itself.
    pub fn distance(&self) -> SetDistance {
        self.distance
    }

    /// Dimension of the embeddings.
    pub fn dim(&self) -> usize {
        self.first.mean.len()
    }

    /// The smaller of the two sample sizes.
    pub(crate) fn smaller(&self) -> usize {
        self.first.n.min(self.second.n)
    }
}

impl Seen {
    /// (x − μ)ᵀ(I − T)(x − μ) + 2 δ·(x − μ) for each row, in parallel over blocks.
    pub(crate) fn quadratic(&self, rows: ArrayView2<f32>, delta: ArrayView1<f64>) -> Vec<f64> {
        rows.axis_chunks_iter(Axis(0), BLOCK_ROWS)
            .into_par_iter()
            .flat_map_iter(|block| {
                let centred = centred(block, self.mean.view(), None);
                let moved = centred.dot(&self.map.t());
                let value = |(x, t): (ArrayView1<f64>, ArrayView1<f64>)| {
                    x.dot(&x) - t.dot(&t) + 2.0 * delta.dot(&x)
                };
                centred.outer_iter().zip(moved.outer_iter()).map(value).collect::<Vec<f64>>()
            })
            .collect()
    }
}
