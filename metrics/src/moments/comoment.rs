//! Means and sums of centred outer products of rows: what [`Moments`](super::Moments) are made of.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use super::rank_k::Products;
use super::{BLOCK_ROWS, BLOCKS_PER_ROUND};

/// Mean of each column, summed in `f64`; zeros for no rows.
pub(crate) fn column_means<T: Copy + Into<f64>>(rows: ArrayView2<T>) -> Array1<f64> {
    let mut sum = Array1::<f64>::zeros(rows.ncols());
    for row in rows.outer_iter() {
        sum.zip_mut_with(&row, |s, &x| *s += x.into());
    }
    sum / (rows.nrows().max(1) as f64)
}

/// Σ wᵢ (xᵢ − μ)(xᵢ − μ)ᵀ, `[d, d]`; weights are 1 where none are given.
pub(crate) fn comoment_about<T: Copy + Into<f64>>(
    rows: ArrayView2<T>,
    mean: ArrayView1<f64>,
    weights: Option<&[f64]>,
) -> Array2<f64> {
    Products::of(rows, mean, weights).into_matrix()
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
