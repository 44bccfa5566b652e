//! Decompositions by nalgebra: pure Rust, the same digits on every machine.

use nalgebra::{DMatrix, SVD, SymmetricEigen as NaSymmetricEigen};
use ndarray::{Array1, Array2, ArrayView2};

use super::{Decompose, SymmetricEigen};
use crate::MetricError;

/// Sweeps before giving up: far beyond what a finite matrix needs.
const MAX_ITERATIONS: usize = 100_000;

/// The [`Decompose`] of the nalgebra crate.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nalgebra;

impl Decompose for Nalgebra {
    fn name(&self) -> &'static str {
        "nalgebra"
    }

    fn singular_values(&self, matrix: ArrayView2<f64>) -> Result<Array1<f64>, MetricError> {
        if matrix.is_empty() {
            return Ok(Array1::zeros(0));
        }
        let svd =
            SVD::try_new_unordered(to_nalgebra(matrix), false, false, f64::EPSILON, MAX_ITERATIONS)
                .ok_or(MetricError::NoConvergence("singular value decomposition"))?;
        Ok(svd.singular_values.iter().copied().collect())
    }

    fn symmetric_eigen(&self, matrix: ArrayView2<f64>) -> Result<SymmetricEigen, MetricError> {
        if matrix.is_empty() {
            return Ok(SymmetricEigen { values: Array1::zeros(0), vectors: Array2::zeros((0, 0)) });
        }
        let eigen = NaSymmetricEigen::try_new(to_nalgebra(matrix), f64::EPSILON, MAX_ITERATIONS)
            .ok_or(MetricError::NoConvergence("eigenvalue decomposition"))?;
        Ok(SymmetricEigen {
            values: eigen.eigenvalues.iter().copied().collect(),
            vectors: from_nalgebra(&eigen.eigenvectors),
        })
    }

    fn symmetric_values(&self, matrix: ArrayView2<f64>) -> Result<Array1<f64>, MetricError> {
        // nalgebra reads the lower triangle.
        Ok(self.symmetric_eigen(matrix.reversed_axes())?.values)
    }
}

fn to_nalgebra(matrix: ArrayView2<f64>) -> DMatrix<f64> {
    DMatrix::from_row_iterator(matrix.nrows(), matrix.ncols(), matrix.iter().copied())
}

fn from_nalgebra(matrix: &DMatrix<f64>) -> Array2<f64> {
    Array2::from_shape_fn(matrix.shape(), |index| matrix[index])
}
