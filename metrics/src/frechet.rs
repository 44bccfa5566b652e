//! `fgd_set`: the Fréchet distance between two sets of embeddings.
//!
//! d² = ‖μ₁ − μ₂‖² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁^½ Σ₂ Σ₁^½)^½, with ddof = 1 as `np.cov` (Dowson & Landau 1982, "The
//! Fréchet distance between multivariate normal distributions"; Heusel et al. 2017, arXiv:1706.08500, who call it
//! FID). The last trace is the nuclear norm of L₁ᵀL₂ for any Σ = L Lᵀ, which is how it is computed: real, never
//! negative, and exact at any rank, where `sqrtm(Σ₁Σ₂)` returns complex numbers or loses half of its digits.

use ndarray::{ArrayView1, ArrayView2};

use crate::MetricError;
use crate::linalg::{Decompose, Factor, default_solver, product};
use crate::moments::{Moments, column_means};

/// The Fréchet distance with its parts: `value = mean_shift + covariance_term`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SetDistance {
    /// The squared distance; at least 0, lower is better.
    pub value: f64,
    /// ‖μ₁ − μ₂‖².
    pub mean_shift: f64,
    /// tr Σ₁ + tr Σ₂ − 2 tr (Σ₁^½ Σ₂ Σ₁^½)^½: the squared Bures distance between the covariances; at least 0.
    pub covariance_term: f64,
    /// tr (Σ₁^½ Σ₂ Σ₁^½)^½.
    pub trace_sqrt: f64,
    /// Sum of the negative eigenvalues, as a positive number, that were cut off the given covariances. 0 unless
    /// they come from a file that rounded them; then the result holds for the nearest true covariances.
    pub clipped: f64,
}

impl SetDistance {
    /// The same of a set beside itself: nothing.
    pub(crate) fn of_equal_sets(self) -> Self {
        Self { value: 0.0, mean_shift: 0.0, covariance_term: 0.0, ..self }
    }
}

/// The Fréchet distance between the rows of `a` `[n, d]` and of `b` `[m, d]` (ddof 1).
///
/// A set with at most `d` rows enters through its centred rows, so nothing is lost to the covariance's null space; a larger
/// one through its covariance.
///
/// ```
/// use fgd_metrics::frechet::fgd_set;
/// use ndarray::array;
///
/// // Covariances of 2/3 and 8/3 along both axes, means one apart: 1 + 2 (√(8/3) − √(2/3))² = 7/3.
/// let a = array![[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]];
/// let b = array![[3.0, 0.0], [-1.0, 0.0], [1.0, 2.0], [1.0, -2.0]];
/// let distance = fgd_set(a.view(), b.view())?;
/// assert!((distance.value - 7.0 / 3.0).abs() < 1e-6);
/// assert!((distance.mean_shift - 1.0).abs() < 1e-6);
/// # Ok::<(), fgd_metrics::MetricError>(())
/// ```
///
/// # Errors
/// Fewer than two rows a side, dimensions that differ, or values that are not finite.
pub fn fgd_set(a: ArrayView2<f32>, b: ArrayView2<f32>) -> Result<SetDistance, MetricError> {
    fgd_set_with(a, b, default_solver())
}

/// [`fgd_set`] with a given linear algebra library.
///
/// # Errors
/// As [`fgd_set`].
pub fn fgd_set_with(
    a: ArrayView2<f32>,
    b: ArrayView2<f32>,
    solver: &dyn Decompose,
) -> Result<SetDistance, MetricError> {
    same_dimension(a.ncols(), b.ncols())?;
    let (a, b) = rayon::join(|| Side::of_rows(a, solver), || Side::of_rows(b, solver));
    a?.distance(&b?, solver)
}

/// The Fréchet distance between two sets known by their moments (ddof 1).
///
/// # Errors
/// Fewer than two rows a side, dimensions that differ, or a matrix that is no covariance.
pub fn from_moments(a: &Moments, b: &Moments) -> Result<SetDistance, MetricError> {
    from_moments_with(a, b, default_solver())
}

