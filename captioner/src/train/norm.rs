//! T5's norm on rows, by the kernels and all threads; its weight is frozen.

use candle_core::DType;
use fgd_kernels::Level;
use rayon::prelude::*;

use crate::error::Result;
use crate::layers::RmsNorm;

/// Rows of one task.
const ROWS: usize = 32;

/// See [`RmsNorm`].
pub struct Norm {
    weight: Vec<f32>,
    epsilon: f32,
}

impl Norm {
    /// That of a loaded layer.
    pub fn of(layer: &RmsNorm) -> Result<Self> {
        Ok(Self { weight: layer.weight.to_dtype(DType::F32)?.to_vec1()?, epsilon: layer.eps })
    }

    /// x [rows, width] → the same shape.
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let piece = ROWS * self.weight.len();
        let mut y = vec![0.0; x.len()];
        y.par_chunks_mut(piece).zip(x.par_chunks(piece)).for_each(|(y, x)| {
            Level::current().rms_norm(&self.weight, self.epsilon, x, y);
        });
        y
    }

    /// Adds to `dx` what the gradient `dy` of the normalised rows is worth at x.
    pub fn backward(&self, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        let piece = ROWS * self.weight.len();
        let pieces = dx.par_chunks_mut(piece).zip(x.par_chunks(piece)).zip(dy.par_chunks(piece));
        pieces.for_each(|((dx, x), dy)| {
            Level::current().rms_norm_gradient(&self.weight, self.epsilon, x, dy, dx);
        });
    }
}
