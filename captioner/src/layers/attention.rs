//! softmax(q·kᵀ·scale + bias + mask)·v (<https://arxiv.org/abs/1706.03762>), one head at a time on the CPU.
//!
//! On the host every (image, head) pair is one task: its score matrix stays in that thread's cache, and views into a
//! fused projection or a preallocated cache are read where they are, without a copy.

use candle_core::{DType, Device, Layout, Storage, Tensor};
use fgd_kernels::Level;
use gemm::Parallelism;
use rayon::prelude::*;

use crate::error::Result;

/// Which keys each batch row may attend to: [batch, keys], 0 where it may, −∞ where it may not. Every row has a key.
pub type Mask = Tensor;

/// [batch, length, heads·dim] → [batch, heads, length, dim], as a view.
pub fn heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, length, width) = x.dims3()?;
    Ok(x.reshape((batch, length, heads, width / heads))?.transpose(1, 2)?)
}

/// q [batch, heads, queries, dim], k and v [batch, heads, keys, dim], `bias` [heads, queries, keys] added to the scores
/// → [batch, queries, heads·dim].
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f32,
    bias: Option<&Tensor>,
    mask: Option<&Mask>,
) -> Result<Tensor> {
    let (batch, heads, queries, dim) = q.dims4()?;
    let out = if q.device().is_cpu() {
        on_host(q, k, v, scale, bias, mask)?
    } else {
        with_candle(q, k, v, scale, bias, mask)?
    };
    Ok(out.transpose(1, 2)?.reshape((batch, queries, heads * dim))?)
}

/// The same in candle's operations: for devices, and the twin that the host path is tested against.
fn with_candle(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f32,
    bias: Option<&Tensor>,
    mask: Option<&Mask>,
) -> Result<Tensor> {
    let scores = q.contiguous()?.matmul(&k.transpose(2, 3)?.contiguous()?)?;
    let mut scores = (scores.to_dtype(DType::F32)? * f64::from(scale))?;
    if let Some(bias) = bias {
        scores = scores.broadcast_add(&bias.to_dtype(DType::F32)?.unsqueeze(0)?)?;
    }
    if let Some(mask) = mask {
        scores = scores.broadcast_add(&mask.unsqueeze(1)?.unsqueeze(1)?)?;
    }
    let weights = candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(v.dtype())?;
    Ok(weights.matmul(&v.contiguous()?)?)
}

fn on_host(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f32,
    bias: Option<&Tensor>,
    mask: Option<&Mask>,
) -> Result<Tensor> {
    let (batch, heads, queries, dim) = q.dims4()?;
    let keys = k.dim(2)?;
    let (q, k, v) = (row_views(q)?, row_views(k)?, row_views(v)?);
    let bias: Option<Vec<f32>> = bias.map(|b| b.flatten_all()?.to_vec1()).transpose()?;
    let mask: Option<Vec<f32>> = mask.map(|m| m.flatten_all()?.to_vec1()).transpose()?;
    let (qs, ks, vs) = (q.storage_and_layout(), k.storage_and_layout(), v.storage_and_layout());
    let (q, k, v) = (Views::new(&qs.0, qs.1)?, Views::new(&ks.0, ks.1)?, Views::new(&vs.0, vs.1)?);

    let mut out = vec![0f32; batch * heads * queries * dim];
    out.par_chunks_mut(queries * dim).enumerate().for_each_init(
        || vec![0f32; queries * keys],
        |scores, (index, out)| {
            let (b, h) = (index / heads, index % heads);
            scores_of(&q.at(b, h), &k.at(b, h), scale, scores);
            for (i, row) in scores.chunks_mut(keys).enumerate() {
                if let Some(bias) = &bias {
                    let start = (h * queries + i) * keys;
                    row.iter_mut().zip(&bias[start..]).for_each(|(s, b)| *s += b);
                }
                if let Some(mask) = &mask {
                    row.iter_mut().zip(&mask[b * keys..]).for_each(|(s, m)| *s += m);
                }
                softmax(row);
            }
            mix(scores, &v.at(b, h), out);
        },
    );
    Ok(Tensor::from_vec(out, (batch, heads, queries, dim), &Device::Cpu)?)
}

/// The tensor itself if its innermost dimension is dense, else a dense copy.
fn row_views(x: &Tensor) -> Result<Tensor> {
    let dense = x.stride().last() == Some(&1) || x.dims().last() == Some(&1);
    Ok(if dense { x.clone() } else { x.contiguous()? })
}

