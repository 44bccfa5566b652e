//! The small dense decompositions under the distances: one seam, one implementation per library.
//!
//! [`Decompose`] is the seam. [`Native`] is the default and needs nothing but Rust: this crate's own kernels.
//! [`Nalgebra`] is several times slower: the reference that tests hold it to, and what it falls back on. `Lapack` (feature
//! `lapack`) calls the system's LAPACK through ndarray-linalg and becomes the default when switched on. [`Factor`] turns a
//! covariance, of any rank, into the rectangular factor that the Fréchet distance works on.

mod factor;
#[cfg(feature = "lapack")]
mod lapack;
mod nalgebra;
mod native;
mod pass;
mod product;
mod reflection;
mod singular;
mod symmetric;

use ndarray::{Array1, Array2, ArrayView2};

use crate::MetricError;
pub use factor::Factor;
#[cfg(feature = "lapack")]
pub use lapack::Lapack;
pub use nalgebra::Nalgebra;
pub use native::Native;
pub(crate) use product::product;

/// Eigendecomposition `A = V diag(λ) Vᵀ` of a symmetric matrix `[d, d]`, in no particular order.
#[derive(Debug, Clone)]
pub struct SymmetricEigen {
    /// Eigenvalues, `[d]`.
    pub values: Array1<f64>,
    /// Eigenvectors in columns, `[d, d]`.
    pub vectors: Array2<f64>,
}

/// What the distances ask of a linear algebra library.
///
/// Inputs are finite. An implementation reports failure to converge and never returns NaN.
pub trait Decompose: Sync {
    /// What a person calls it.
    fn name(&self) -> &'static str;

    /// Singular values of a matrix `[m, n]`, in no particular order.
    fn singular_values(&self, matrix: ArrayView2<f64>) -> Result<Array1<f64>, MetricError>;

    /// Eigendecomposition of a symmetric matrix `[d, d]`.
    fn symmetric_eigen(&self, matrix: ArrayView2<f64>) -> Result<SymmetricEigen, MetricError>;

    /// Eigenvalues of a symmetric matrix `[d, d]`, in no particular order; only the upper triangle need be valid.
    fn symmetric_values(&self, matrix: ArrayView2<f64>) -> Result<Array1<f64>, MetricError>;
}

/// The implementation this build uses: LAPACK where the feature `lapack` is on, [`Native`] otherwise.
pub fn default_solver() -> &'static dyn Decompose {
    #[cfg(feature = "lapack")]
    return &Lapack;
    #[cfg(not(feature = "lapack"))]
    &Native
}

#[cfg(test)]
mod tests;
