//! Decompositions by the system's LAPACK, through ndarray-linalg (feature `lapack`).
//!
//! With Debian's OpenBLAS, set `OPENBLAS_CORETYPE` on processors newer than the library knows: it otherwise
//! falls back to kernels slower than nalgebra's.

use ndarray::{Array1, Array2, ArrayView2};
use ndarray_linalg::{EigValsh, Eigh, SVD, UPLO};

use super::{Decompose, SymmetricEigen};
use crate::MetricError;

/// The [`Decompose`] of LAPACK.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lapack;

impl Decompose for Lapack {
    fn name(&self) -> &'static str {
        "LAPACK"
    }

    fn singular_values(&self, matrix: ArrayView2<f64>) -> Result<Array1<f64>, MetricError> {
        if matrix.is_empty() {
            return Ok(Array1::zeros(0));
        }
        let (_, values, _) = matrix
            .svd(false, false)
            .map_err(|_| MetricError::NoConvergence("singular value decomposition"))?;
        Ok(values)
    }

    fn symmetric_eigen(&self, matrix: ArrayView2<f64>) -> Result<SymmetricEigen, MetricError> {
        if matrix.is_empty() {
            return Ok(SymmetricEigen { values: Array1::zeros(0), vectors: Array2::zeros((0, 0)) });
        }
        let (values, vectors) = matrix
            .eigh(UPLO::Lower)
            .map_err(|_| MetricError::NoConvergence("eigenvalue decomposition"))?;
        Ok(SymmetricEigen { values, vectors })
    }

    fn symmetric_values(&self, matrix: ArrayView2<f64>) -> Result<Array1<f64>, MetricError> {
        if matrix.is_empty() {
            return Ok(Array1::zeros(0));
        }
        matrix
            .eigvalsh(UPLO::Upper)
            .map_err(|_| MetricError::NoConvergence("eigenvalue decomposition"))
    }
}
