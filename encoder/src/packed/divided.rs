//! A caption that comes alone, on all threads: each takes some heads, then some columns, then some of the intermediate width,
//! then some columns again. Every sum keeps its order, so the bits are those of captions in bulk.

use std::ops::Range;

use fgd_kernels::{Attention, Buffer, Finish, Matrix, Norm, Product, Scratch, round_up};
use rayon::prelude::*;

use super::Packed;
use super::arithmetic::Arithmetic;
use super::model::Layer;
use crate::chunk::Chunk;

/// What one thread computes of everything.
pub(super) struct Share {
    heads: Range<usize>,
    columns: Range<usize>,
    wide: Range<usize>,
}

/// Where one thread writes, and what it works in.
#[derive(Default)]
struct Own<S> {
    values: Buffer,
    attention: Scratch,
    product: S,
}

fn all_own<S: Default>(shares: &[Share]) -> Vec<Own<S>> {
    shares.iter().map(|_| Own::default()).collect()
}

/// Where some inputs of a product are: rows that begin every `stride` values.
struct Input<'a> {
    values: &'a [f32],
    stride: usize,
    inner: Range<usize>,
}

/// Part number `part` of `parts` nearly equal ones, in whole units.
fn part(total: usize, unit: usize, part: usize, parts: usize) -> Range<usize> {
    let units = total.div_ceil(unit);
    let begin = |part: usize| (units * part / parts * unit).min(total);
    begin(part)..begin(part + 1)
}

impl<A: Arithmetic> Packed<A> {
    /// The work of `threads`, or of fewer where there is too little of it; none where it cannot be divided.
    pub(super) fn shares(&self, threads: usize) -> Vec<Share> {
        let (panel, heads, width) = (self.level.panel(), self.spec.heads, self.model.head_width);
        // Products begin at panels.
        let whole = |heads: &usize| (heads * width).is_multiple_of(panel);
        let unit = (1..=heads).find(whole).filter(|_| A::DIVIDES && whole(&heads));
        let (Some(unit), Some(layer)) = (unit, self.model.layers.first()) else {
            return Vec::new();
        };
        let (dim, wide) = (layer.output.shape.outputs, layer.intermediate.shape.outputs);
        let parts = threads.min(heads / unit).min(dim.div_ceil(panel)).min(wide.div_ceil(panel));
        let share = |at: usize| Share {
            heads: part(heads, unit, at, parts),
            columns: part(dim, panel, at, parts),
            wide: part(wide, panel, at, parts),
        };
        (0..parts).map(share).collect()
    }

    /// The token vectors of a chunk after all layers, [rows × padded dim].
    pub(super) fn divided(&self, chunk: &Chunk, shares: &[Share]) -> Buffer {
        let (rows, dim) = (chunk.rows(), round_up(self.spec.dim));
        let mut x = Buffer::zeros(rows * dim);
        self.look_up(chunk, &mut x[..rows * dim], &mut Buffer::default());
        let mut contexts = all_own::<A::Scratch>(shares);
        let (mut hidden, mut sums) = (all_own(shares), all_own(shares));
        for layer in &self.model.layers {
            contexts.par_iter_mut().zip(shares).for_each(|(own, share)| {
                self.attend_some(layer, chunk, &x, share, own);
            });
            let inputs: Vec<Input> = (contexts.iter().zip(shares))
                .map(|(own, share)| {
                    let width = self.model.head_width;
                    let inner = share.heads.start * width..share.heads.end * width;
                    Input { values: &own.values, stride: 3 * inner.len(), inner }
                })
                .collect();
            self.add(&layer.attention_output, &inputs, shares, &x, rows, &mut sums);
            self.normalise(&layer.attention_norm, shares, &sums, rows, &mut x);
            hidden.par_iter_mut().zip(shares).for_each(|(own, share)| {
                self.widen_some(layer, &x, rows, share, own);
            });
            let inputs: Vec<Input> = (hidden.iter().zip(shares))
                .map(|(own, share)| {
                    let inner = share.wide.clone();
                    Input { values: &own.values, stride: inner.len(), inner }
                })
                .collect();
            self.add(&layer.output, &inputs, shares, &x, rows, &mut sums);
            self.normalise(&layer.output_norm, shares, &sums, rows, &mut x);
        }
        x
    }

