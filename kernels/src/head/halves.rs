//! A head whose products are of bf16: queries and keys in pairs of neighbours, probabilities and values in those of keys sixteen
//! apart. Softmax and all sums are of f32.

use super::{Head, columns, weigh};
use crate::attention::Scratch;
use crate::lanes::{Isa, LANES, Words};
use crate::level::Kernel;
use crate::matrix::round_up;
use crate::row;
use crate::tile::Tile;
use crate::transpose::Transpose;

/// Numbers whose pairs are a vector.
pub const BLOCK: usize = 2 * LANES;

/// Computes the context of a head that was checked.
#[inline(always)]
pub fn run<I: Isa>(head: Head, isa: I) {
    let [queries, keys, width] = head.sizes;
    let (padded, wide) = (keys.next_multiple_of(BLOCK), round_up(width));
    let words = width.div_ceil(BLOCK) * LANES;
    let Scratch { keys: transposed, scores, values, context, queries: rounded } = head.scratch;
    for first in (0..padded).step_by(LANES) {
        let block = &mut context[..LANES * words];
        block.fill(0.0);
        for (token, out) in (first..keys).zip(block.chunks_mut(words)) {
            neighbours(isa, &head.key.values[token * head.key.stride..][..width], out);
        }
        Transpose { block, out: &mut transposed[first..], stride: padded }.run(isa);
    }
    for (token, out) in rounded[..queries * words].chunks_mut(words).enumerate() {
        neighbours(isa, &head.query.values[token * head.query.stride..][..width], out);
    }
    for (pair, out) in values[..padded / 2 * wide].chunks_mut(wide).enumerate() {
        let token = pair / LANES * BLOCK + pair % LANES;
        let two = [token, token + LANES].map(|token| match token < keys {
            true => &head.value.values[token * head.value.stride..][..width],
            false => &[],
        });
        for (at, out) in out.chunks_mut(LANES).enumerate() {
            let [lower, upper] =
                two.map(|x| row::load(isa, x.get(at * LANES..).unwrap_or_default(), 0.0));
            join::<I>(lower, upper, out);
        }
    }
    let (query, transposed) = (rounded.as_ptr().cast(), transposed.as_ptr().cast());
    let to = scores.as_mut_ptr();
    // SAFETY: `check` has made room for all rows, filled up to whole blocks.
    unsafe {
        columns(isa, queries, round_up(keys), |row, column| Tile::<i32> {
            a: <*const i32>::add(query, row * words),
            a_stride: words,
            b: <*const i32>::add(transposed, column),
            b_stride: padded,
            depth: width.div_ceil(2),
            c: to.add(row * padded + column),
            c_stride: padded,
        });
    }
    for (row, scores) in scores[..queries * padded].chunks_mut(padded).enumerate() {
        let bias = head.bias.map(|bias| &bias[row * keys..][..keys]);
        weigh(isa, scores, [bias, head.mask], head.scale, keys);
        scores[keys..].fill(0.0);
        // In place: what is written was read before.
        for (block, from) in (0..padded).step_by(BLOCK).enumerate() {
            let [lower, upper] = [0, LANES].map(|at| row::load(isa, &scores[from + at..], 0.0));
            join::<I>(lower, upper, &mut scores[block * LANES..]);
        }
    }
    let (weights, values) = (scores.as_ptr().cast(), values.as_ptr().cast());
    let to = context.as_mut_ptr();
    // SAFETY: as above.
    unsafe {
        columns(isa, queries, wide, |row, column| Tile::<i32> {
            a: <*const i32>::add(weights, row * padded),
            a_stride: padded,
            b: <*const i32>::add(values, column),
            b_stride: wide,
            depth: keys / BLOCK * LANES + LANES.min(keys % BLOCK),
            c: to.add(row * wide + column),
            c_stride: wide,
        });
    }
    for (row, context) in context[..queries * wide].chunks(wide).enumerate() {
        head.output[row * head.output_stride..][..width].copy_from_slice(&context[..width]);
    }
}

/// A row in pairs of neighbours, filled up to whole blocks.
#[inline(always)]
fn neighbours<I: Isa>(isa: I, x: &[f32], out: &mut [f32]) {
    for (x, out) in x.chunks(BLOCK).zip(out.as_chunks_mut::<LANES>().0) {
        let [first, second] =
            [0, LANES].map(|at| row::load(isa, x.get(at..).unwrap_or_default(), 0.0));
        // SAFETY: sixteen words are as large as sixteen floats.
        unsafe { I::Words::pair_halves(first, second).store(out.as_mut_ptr().cast()) };
    }
}

/// Two vectors as one of pairs.
#[inline(always)]
fn join<I: Isa>(lower: I::F32, upper: I::F32, out: &mut [f32]) {
    let out = &mut out[..LANES];
    // SAFETY: as above.
    unsafe { I::Words::join_halves(lower, upper).store(out.as_mut_ptr().cast()) };
}
