//! Normalisation layers; statistics in f32 whatever the activations are in.

use candle_core::{DType, Tensor};
use fgd_kernels::{Buffer, Level, Norm, round_up};
use rayon::prelude::*;

use super::{device, host};
use crate::error::Result;
use crate::weights::Scope;

/// Rows that one task normalises.
const ROWS: usize = 64;

/// (x − mean) / √(var + ε) · weight + bias.
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    host: Norm,
}

impl LayerNorm {
    /// `weight` and `bias`, both `[size]`.
    pub fn load(scope: &Scope, size: usize, eps: f64) -> Result<Self> {
        let [weight, bias] = ["weight", "bias"].map(|name| scope.tensor(name, &[size]));
        let (weight, bias) = (weight?, bias?);
        let padded = |x: &Tensor| -> Result<Buffer> {
            let values: Vec<f32> = x.to_dtype(DType::F32)?.to_vec1()?;
            Ok(Buffer::padded(&values, round_up(size)))
        };
        let host = Norm {
            scale: padded(&weight)?,
            shift: padded(&bias)?,
            width: size,
            epsilon: eps as f32,
        };
        Ok(Self { weight, bias, host })
    }

    /// Over the last dimension.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.device().is_cpu() {
            return on_host(x, |x, y| self.write(x, y));
        }
        device::norm(x, &self.weight, Some(&self.bias), self.host.epsilon)
    }

    /// [`Self::forward`] of rows in host memory.
    pub fn write(&self, x: &[f32], out: &mut [f32]) {
        let width = self.host.width;
        by_rows(x, out, width, |x, y| Level::current().layer_norm(&self.host, width, x, y));
    }
}

/// x / √(mean(x²) + ε) · weight: T5's norm, without mean and bias (<https://arxiv.org/abs/1910.07467>).
pub struct RmsNorm {
    pub(crate) weight: Tensor,
    pub(crate) eps: f32,
    host: Vec<f32>,
}

impl RmsNorm {
    /// `weight` `[size]`.
    pub fn load(scope: &Scope, size: usize, eps: f64) -> Result<Self> {
        let weight = scope.tensor("weight", &[size])?;
        let host = weight.to_dtype(DType::F32)?.to_vec1()?;
        Ok(Self { weight, eps: eps as f32, host })
    }

    /// Over the last dimension.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.device().is_cpu() {
            return on_host(x, |x, y| self.write_all(x, y));
        }
        device::norm(x, &self.weight, None, self.eps)
    }

    /// [`Self::forward`] of rows in host memory, on all threads.
    pub fn write_all(&self, x: &[f32], out: &mut [f32]) {
        by_rows(x, out, self.host.len(), |x, out| self.write(x, out));
    }

    /// [`Self::forward`] of some rows in host memory, on the thread that calls.
    pub fn write(&self, x: &[f32], out: &mut [f32]) {
        Level::current().rms_norm(&self.host, self.eps, x, out);
    }
}

/// `normalise` of a host tensor.
fn on_host(x: &Tensor, normalise: impl Fn(&[f32], &mut [f32])) -> Result<Tensor> {
    let y = host::values(x, |x| {
        let mut y = vec![0f32; x.len()];
        normalise(x, &mut y);
        y
    })?;
    Ok(Tensor::from_vec(y, x.shape(), x.device())?)
}

/// `normalise` over all rows, a few to each task.
fn by_rows(x: &[f32], y: &mut [f32], width: usize, normalise: impl Fn(&[f32], &mut [f32]) + Sync) {
    y.par_chunks_mut(ROWS * width)
        .zip(x.par_chunks(ROWS * width))
        .for_each(|(y, x)| normalise(x, y));
}