/// The [rows, dim] matrices of a 4-dimensional host tensor.
struct Views<'a> {
    values: &'a [f32],
    layout: &'a Layout,
}

/// One of them: row `i` starts at `i * stride`.
struct View<'a> {
    values: &'a [f32],
    rows: usize,
    dim: usize,
    stride: usize,
}

impl<'a> Views<'a> {
    fn new(storage: &'a Storage, layout: &'a Layout) -> Result<Self> {
        match storage {
            Storage::Cpu(cpu) => Ok(Self { values: cpu.as_slice::<f32>()?, layout }),
            _ => {
                Err(candle_core::Error::Msg("host attention was given a device tensor".into())
                    .into())
            }
        }
    }

    fn at(&self, batch: usize, head: usize) -> View<'a> {
        let (dims, stride) = (self.layout.dims(), self.layout.stride());
        let start = self.layout.start_offset() + batch * stride[0] + head * stride[1];
        let (rows, dim, stride) = (dims[2], dims[3], stride[2]);
        let end = start + (rows - 1) * stride + dim;
        View { values: &self.values[start..end], rows, dim, stride }
    }
}

/// scores [queries, keys] = scale · q·kᵀ.
fn scores_of(q: &View, k: &View, scale: f32, scores: &mut [f32]) {
    assert!(q.dim == k.dim && scores.len() == q.rows * k.rows);
    // SAFETY: a `View` holds all its rows, and `scores` has queries · keys elements.
    unsafe {
        gemm::gemm(
            q.rows,
            k.rows,
            q.dim,
            scores.as_mut_ptr(),
            1,
            k.rows as isize,
            false,
            q.values.as_ptr(),
            1,
            q.stride as isize,
            k.values.as_ptr(),
            k.stride as isize,
            1,
            0.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// out [queries, dim] = weights [queries, keys] · v.
fn mix(weights: &[f32], v: &View, out: &mut [f32]) {
    let queries = out.len() / v.dim;
    assert!(weights.len() == queries * v.rows && out.len() == queries * v.dim);
    // SAFETY: a `View` holds all its rows; the other two have the lengths just asserted.
    unsafe {
        gemm::gemm(
            queries,
            v.dim,
            v.rows,
            out.as_mut_ptr(),
            1,
            v.dim as isize,
            false,
            weights.as_ptr(),
            1,
            v.rows as isize,
            v.values.as_ptr(),
            1,
            v.stride as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

fn softmax(row: &mut [f32]) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|s| *s -= largest);
    Level::current().exp(row);
    let scale = 1.0 / row.iter().sum::<f32>();
    row.iter_mut().for_each(|s| *s *= scale);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(shape: (usize, usize, usize, usize), seed: f32) -> Tensor {
        let count = shape.0 * shape.1 * shape.2 * shape.3;
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.731 + seed).sin()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
    }

    /// Dense tensors, strided views as projections and caches give them, bias and mask.
    #[test]
    fn the_host_path_agrees_with_candles_operations() {
        for (queries, keys) in [(1, 1), (1, 9), (5, 7), (40, 40)] {
            let q = tensor((2, 3, queries, 8), 0.1);
            // A cache longer than what is filled, and a projection seen as heads.
            let k = tensor((2, 3, keys + 4, 8), 0.2).narrow(2, 0, keys).unwrap();
            let v = tensor((2, keys, 3, 8), 0.3).transpose(1, 2).unwrap();
            let bias = tensor((1, 3, queries, keys), 0.4).squeeze(0).unwrap();
            let mut mask = vec![0f32; 2 * keys];
            if keys > 1 {
                mask[2 * keys - 1] = f32::NEG_INFINITY;
            }
            let mask = Tensor::from_vec(mask, (2, keys), &Device::Cpu).unwrap();
            for (bias, mask) in
                [(None, None), (Some(&bias), None), (None, Some(&mask)), (Some(&bias), Some(&mask))]
            {
                let host = on_host(&q, &k, &v, 0.3, bias, mask).unwrap();
                let candle = with_candle(&q, &k, &v, 0.3, bias, mask).unwrap();
                assert!(
                    largest_difference(&host, &candle) < 2e-6,
                    "{queries} queries, {keys} keys"
                );
            }
        }
    }
}
