//! Decompositions by this crate where time is spent, by nalgebra where it is not.

use ndarray::{Array1, ArrayView2};

use super::singular::singular_values;
use super::{Decompose, Nalgebra, SymmetricEigen};
use crate::MetricError;

/// The [`Decompose`] of this crate: its own singular values, several times faster than nalgebra's, and
/// nalgebra's eigenvectors.
#[derive(Debug, Clone, Copy, Default)]
pub struct Native;

impl Decompose for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn singular_values(&self, matrix: ArrayView2<f64>) -> Result<Array1<f64>, MetricError> {
        singular_values(matrix).ok_or(MetricError::NoConvergence("singular value decomposition"))
    }

    fn symmetric_eigen(&self, matrix: ArrayView2<f64>) -> Result<SymmetricEigen, MetricError> {
        Nalgebra.symmetric_eigen(matrix)
    }
}
