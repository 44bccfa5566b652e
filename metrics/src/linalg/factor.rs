//! A covariance Σ as `L Lᵀ`, whatever its rank: the form in which the Fréchet distance keeps its digits.
//!
//! Square roots of the eigenvalues of Σ₁Σ₂ lose half of them; the singular values of L₁ᵀL₂ do not. Any factor
//! will do, so the cheapest is taken: the centred rows themselves when there are fewer rows than dimensions,
//! a Cholesky factor with diagonal pivoting (Higham 1990, "Analysis of the Cholesky decomposition of a
//! semi-definite matrix") otherwise. Pivoting finds the rank and stops there, so rounding noise in the null
//! space never reaches a square root.

use fgd_kernels::{Doubles, Isa, Kernel, LANES_F64, Level};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

use super::Decompose;
use crate::MetricError;
use crate::moments::centred;

/// A covariance this far from positive semi-definite, relative to its trace, is refused.
const MAX_CLIPPED: f64 = 1e-3;
/// Columns multiplied at once where a triangle's zeros are left out.
const BLOCK: usize = 64;

/// A rectangular factor `L` of a covariance Σ = L Lᵀ.
#[derive(Debug, Clone)]
pub struct Factor {
    l: Array2<f64>,
    /// The rows of L in an order in which it is lower triangular; `None` where it is not.
    order: Option<Vec<usize>>,
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
        let (l, order) = pivoted_cholesky(sigma, largest);
        if l.ncols() < sigma.nrows() {
            let residual =
                (&sigma - &l.dot(&l.t())).iter().fold(0.0, |max: f64, v| max.max(v.abs()));
            let rounding = 10.0 * sigma.nrows() as f64 * f64::EPSILON * largest;
            if residual > rounding {
                return Self::clip_eigenvalues(sigma, mean_square, solver);
            }
        }
        Ok(Self { l, order: Some(order), trace: sigma.diag().sum(), clipped: 0.0 })
    }

    /// Factor of the covariance Σ wᵢ (xᵢ − μ)(xᵢ − μ)ᵀ of few rows `[n, d]`: the scaled rows themselves, `[d, n]`.
    pub fn of_rows(rows: ArrayView2<f32>, mean: ArrayView1<f64>, weights: &[f64]) -> Self {
        let l = centred(rows, mean, Some(weights)).reversed_axes();
        let trace = l.iter().map(|v| v * v).sum();
        Self { l, order: None, trace, clipped: 0.0 }
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

    /// The upper triangle of Lᵀ A L, `[r, r]`, for a symmetric A `[d, d]`; what is below it is not all there.
    pub(crate) fn congruence(&self, a: ArrayView2<f64>) -> Array2<f64> {
        let Some(order) = &self.order else {
            return self.l.t().dot(&a.dot(&self.l));
        };
        let (d, r) = self.l.dim();
        let l = self.l.select(Axis(0), order);
        let mut ordered = Array2::zeros((d, d));
        for (mut row, &i) in ordered.outer_iter_mut().zip(order) {
            let from = a.row(i);
            row.iter_mut().zip(order).for_each(|(entry, &j)| *entry = from[j]);
        }
        let blocks = || (0..r).step_by(BLOCK).map(|start| start..r.min(start + BLOCK));
        // Of A L, the rows from each block's own on: no others meet entries of L that are not zero.
        let mut half = Array2::zeros((d, r));
        for own in blocks() {
            let below = own.start..d;
            let left = ordered.slice(s![below.clone(), below.clone()]);
            let right = l.slice(s![below.clone(), own.clone()]);
            general_mat_mul(1.0, &left, &right, 0.0, &mut half.slice_mut(s![below, own]));
        }
        let mut whole = Array2::zeros((r, r));
        for own in blocks() {
            let (below, before) = (own.start..d, ..own.end);
            let left = half.slice(s![below.clone(), before]);
            let right = l.slice(s![below, own.clone()]);
            general_mat_mul(1.0, &left.t(), &right, 0.0, &mut whole.slice_mut(s![before, own]));
        }
        whole
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
        Ok(Self { l: eigen.vectors * &roots, order: None, trace, clipped })
    }
}