/// [`from_moments`] with a given linear algebra library.
///
/// # Errors
/// As [`from_moments`].
pub fn from_moments_with(
    a: &Moments,
    b: &Moments,
    solver: &dyn Decompose,
) -> Result<SetDistance, MetricError> {
    same_dimension(a.dim(), b.dim())?;
    let (a, b) = rayon::join(|| Side::of_moments(a, 1, solver), || Side::of_moments(b, 1, solver));
    a?.distance(&b?, solver)
}

/// A covariance takes two rows.
pub(crate) fn two_at_least(n: usize) -> Result<(), MetricError> {
    match n {
        0 | 1 => Err(MetricError::TooFew { what: "embeddings in a set", n, needed: 2 }),
        _ => Ok(()),
    }
}

/// One of the two sets: its mean and a factor of its covariance.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    pub(crate) mean: ndarray::Array1<f64>,
    pub(crate) factor: Factor,
}

impl Side {
    fn of_rows(rows: ArrayView2<f32>, solver: &dyn Decompose) -> Result<Self, MetricError> {
        let (n, d) = rows.dim();
        two_at_least(n)?;
        if n > d {
            return Self::of_moments(&Moments::from_rows(rows), 1, solver);
        }
        let mean = column_means(rows);
        Self::of_few_rows(rows, mean, &vec![1.0 / (n - 1) as f64; n])
    }

    /// From centred rows: exact where there are no more rows than dimensions.
    pub(crate) fn of_few_rows(
        rows: ArrayView2<f32>,
        mean: ndarray::Array1<f64>,
        weights: &[f64],
    ) -> Result<Self, MetricError> {
        finite(mean.view())?;
        let factor = Factor::of_rows(rows, mean.view(), weights);
        Ok(Self { mean, factor })
    }

    pub(crate) fn of_moments(
        moments: &Moments,
        ddof: u8,
        solver: &dyn Decompose,
    ) -> Result<Self, MetricError> {
        two_at_least(moments.n() as usize)?;
        let mean = moments.mean().to_owned();
        let covariance = moments.covariance(ddof)?;
        let factor = Factor::of_covariance(covariance.view(), mean.dot(&mean), solver)?;
        Ok(Self { mean, factor })
    }

    pub(crate) fn distance(
        &self,
        other: &Side,
        solver: &dyn Decompose,
    ) -> Result<SetDistance, MetricError> {
        let product = product(self.factor.l().t(), other.factor.l());
        self.distance_by(other, product.view(), solver)
    }

    /// [`Side::distance`] from the product L₁ᵀL₂ of the factors.
    pub(crate) fn distance_by(
        &self,
        other: &Side,
        product: ArrayView2<f64>,
        solver: &dyn Decompose,
    ) -> Result<SetDistance, MetricError> {
        let mean_shift = (&self.mean - &other.mean).mapv(|v| v * v).sum();
        let trace_sqrt = solver.singular_values(product)?.sum();
        // Equal covariances are nothing apart, and a distance is not negative; the difference of their traces is, by an ulp or two.
        let covariance_term = match self.factor.l() == other.factor.l() {
            true => 0.0,
            false => (self.factor.trace() + other.factor.trace() - 2.0 * trace_sqrt).max(0.0),
        };
        Ok(SetDistance {
            value: mean_shift + covariance_term,
            mean_shift,
            covariance_term,
            trace_sqrt,
            clipped: self.factor.clipped() + other.factor.clipped(),
        })
    }
}

pub(crate) fn same_dimension(left: usize, right: usize) -> Result<(), MetricError> {
    if left == right { Ok(()) } else { Err(MetricError::DimensionMismatch { left, right }) }
}

/// A mean is finite exactly when no row held NaN or infinity.
fn finite(mean: ArrayView1<f64>) -> Result<(), MetricError> {
    if mean.iter().all(|v| v.is_finite()) {
        Ok(())
    } else {
        Err(MetricError::NotFinite { what: "embeddings" })
    }
}
