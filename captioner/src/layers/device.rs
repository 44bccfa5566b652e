//! Products and attention on a device. On an NVIDIA GPU they are `gpu`'s, elsewhere candle's operations, the twins that those are
//! held to.

use candle_core::{D, DType, Tensor};
use fgd_kernels::Activation;

use super::activation::activated;
use super::attention::{Mask, heads};
use crate::error::Result;
#[cfg(feature = "cuda")]
use crate::gpu;

/// activation(x · weightᵀ + bias) + added.
pub fn product(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    activation: Option<Activation>,
    added: Option<&Tensor>,
) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() {
        let y = gpu::multiply(x, weight)?;
        if bias.is_some() || activation.is_some() || added.is_some() {
            gpu::finish(&y, bias, activation, added)?;
        }
        return Ok(y);
    }
    let mut y = x.broadcast_matmul(&weight.t()?)?;
    if let Some(bias) = bias {
        y = y.broadcast_add(bias)?;
    }
    if let Some(activation) = activation {
        y = activated(activation, &y)?;
    }
    Ok(match added {
        Some(added) => (y + added)?,
        None => y,
    })
}

/// sum + x · weightᵀ, for which the memory of the sum may be taken: it must be nobody else's.
pub fn add_product(x: &Tensor, weight: &Tensor, sum: Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() {
        gpu::add_product(x, weight, &sum)?;
        return Ok(sum);
    }
    product(x, weight, None, None, Some(&sum))
}

/// x [rows, inputs] · weightᵀ, written to an f32 tensor that is there.
pub fn write_product(x: &Tensor, weight: &Tensor, to: &Tensor) -> Result<()> {
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() {
        return gpu::multiply_into(x, weight, to);
    }
    Ok(to.slice_set(&product(x, weight, None, None, None)?.to_dtype(DType::F32)?, 0, 0)?)
}

/// activation(left) · right of rows [.., left | right].
pub fn gate(both: &Tensor, activation: Activation) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if both.device().is_cuda() {
        return gpu::gate(both, activation);
    }
    let width = both.dim(D::Minus1)? / 2;
    let left = both.narrow(D::Minus1, 0, width)?;
    let right = both.narrow(D::Minus1, width, width)?;
    Ok((activated(activation, &left.contiguous()?)? * right)?)
}

/// (x − mean) / √(variance + ε) · scale + shift over the last dimension; without a shift x / √(mean(x²) + ε) · scale.
pub fn norm(x: &Tensor, scale: &Tensor, shift: Option<&Tensor>, epsilon: f32) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() {
        return gpu::norm(x, scale, shift, epsilon);
    }
    let x = x.contiguous()?;
    Ok(match shift {
        Some(shift) => candle_nn::ops::layer_norm(&x, scale, shift, epsilon)?,
        None => candle_nn::ops::rms_norm(&x, scale, epsilon)?,
    })
}

/// As [`super::attention()`].
pub fn attend(
    [q, k, v]: [&Tensor; 3],
    count: usize,
    scale: f32,
    bias: Option<&Tensor>,
    mask: Option<&Mask>,
) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if gpu::can_attend([q, k, v], count) {
        return gpu::attend([q, k, v], count, scale, bias, mask);
    }
    let [q, k, v] = [heads(q, count)?, heads(k, count)?, heads(v, count)?];
    let scores = q.contiguous()?.matmul(&k.transpose(2, 3)?.contiguous()?)?;
    let mut scores = (scores.to_dtype(DType::F32)? * f64::from(scale))?;
    if let Some(bias) = bias {
        scores = scores.broadcast_add(&bias.to_dtype(DType::F32)?.unsqueeze(0)?)?;
    }
    if let Some(mask) = mask {
        scores = scores.broadcast_add(&mask.to_dtype(DType::F32)?.unsqueeze(1)?.unsqueeze(1)?)?;
    }
    let weights = candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(v.dtype())?;
    let mixed = weights.matmul(&v.contiguous()?)?;
    let (images, _, queries, dim) = mixed.dims4()?;
    Ok(mixed.transpose(1, 2)?.reshape((images, queries, count * dim))?)
}

/// A computation that reads and writes the same tensors each time it is run; on an NVIDIA GPU a recording of it is launched.
#[derive(Default)]
pub struct Replay(#[cfg(feature = "cuda")] gpu::Replay);

impl Replay {
    /// Runs `compute` where `tensor` is.
    pub fn run(&mut self, tensor: &Tensor, compute: impl Fn() -> Result<()>) -> Result<()> {
        #[cfg(feature = "cuda")]
        if tensor.device().is_cuda() {
            return self.0.run(tensor.device(), compute);
        }
        // Elsewhere it is run as it is.
        let _ = tensor;
        compute()
    }
}

/// Reads rows out of a device, in memory that is kept for it.
#[derive(Default)]
pub struct Reader(#[cfg(feature = "cuda")] gpu::Pinned);

impl Reader {
    /// The rows of a dense f32 matrix.
    pub fn rows(&mut self, x: &Tensor) -> Result<Vec<Vec<f32>>> {
        #[cfg(feature = "cuda")]
        if x.device().is_cuda() {
            return self.0.read(x);
        }
        Ok(x.to_vec2()?)
    }
}