/// `L` with Σ = L Lᵀ, `[d, rank]`, and the order of its rows in which it is lower triangular: at each step the largest remaining
/// diagonal entry is the pivot, and the first one that is no larger than rounding ends the factor.
fn pivoted_cholesky(sigma: ArrayView2<f64>, largest: f64) -> (Array2<f64>, Vec<usize>) {
    let d = sigma.nrows();
    let tolerance = d as f64 * f64::EPSILON * largest;
    let width = d.div_ceil(LANES_F64);
    let mut rows = vec![[0.0; LANES_F64]; d * width];
    let mut remaining: Vec<f64> = sigma.diag().to_vec();
    let mut open: Vec<usize> = (0..d).collect();
    let mut order = Vec::with_capacity(d);
    let mut known = vec![0.0; d];
    let level = Level::current();
    while let Some((at, pivot)) = (open.iter().copied().enumerate())
        .max_by(|a, b| remaining[a.1].total_cmp(&remaining[b.1]))
        .filter(|&(_, pivot)| remaining[pivot] > tolerance)
    {
        open.swap_remove(at);
        let rank = order.len();
        order.push(pivot);
        let root = remaining[pivot].sqrt();
        let known = &mut known[..open.len()];
        level.run(Known {
            rows: &rows,
            width,
            filled: rank.div_ceil(LANES_F64),
            pivot,
            open: &open,
            known,
        });
        let beside = sigma.row(pivot);
        let entries = rows.as_flattened_mut();
        entries[pivot * width * LANES_F64 + rank] = root;
        for (&i, known) in open.iter().zip(known) {
            let entry = (beside[i] - *known) / root;
            entries[i * width * LANES_F64 + rank] = entry;
            remaining[i] -= entry * entry;
        }
    }
    let rank = order.len();
    order.append(&mut open);
    let l = Array2::from_shape_vec((d, width * LANES_F64), rows.into_flattened());
    (l.expect("rows of whole lanes").slice_move(s![.., ..rank]), order)
}

/// What the columns of L so far make of the entries of Σ between the pivot and the rows still open: Σₖ L[pivot, k] L[i, k]. What
/// is not filled yet is zero.
struct Known<'a> {
    rows: &'a [[f64; LANES_F64]],
    width: usize,
    filled: usize,
    pivot: usize,
    open: &'a [usize],
    known: &'a mut [f64],
}

impl Kernel for Known<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let row = |i: usize| &self.rows[i * self.width..][..self.filled];
        let pivot = row(self.pivot);
        let (groups, rest) = self.open.as_chunks();
        let (known, known_rest) = self.known.as_chunks_mut();
        for (known, group) in known.iter_mut().zip(groups) {
            *known = dots::<4, I>(isa, pivot, group.map(row));
        }
        for (known, &i) in known_rest.iter_mut().zip(rest) {
            [*known] = dots(isa, pivot, [row(i)]);
        }
    }
}

#[inline(always)]
fn dots<const C: usize, I: Isa>(
    isa: I,
    pivot: &[[f64; LANES_F64]],
    rows: [&[[f64; LANES_F64]]; C],
) -> [f64; C] {
    let mut sums = [isa.splat_f64(0.0); C];
    for (k, pivot) in pivot.iter().enumerate() {
        let pivot = isa.load_f64(pivot);
        for c in 0..C {
            sums[c] = pivot.mul_add(isa.load_f64(&rows[c][k]), sums[c]);
        }
    }
    let mut totals = [0.0; C];
    for c in 0..C {
        totals[c] = sums[c].sum();
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_congruence_is_two_products() {
        let rows = |n: usize, seed: usize| {
            Array2::from_shape_fn((n, 150), |(i, j)| ((i * i * seed + j * 31 + i * j) % 64) as f64)
        };
        let symmetric = |rows: Array2<f64>| rows.t().dot(&rows) / 1e3;
        let full = symmetric(rows(400, 7)) + Array2::<f64>::eye(150);
        let of = |sigma: Array2<f64>| {
            Factor::of_covariance(sigma.view(), 0.0, &crate::linalg::Native).expect("a covariance")
        };
        let mean = Array1::zeros(150);
        let few = rows(40, 3).mapv(|v| v as f32);
        let no_triangle = Factor::of_rows(few.view(), mean.view(), &[0.025; 40]);
        for factor in [of(full), of(symmetric(rows(90, 5))), no_triangle] {
            let a = symmetric(rows(300, 11));
            let found = factor.congruence(a.view());
            let expected = factor.l().t().dot(&a.dot(&factor.l()));
            let scale = expected.diag().sum();
            for ((i, j), value) in expected.indexed_iter().filter(|((i, j), _)| i <= j) {
                assert!((found[[i, j]] - value).abs() < 1e-13 * scale, "{i} {j}");
            }
        }
    }

    #[test]
    fn all_levels_agree() {
        let rows: Vec<[f64; LANES_F64]> = (0..14)
            .map(|i| std::array::from_fn(|c| ((i * 13 + c * 7) % 17) as f64 / 5.0 - 1.5))
            .collect();
        let open = [6, 0, 5, 1, 3, 4];
        let run = |level: Level| {
            let mut known = [0.0; 6];
            let rows = &rows;
            level.run(Known {
                rows,
                width: 2,
                filled: 2,
                pivot: 2,
                open: &open,
                known: &mut known,
            });
            known
        };
        let plain = run(Level::PORTABLE);
        let entry = |i: usize| rows[2 * i..][..2].as_flattened().iter();
        for (&i, known) in open.iter().zip(plain) {
            let expected: f64 = entry(2).zip(entry(i)).map(|(a, b)| a * b).sum();
            assert!((known - expected).abs() < 1e-13, "{i}");
        }
        for level in Level::available() {
            let alike = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-13;
            assert!(run(level).iter().zip(&plain).all(alike), "{level}");
        }
    }
}
