//! softmax(q·kᵀ·scale + bias + mask)·v (<https://arxiv.org/abs/1706.03762>), one head at a time on the CPU.
//!
//! On the host some queries of an image are one task, head after head: scores stay in that thread's cache, views into a fused
//! projection or a preallocated cache are read where they are, and the context is written where it belongs.

use candle_core::{Device, Layout, Storage, Tensor};
use fgd_kernels::{Head, Level, Scratch, Strided};
use rayon::prelude::*;

use super::{device, host};
use crate::error::Result;
use crate::weights::Arithmetic;

/// Queries in a task: whole tiles of every instruction set.
const QUERIES: usize = 132;

/// Which keys each batch row may attend to: [batch, keys], 0 where it may, −∞ where it may not. Every row has a key.
pub type Mask = Tensor;

/// [batch, length, heads·dim] → [batch, heads, length, dim].
pub fn heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, length, width) = x.dims3()?;
    Ok(x.reshape((batch, length, heads, width / heads))?.transpose(1, 2)?)
}

/// q [batch, queries, heads·dim], k and v [batch, keys, heads·dim], `bias` [heads, queries, keys] added to the scores → [batch,
/// queries, heads·dim]. On the CPU, products are made of what `arithmetic` says.
pub fn attention(
    all: [&Tensor; 3],
    heads: usize,
    scale: f32,
    bias: Option<&Tensor>,
    mask: Option<&Mask>,
    arithmetic: Arithmetic,
) -> Result<Tensor> {
    match all[0].device().is_cpu() {
        true => on_host(all, heads, scale, bias, mask, arithmetic),
        false => device::attend(all, heads, scale, bias, mask),
    }
}

fn on_host(
    [q, k, v]: [&Tensor; 3],
    heads: usize,
    scale: f32,
    bias: Option<&Tensor>,
    mask: Option<&Mask>,
    arithmetic: Arithmetic,
) -> Result<Tensor> {
    let ((batch, queries, width), keys) = (q.dims3()?, k.dim(1)?);
    let dim = width / heads;
    let (q, k, v) = (row_views(q)?, row_views(k)?, row_views(v)?);
    let bias: Option<Vec<f32>> = bias.map(|b| b.flatten_all()?.to_vec1()).transpose()?;
    let mask: Option<Vec<f32>> = mask.map(|m| m.flatten_all()?.to_vec1()).transpose()?;
    let (qs, ks, vs) = (q.storage_and_layout(), k.storage_and_layout(), v.storage_and_layout());
    let (q, k, v) = (views(&qs.0, qs.1, dim)?, views(&ks.0, ks.1, dim)?, views(&vs.0, vs.1, dim)?);
    let mut out = vec![0f32; batch * queries * width];
    let sizes = [heads, queries, keys, dim];
    let added = [bias.as_deref(), mask.as_deref()];
    attend([q, k, v], sizes, scale, added, arithmetic, &mut out);
    Ok(Tensor::from_vec(out, (batch, queries, width), &Device::Cpu)?)
}

/// Self-attention of images of [length, heads, dim] whose queries, keys and values begin every `row` values, with what is added to
/// the scores: a bias [heads, length, length] and a mask [images, length] → [images, length, heads, dim].
pub fn self_attention(
    all: [&[f32]; 3],
    row: usize,
    [length, heads, dim]: [usize; 3],
    scale: f32,
    added: [Option<&[f32]>; 2],
    arithmetic: Arithmetic,
    out: &mut [f32],
) {
    let views = all.map(|values| Views { values, strides: [length * row, dim, row] });
    attend(views, [heads, length, length, dim], scale, added, arithmetic, out);
}

