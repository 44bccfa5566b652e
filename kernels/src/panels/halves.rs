//! bf16: words are two consecutive inputs, the first one in the lower half.

use half::{bf16, f16};

use super::form::{BLOCK, Numbers};
use super::transpose::transpose_rows;
use super::{LANES, PANEL};
use crate::lanes::{Isa, Words};

/// Words of the inputs of a block.
pub const PAIRS: usize = BLOCK / 2;

/// Numbers of 16 bits.
pub trait Sixteen: Copy {
    /// The nearest one.
    fn nearest(x: f32) -> u16;
    /// What the bits stand for.
    fn exactly(bits: u16) -> f32;
}

impl Sixteen for bf16 {
    /// Ties to even, as `bf16::from_f32` but for what is no number: that may become infinite.
    #[inline(always)]
    fn nearest(x: f32) -> u16 {
        let bits = x.to_bits();
        ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
    }

    fn exactly(bits: u16) -> f32 {
        bf16::from_bits(bits).to_f32()
    }
}

impl Sixteen for f16 {
    fn nearest(x: f32) -> u16 {
        f16::from_f32(x).to_bits()
    }

    fn exactly(bits: u16) -> f32 {
        f16::from_bits(bits).to_f32()
    }
}

/// A block of inputs: its pairs. A block of weights: for each pair of inputs that of every output.
#[derive(Clone, Copy)]
pub struct Halves;

impl Numbers for Halves {
    const INPUT: usize = PAIRS;
    const WEIGHT: usize = PANEL * PAIRS;

    fn rows<I: Isa>() -> usize {
        I::ROWS
    }

    #[inline(always)]
    fn round<I: Isa>(_: I, x: &[f32], out: &mut [i32]) {
        out.copy_from_slice(&pairs::<bf16>(x));
    }

    #[inline(always)]
    fn pack<I: Isa>(_: I, w: &[f32], lane: usize, out: &mut [i32]) {
        pack_pairs::<bf16>(w, lane, out);
    }

    fn weight(block: &[i32], lane: usize, input: usize) -> f32 {
        pair_of::<bf16>(block[input / 2 * PANEL + lane])[input % 2]
    }

    #[inline(always)]
    fn transpose<I: Isa>(isa: I, block: &[i32], out: &mut [i32]) {
        transpose_pairs(isa, block, out);
    }

    #[inline(always)]
    unsafe fn multiply<I: Isa, const R: usize, const V: usize>(
        isa: I,
        a: *const i32,
        stride: usize,
        b: *const i32,
        lane: usize,
        sums: &mut [[I::F32; V]; R],
    ) {
        for pair in 0..PAIRS {
            // SAFETY: the caller vouches for the blocks.
            unsafe {
                let from = b.add(pair * PANEL + lane);
                let mut columns = [isa.splat_word(0); V];
                for (v, column) in columns.iter_mut().enumerate() {
                    *column = isa.load_words(from.add(v * LANES));
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let row = isa.splat_word(*a.add(r * stride + pair));
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = row.dot_halves(column, *sum);
                    }
                }
            }
        }
    }
}

/// The pairs of a block, with zeros for what it lacks.
#[inline(always)]
fn pairs<T: Sixteen>(x: &[f32]) -> [i32; PAIRS] {
    let mut block = [0.0; BLOCK];
    block[..x.len()].copy_from_slice(x);
    let mut words = [0; PAIRS];
    for (word, [first, second]) in words.iter_mut().zip(block.as_chunks::<2>().0) {
        *word = (u32::from(T::nearest(*second)) << 16 | u32::from(T::nearest(*first))) as i32;
    }
    words
}

/// The numbers of a pair.
pub fn pair_of<T: Sixteen>(word: i32) -> [f32; 2] {
    [word as u16, (word >> 16) as u16].map(T::exactly)
}

/// The pairs of a block of the weights of output `lane`.
#[inline(always)]
pub fn pack_pairs<T: Sixteen>(w: &[f32], lane: usize, out: &mut [i32]) {
    for (pair, word) in pairs::<T>(w).into_iter().enumerate() {
        out[pair * PANEL + lane] = word;
    }
}

/// A block of pairs of inputs becomes one of pairs of outputs.
#[inline(always)]
pub fn transpose_pairs<I: Isa>(isa: I, block: &[i32], out: &mut [i32]) {
    let mut rows = [0; PANEL * PAIRS];
    transpose_rows(isa, block, &mut rows, PAIRS);
    for (two, out) in rows.chunks(2 * PAIRS).zip(out.chunks_mut(PANEL)) {
        let (first, second) = two.split_at(PAIRS);
        for ((first, second), out) in first.iter().zip(second).zip(out.as_chunks_mut::<2>().0) {
            let (lower, upper) = (0xffff, !0xffff);
            *out = [first & lower | second << 16, (first >> 16) & lower | second & upper];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::value;

    #[test]
    fn rounding_is_that_of_bf16() {
        let x = (0..1013).map(|i| value(i) * 3e3f32.powi(i as i32 % 9 - 4));
        let ties = [1.0 + 2f32.powi(-8), 1.0 + 3.0 * 2f32.powi(-8), -0.0, f32::MAX, 1e-40];
        for x in x.chain(ties) {
            assert_eq!(bf16::nearest(x), bf16::from_f32(x).to_bits(), "{x}");
        }
    }
}