    /// Queries, keys and values of some heads, and in place of the queries the context.
    fn attend_some(
        &self,
        layer: &Layer<A::Values>,
        chunk: &Chunk,
        x: &[f32],
        share: &Share,
        own: &mut Own<A::Scratch>,
    ) {
        let (rows, dim, width) = (chunk.rows(), round_up(self.spec.dim), self.model.head_width);
        let columns = share.heads.len() * width;
        let stride = 3 * columns;
        own.values.reserve(rows * stride);
        for third in 0..3 {
            let first = (third * self.spec.heads + share.heads.start) * width;
            let product = Product {
                input: x,
                input_stride: dim,
                rows,
                weights: &layer.qkv,
                columns: first..first + columns,
                inner: 0..dim,
                output: &mut own.values[third * columns..],
                output_stride: stride,
                proceed: false,
                finish: Finish::Bias,
            };
            self.arithmetic.product(product, &mut own.product);
        }
        let mut rest = &mut own.values[..rows * stride];
        for tokens in chunk.captions().map(<[u32]>::len) {
            let (qkv, after) = rest.split_at_mut(tokens * stride);
            self.level.attention(Attention {
                qkv,
                tokens,
                heads: share.heads.len(),
                width,
                scale: self.scale(),
                scratch: &mut own.attention,
            });
            rest = after;
        }
    }

    /// Some of the intermediate width.
    fn widen_some(
        &self,
        layer: &Layer<A::Values>,
        x: &[f32],
        rows: usize,
        share: &Share,
        own: &mut Own<A::Scratch>,
    ) {
        own.values.reserve(rows * share.wide.len());
        let product = Product {
            input: x,
            input_stride: round_up(self.spec.dim),
            rows,
            weights: &layer.intermediate,
            columns: share.wide.clone(),
            inner: 0..round_up(self.spec.dim),
            output: &mut own.values,
            output_stride: share.wide.len(),
            proceed: false,
            finish: Finish::Activate(self.spec.activation),
        };
        self.arithmetic.product(product, &mut own.product);
    }

    /// x + the product of all `inputs`, each thread its columns: rows as wide as those of x, of which the others stay as they are.
    fn add(
        &self,
        weights: &Matrix<A::Values>,
        inputs: &[Input],
        shares: &[Share],
        x: &[f32],
        rows: usize,
        sums: &mut [Own<A::Scratch>],
    ) {
        let dim = round_up(self.spec.dim);
        sums.par_iter_mut().zip(shares).for_each(|(own, share)| {
            own.values.reserve(rows * dim);
            let first = share.columns.start;
            for (at, input) in inputs.iter().enumerate() {
                let product = Product {
                    input: input.values,
                    input_stride: input.stride,
                    rows,
                    weights,
                    columns: share.columns.clone(),
                    inner: input.inner.clone(),
                    output: &mut own.values[first..],
                    output_stride: dim,
                    proceed: at > 0,
                    finish: match at + 1 == inputs.len() {
                        true => Finish::Residual(&x[first..]),
                        false => Finish::Keep,
                    },
                };
                self.arithmetic.product(product, &mut own.product);
            }
        });
    }

    /// x becomes the LayerNorm of the sums.
    fn normalise(
        &self,
        norm: &Norm,
        shares: &[Share],
        sums: &[Own<A::Scratch>],
        rows: usize,
        x: &mut [f32],
    ) {
        let dim = round_up(self.spec.dim);
        let mut whole = vec![0.0; dim];
        for (row, x) in x.chunks_mut(dim).take(rows).enumerate() {
            for (own, share) in sums.iter().zip(shares) {
                let columns = share.columns.clone();
                whole[columns.clone()].copy_from_slice(&own.values[row * dim..][columns]);
            }
            self.level.layer_norm(norm, dim, &whole, x);
        }
    }
}
