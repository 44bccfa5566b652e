//! A covariance Σ as `L Lᵀ`, whatever its rank: the form in which the Fréchet distance keeps its digits.
//!
//! Square roots of the eigenvalues of Σ₁Σ₂ lose half of them; the singular values of L₁ᵀL₂ do not. Any factor
//! will do, so the cheapest is taken: the centred rows themselves when there are fewer rows than dimensions,
//! a Cholesky factor with diagonal pivoting (Higham 1990, "Analysis of the Cholesky decomposition of a
//! semi-definite matrix") otherwise. Pivoting finds the rank and stops there, so rounding noise in the null
//! space never reaches a square root.

use fgd_kernels::{Isa, Kernel, Level};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};

use super::Decompose;
use crate::MetricError;
use crate::moments::centred;

/// A covariance this far from positive semi-definite, relative to its trace, is refused.
const MAX_CLIPPED: f64 = 1e-3;

/// A rectangular factor `L` of a covariance Σ = L Lᵀ.
#[derive(Debug, Clone)]
pub struct Factor {
    l: Array2<f64>,
    trace: f64,
    clipped: f64,
}

impl Factor {
    /// Factor of a symmetric positive semi-definite matrix `[d, d]`.
    ///
    /// A matrix that is slightly indefinite, as rounded files are, loses its negative eigenvalues;
    /// [`Factor::clipped`] says how much that was. One that is far from semi-definite is an error. `mean_square` is |μ|² of the
    /// rows that Σ was computed from, whose rounding is all that is left where they hardly vary; 0 for a matrix in its own right.
    pub fn of_covariance(
        sigma: ArrayView2<f64>,
        mean_square: f64,
        solver: &dyn Decompose,
    ) -> Result<Self, MetricError> {
        let largest = sigma.diag().iter().fold(0.0, |max: f64, &v| max.max(v));
        let l = pivoted_cholesky(sigma, largest);
        if l.ncols() < sigma.nrows() {
            let residual =
                (&sigma - &l.dot(&l.t())).iter().fold(0.0, |max: f64, v| max.max(v.abs()));
            let rounding = 10.0 * sigma.nrows() as f64 * f64::EPSILON * largest;
            if residual > rounding {
                return Self::clip_eigenvalues(sigma, mean_square, solver);
            }
        }
        Ok(Self { l, trace: sigma.diag().sum(), clipped: 0.0 })
    }

    /// Factor of the covariance Σ wᵢ (xᵢ − μ)(xᵢ − μ)ᵀ of few rows `[n, d]`: the scaled rows themselves, `[d, n]`.
    pub fn of_rows(rows: ArrayView2<f32>, mean: ArrayView1<f64>, weights: &[f64]) -> Self {
        let l = centred(rows, mean, Some(weights)).reversed_axes();
        let trace = l.iter().map(|v| v * v).sum();
        Self { l, trace, clipped: 0.0 }
    }

    /// The factor, `[d, r]`, where `r` is at least the rank of Σ.
    pub fn l(&self) -> ArrayView2<'_, f64> {
        self.l.view()
    }

    /// Trace of Σ.
    pub fn trace(&self) -> f64 {
        self.trace
    }

    /// Sum of the magnitudes of the negative eigenvalues that were set to zero; 0 for a true covariance.
    pub fn clipped(&self) -> f64 {
        self.clipped
    }

    fn clip_eigenvalues(
        sigma: ArrayView2<f64>,
        mean_square: f64,
        solver: &dyn Decompose,
    ) -> Result<Self, MetricError> {
        let d = sigma.nrows() as f64;
        let rounding = 10.0 * d * d * f64::EPSILON * mean_square;
        let eigen = solver.symmetric_eigen(sigma)?;
        let clipped: f64 = eigen.values.iter().map(|&v| (-v).max(0.0)).sum();
        let trace: f64 = eigen.values.iter().map(|&v| v.max(0.0)).sum();
        if clipped > MAX_CLIPPED * trace + rounding {
            return Err(MetricError::NotACovariance(format!(
                "its negative eigenvalues sum to −{clipped:.3e} beside positive ones of {trace:.3e}"
            )));
        }
        let roots: Array1<f64> = eigen.values.mapv(|v| v.max(0.0).sqrt());
        let clipped = if clipped > rounding { clipped } else { 0.0 };
        Ok(Self { l: eigen.vectors * &roots, trace, clipped })
    }
}

/// `L` with Σ = L Lᵀ, `[d, rank]`: at each step the largest remaining diagonal entry is the pivot, and the
/// first one that is no larger than rounding ends the factor.
fn pivoted_cholesky(sigma: ArrayView2<f64>, largest: f64) -> Array2<f64> {
    let d = sigma.nrows();
    let tolerance = d as f64 * f64::EPSILON * largest;
    let mut l = Array2::<f64>::zeros((d, d));
    let mut remaining: Vec<f64> = sigma.diag().to_vec();
    let mut open: Vec<usize> = (0..d).collect();
    let mut pivot_row = Vec::with_capacity(d);
    let level = Level::current();
    for k in 0..d {
        let (at, pivot) = match open
            .iter()
            .copied()
            .enumerate()
            .max_by(|a, b| remaining[a.1].total_cmp(&remaining[b.1]))
        {
            Some((at, pivot)) if remaining[pivot] > tolerance => (at, pivot),
            _ => return l.slice_move(s![.., ..k]),
        };
        open.swap_remove(at);
        let root = remaining[pivot].sqrt();
        let entries = l.as_slice_mut().expect("made row by row");
        pivot_row.clear();
        pivot_row.extend_from_slice(&entries[pivot * d..][..k]);
        entries[pivot * d + k] = root;
        for &i in &open {
            let row = &mut entries[i * d..][..=k];
            let entry = (sigma[[pivot, i]] - level.run(Dot(&row[..k], &pivot_row))) / root;
            row[k] = entry;
            remaining[i] -= entry * entry;
        }
    }
    l
}

/// Σ a·b
struct Dot<'a>(&'a [f64], &'a [f64]);

impl Kernel for Dot<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f64 {
        let ((a, a_rest), (b, b_rest)) = (self.0.as_chunks::<16>(), self.1.as_chunks::<16>());
        let mut sums = [0.0; 16];
        for (a, b) in a.iter().zip(b) {
            for c in 0..16 {
                sums[c] = isa.mul_add(a[c], b[c], sums[c]);
            }
        }
        let rest = a_rest.iter().zip(b_rest).fold(0.0, |sum, (&a, &b)| isa.mul_add(a, b, sum));
        sums.iter().sum::<f64>() + rest
    }
}
