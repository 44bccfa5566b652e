//! Matrix products on all threads: ndarray's kernel on slices of rows.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

/// Rows that one thread multiplies at a time. Fixed, so that sums do not depend on the number of threads.
const ROWS: usize = 192;

/// `a b`.
pub(crate) fn product(a: ArrayView2<f64>, b: ArrayView2<f64>) -> Array2<f64> {
    let mut out = Array2::zeros((a.nrows(), b.ncols()));
    out.axis_chunks_iter_mut(Axis(0), ROWS)
        .into_par_iter()
        .zip(a.axis_chunks_iter(Axis(0), ROWS))
        .for_each(|(mut out, rows)| general_mat_mul(1.0, &rows, &b, 0.0, &mut out));
    out
}
