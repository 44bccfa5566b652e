//! A head whose products are of bf16: queries and keys in pairs of neighbours, probabilities and values in those of keys sixteen
//! apart. Softmax and all sums are of f32.

use super::{Head, columns, weigh};
use crate::amx::{Blocks, Registers, Rows};
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
pub fn run<I: Isa, R: Registers>(head: Head, isa: I, registers: &mut Option<Blocks<R>>) {
    let [queries, keys, width] = head.sizes;
    let [padded, wide] = [keys, width].map(|of| of.next_multiple_of(BLOCK));
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
    let sizes = Sizes {
        rows: queries,
        whole: [padded, words],
        used: [round_up(keys), width.div_ceil(2)],
        stride: words,
    };
    product(isa, registers, sizes, rounded, transposed, scores);
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
    let pairs = keys / BLOCK * LANES + LANES.min(keys % BLOCK);
    let sizes = Sizes {
        rows: queries,
        whole: [wide, padded / 2],
        used: [round_up(width), pairs],
        stride: padded,
    };
    product(isa, registers, sizes, scores, values, context);
    for (row, context) in context[..queries * wide].chunks(wide).enumerate() {
        head.output[row * head.output_stride..][..width].copy_from_slice(&context[..width]);
    }
}

/// Of a product: rows of words with as many rows of columns as a row has words.
struct Sizes {
    rows: usize,
    /// Columns and words of a row, zeros among them: whole blocks.
    whole: [usize; 2],
    /// Those that hold something, columns filled up to whole vectors.
    used: [usize; 2],
    /// Words from one row to the next.
    stride: usize,
}

/// c = a · b, in tile registers where there are any.
#[inline(always)]
fn product<I: Isa, R: Registers>(
    isa: I,
    registers: &mut Option<Blocks<R>>,
    sizes: Sizes,
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
) {
    let Sizes { rows, whole: [wide, words], used, stride } = sizes;
    if rows == 0 {
        return;
    }
    assert!((rows - 1) * stride + words <= a.len());
    assert!(words * wide <= b.len() && rows * wide <= c.len());
    let (a, b, c) = (a.as_ptr().cast(), b.as_ptr().cast(), c.as_mut_ptr());
    // SAFETY: the matrices were just checked to lie inside the slices.
    unsafe {
        if let Some(registers) = registers {
            let (a, b) = (Rows { start: a, stride }, Rows { start: b, stride: wide });
            return registers.product([rows, wide, words], a, b, (c, wide));
        }
        columns(isa, rows, used[0], |row, column| Tile::<i32> {
            a: <*const i32>::add(a, row * stride),
            a_stride: stride,
            b: <*const i32>::add(b, column),
            b_stride: wide,
            depth: used[1],
            c: c.add(row * wide + column),
            c_stride: wide,
        });
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
