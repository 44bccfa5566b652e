//! Decompositions by this crate's own kernels, for the sizes that embeddings have. Where one does not converge, nalgebra's
//! implementation has the last word.

use ndarray::{Array1, ArrayView2};

use super::singular::singular_values;
use super::symmetric::{symmetric_eigen, symmetric_values};
use super::{Decompose, Nalgebra, SymmetricEigen};
use crate::MetricError;

/// The [`Decompose`] of this crate: the algorithms of nalgebra, arranged for the cache, for vectors of every width and for
/// several threads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Native;

impl Decompose for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn singular_values(&self, matrix: ArrayView2<f64>) -> Result<Array1<f64>, MetricError> {
        singular_values(matrix).map_or_else(|| Nalgebra.singular_values(matrix), Ok)
    }

    fn symmetric_eigen(&self, matrix: ArrayView2<f64>) -> Result<SymmetricEigen, MetricError> {
        symmetric_eigen(matrix).map_or_else(|| Nalgebra.symmetric_eigen(matrix), Ok)
    }

    fn symmetric_values(&self, matrix: ArrayView2<f64>) -> Result<Array1<f64>, MetricError> {
        symmetric_values(matrix).map_or_else(|| Nalgebra.symmetric_values(matrix), Ok)
    }
}
