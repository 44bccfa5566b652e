//! Decompositions by the system's LAPACK, through ndarray-linalg (feature `lapack`).
//!
//! With Debian's OpenBLAS, set `OPENBLAS_CORETYPE` on processors newer than the library knows: it otherwise
//! falls back to kernels slower than nalgebra's.

use ndarray::{Array1, Array2, ArrayView2};
use ndarray_linalg::{Eigh, SVD, SVDInto, UPLO, error::LinalgError};

use super::{Decompose, Svd, SymmetricEigen};
use crate::MetricError;

/// The [`Decompose`] of LAPACK.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lapack;

impl Decompose for Lapack {
    fn singular_values(&self, matrix: ArrayView2<f64>) -> Result<Array1<f64>, MetricError> {
        if matrix.is_empty() {
            return Ok(Array1::zeros(0));
        }
        let (_, values, _) = matrix.svd(false, false).map_err(svd_failed)?;
        Ok(values)
    }

    fn svd(&self, matrix: ArrayView2<f64>) -> Result<Svd, MetricError> {
        let (m, n) = matrix.dim();
        if matrix.is_empty() {
            return Ok(Svd {
                u: Array2::zeros((m, 0)),
                s: Array1::zeros(0),
                vt: Array2::zeros((0, n)),
            });
        }
        let (u, s, vt) = matrix.to_owned().svd_into(true, true).map_err(svd_failed)?;
        let (u, vt) = u
            .zip(vt)
            .ok_or(MetricError::NoConvergence("singular value decomposition"))?;
        let k = m.min(n);
        Ok(Svd {
            u: u.slice(ndarray::s![.., ..k]).to_owned(),
            s,
            vt: vt.slice(ndarray::s![..k, ..]).to_owned(),
        })
    }

    fn symmetric_eigen(&self, matrix: ArrayView2<f64>) -> Result<SymmetricEigen, MetricError> {
        if matrix.is_empty() {
            return Ok(SymmetricEigen {
                values: Array1::zeros(0),
                vectors: Array2::zeros((0, 0)),
            });
        }
        let (values, vectors) = matrix
            .eigh(UPLO::Lower)
            .map_err(|_| MetricError::NoConvergence("eigenvalue decomposition"))?;
        Ok(SymmetricEigen { values, vectors })
    }
}

fn svd_failed(_: LinalgError) -> MetricError {
    MetricError::NoConvergence("singular value decomposition")
}