/// Heads of queries that look at keys and values, with bias and mask, written to `out` [images, queries, heads·dim].
fn attend(
    [q, k, v]: [Views; 3],
    [heads, queries, keys, dim]: [usize; 4],
    scale: f32,
    [bias, mask]: [Option<&[f32]>; 2],
    arithmetic: Arithmetic,
    out: &mut [f32],
) {
    let width = heads * dim;
    let tasks = out.par_chunks_mut(queries * width).enumerate().flat_map(|(image, out)| {
        let pieces = out.par_chunks_mut(QUERIES * width).enumerate();
        pieces.map(move |(piece, out)| (image, piece * QUERIES, out))
    });
    tasks.for_each_init(Scratch::default, |scratch, (image, first, out)| {
        let rows = out.len() / width;
        for head in 0..heads {
            let bias = bias.map(|bias| {
                let start = (head * queries + first) * keys;
                &bias[start..start + rows * keys]
            });
            Level::current().attend(Head {
                query: q.rows(image, head, first),
                key: k.rows(image, head, 0),
                value: v.rows(image, head, 0),
                sizes: [rows, keys, dim],
                scale,
                halves: arithmetic.multiplies_halves(),
                bias,
                mask: mask.map(|mask| &mask[image * keys..][..keys]),
                output: &mut out[head * dim..],
                output_stride: width,
                scratch,
            });
        }
    });
}

/// The tensor itself if its innermost dimension is dense, else a dense copy.
fn row_views(x: &Tensor) -> Result<Tensor> {
    let dense = x.stride().last() == Some(&1) || x.dims().last() == Some(&1);
    Ok(if dense { x.clone() } else { x.contiguous()? })
}

/// The [rows, dim] matrices of an array of four dimensions.
#[derive(Clone, Copy)]
struct Views<'a> {
    values: &'a [f32],
    /// From an image, a head and a row to the next.
    strides: [usize; 3],
}

impl<'a> Views<'a> {
    /// The rows of one of them from `first` on.
    fn rows(self, image: usize, head: usize, first: usize) -> Strided<'a> {
        let [of_image, of_head, stride] = self.strides;
        Strided {
            values: &self.values[image * of_image + head * of_head + first * stride..],
            stride,
        }
    }
}

/// Those of a host tensor [images, rows, heads·dim].
fn views<'a>(storage: &'a Storage, layout: &Layout, dim: usize) -> Result<Views<'a>> {
    let stride = layout.stride();
    let strides = [stride[0], dim, stride[1]];
    Ok(Views { values: &host::of(storage)?[layout.start_offset()..], strides })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(shape: (usize, usize, usize), seed: f32) -> Tensor {
        let count = shape.0 * shape.1 * shape.2;
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.731 + seed).sin()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
    }

    /// Dense tensors, views into longer and wider ones as caches and projections give them, bias and mask.
    #[test]
    fn the_host_path_agrees_with_candles_operations() {
        for (queries, keys) in [(1, 1), (1, 9), (5, 7), (40, 40), (140, 40)] {
            let q = tensor((2, queries, 24), 0.1);
            let k = tensor((2, keys + 4, 24), 0.2).narrow(1, 0, keys).unwrap();
            let v = tensor((2, keys, 72), 0.3).narrow(2, 24, 24).unwrap();
            let bias = tensor((3, queries, keys), 0.4);
            let mut mask = vec![0f32; 2 * keys];
            if keys > 1 {
                mask[2 * keys - 1] = f32::NEG_INFINITY;
            }
            let mask = Tensor::from_vec(mask, (2, keys), &Device::Cpu).unwrap();
            for (bias, mask) in
                [(None, None), (Some(&bias), None), (None, Some(&mask)), (Some(&bias), Some(&mask))]
            {
                let all = [&q, &k, &v];
                let host = on_host(all, 3, 0.3, bias, mask, Arithmetic::Exact).unwrap();
                let candle = device::attend(all, 3, 0.3, bias, mask).unwrap();
                assert!(
                    largest_difference(&host, &candle) < 2e-6,
                    "{queries} queries, {keys} keys"
                );
            }
        }
    }
}
