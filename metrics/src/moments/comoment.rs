//! The kernel under [`Moments`](super::Moments): sums of centred outer products, half of the flops of XᵀX.
//!
//! A symmetric rank-k update done as dense products of the blocks on and below the diagonal, then mirrored.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::{BLOCK_ROWS, BLOCKS_PER_ROUND};

/// Width of a block of the triangle: a block on the diagonal wastes half of its products, so small is
/// less waste, but the product kernel wants enough columns to run at speed.
const BLOCK: usize = 96;

/// Mean of each column, summed in `f64`; zeros for no rows.
pub(crate) fn column_means(rows: ArrayView2<f32>) -> Array1<f64> {
    let mut sum = Array1::<f64>::zeros(rows.ncols());
    for row in rows.outer_iter() {
        sum.zip_mut_with(&row, |s, &x| *s += f64::from(x));
    }
    sum / (rows.nrows().max(1) as f64)
}

/// Σ wᵢ (xᵢ − μ)(xᵢ − μ)ᵀ, `[d, d]`; weights are 1 where none are given.
pub(crate) fn comoment_about(
    rows: ArrayView2<f32>,
    mean: ArrayView1<f64>,
    weights: Option<&[f64]>,
) -> Array2<f64> {
    let d = rows.ncols();
    let centred = centred(rows, mean, weights);
    let mut out = Array2::zeros((d, d));
    for from in (0..d).step_by(BLOCK) {
        let to = (from + BLOCK).min(d);
        let left = centred.slice(s![.., from..to]);
        let right = centred.slice(s![.., ..to]);
        let mut block = out.slice_mut(s![from..to, ..to]);
        general_mat_mul(1.0, &left.t(), &right, 0.0, &mut block);
    }
    mirror_lower(&mut out);
    out
}

/// The rows less their mean, each times the square root of its weight.
pub(crate) fn centred(
    rows: ArrayView2<f32>,
    mean: ArrayView1<f64>,
    weights: Option<&[f64]>,
) -> Array2<f64> {
    let mut out = Array2::zeros(rows.dim());
    for (i, (mut target, row)) in out.outer_iter_mut().zip(rows.outer_iter()).enumerate() {
        let scale = weights.map_or(1.0, |w| w[i].sqrt());
        ndarray::Zip::from(&mut target)
            .and(&row)
            .and(&mean)
            .for_each(|t, &x, &m| *t = (f64::from(x) - m) * scale);
    }
    out
}

/// Copies the lower triangle onto the upper one.
fn mirror_lower(matrix: &mut Array2<f64>) {
    for i in 0..matrix.nrows() {
        for j in 0..i {
            matrix[[j, i]] = matrix[[i, j]];
        }
    }
}

/// Σ wᵢ xᵢ; the mean, for weights that sum to 1.
pub(crate) fn weighted_mean(rows: ArrayView2<f32>, weights: &[f64]) -> Array1<f64> {
    let mut sum = Array1::<f64>::zeros(rows.ncols());
    for (row, &w) in rows.outer_iter().zip(weights) {
        sum.zip_mut_with(&row, |s, &x| *s += w * f64::from(x));
    }
    sum
}

/// Mean and covariance (ddof 0) under weights that sum to 1, block by block in a fixed order.
pub(crate) fn weighted_moments(
    rows: ArrayView2<f32>,
    weights: &[f64],
) -> (Array1<f64>, Array2<f64>) {
    let d = rows.ncols();
    let mean = weighted_mean(rows, weights);
    let mut covariance = Array2::<f64>::zeros((d, d));
    for (round, w) in rows
        .axis_chunks_iter(Axis(0), BLOCK_ROWS * BLOCKS_PER_ROUND)
        .zip(weights.chunks(BLOCK_ROWS * BLOCKS_PER_ROUND))
    {
        let blocks: Vec<Array2<f64>> = round
            .axis_chunks_iter(Axis(0), BLOCK_ROWS)
            .into_par_iter()
            .zip(w.par_chunks(BLOCK_ROWS))
            .map(|(block, w)| comoment_about(block, mean.view(), Some(w)))
            .collect();
        blocks.iter().for_each(|block| covariance += block);
    }
    (mean, covariance)
}
