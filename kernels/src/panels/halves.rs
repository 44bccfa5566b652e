//! bf16: words are two consecutive inputs, the first one in the lower half.

use half::{bf16, f16};

use super::form::{BLOCK, Numbers};
use super::strip::Strip;
use super::transpose::transpose_rows;
use super::{LANES, PANEL};
use crate::amx::{Blocks, Kind, Registers, Rows};
use crate::lanes::{Isa, Words};
use crate::row;

/// Words of the inputs of a block.
pub const PAIRS: usize = BLOCK / 2;

/// Numbers of 16 bits.
pub trait Sixteen: Copy {
    /// The nearest ones of a block, ties to even, as pairs; zeros for what `x` lacks.
    fn pairs<I: Isa>(isa: I, x: &[f32]) -> [i32; PAIRS];
    /// What the bits stand for.
    fn exactly(bits: u16) -> f32;
}

impl Sixteen for bf16 {
    #[inline(always)]
    fn pairs<I: Isa>(isa: I, x: &[f32]) -> [i32; PAIRS] {
        const { assert!(PAIRS == LANES, "a block of pairs is a vector") };
        let [first, second] =
            [0, LANES].map(|from| row::load(isa, x.get(from..).unwrap_or_default(), 0.0));
        let mut words = [0; PAIRS];
        // SAFETY: the array holds sixteen words.
        unsafe { I::Words::pair_halves(first, second).store(words.as_mut_ptr()) };
        words
    }

    fn exactly(bits: u16) -> f32 {
        bf16::from_bits(bits).to_f32()
    }
}

impl Sixteen for f16 {
    #[inline(always)]
    fn pairs<I: Isa>(_: I, x: &[f32]) -> [i32; PAIRS] {
        let mut block = [0.0; BLOCK];
        block[..x.len()].copy_from_slice(x);
        let bits = block.map(|x| u32::from(f16::from_f32(x).to_bits()));
        let (pairs, _) = bits.as_chunks();
        std::array::from_fn(|at| {
            let [first, second] = pairs[at];
            (second << 16 | first) as i32
        })
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
    const BLOCKS: bool = true;

    /// Few enough that sums, columns and rows fit into the registers however the compiler orders them: one or two more are slower.
    fn rows<I: Isa>() -> usize {
        if I::VECTORS == 1 { I::ROWS - 1 } else { I::ROWS - 2 }
    }

    #[inline(always)]
    fn round<I: Isa>(isa: I, x: &[f32], out: &mut [i32]) {
        out.copy_from_slice(&bf16::pairs(isa, x));
    }

    #[inline(always)]
    fn pack<I: Isa>(isa: I, w: &[f32], lane: usize, out: &mut [i32]) {
        pack_pairs::<bf16, I>(isa, w, lane, out);
    }

    fn weight(block: &[i32], lane: usize, input: usize) -> f32 {
        pair_of::<bf16>(block[input / 2 * PANEL + lane])[input % 2]
    }

    #[inline(always)]
    unsafe fn multiply_strip<I: Isa, R: Registers>(_: I, registers: &mut Blocks<R>, strip: Strip) {
        // SAFETY: handed on from the caller.
        unsafe {
            match strip.proceed {
                true => registers.load(strip.output.cast(), strip.output_stride),
                false => registers.clear(),
            }
            for block in 0..strip.blocks {
                let input = strip.input.add(block * Self::INPUT);
                let weights = strip.weights.add(block * Self::WEIGHT);
                registers.multiply(
                    Kind::Halves,
                    Rows { start: input, stride: strip.input_stride },
                    Rows { start: weights, stride: PANEL },
                );
            }
            registers.store(strip.output.cast(), strip.output_stride);
        }
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
        fetch: impl Fn(usize),
    ) {
        for pair in 0..PAIRS {
            fetch(pair);
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

/// The numbers of a pair.
pub fn pair_of<T: Sixteen>(word: i32) -> [f32; 2] {
    [word as u16, (word >> 16) as u16].map(T::exactly)
}

/// The pairs of a block of the weights of output `lane`.
#[inline(always)]
pub fn pack_pairs<T: Sixteen, I: Isa>(isa: I, w: &[f32], lane: usize, out: &mut [i32]) {
    for (pair, word) in T::pairs(isa, w).into_iter().enumerate() {
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
    use crate::level::Level;
    use crate::panels::Form;

    #[test]
    fn rounding_is_that_of_bf16() {
        let x = (0..1013).map(|i| value(i) * 3e3f32.powi(i as i32 % 9 - 4));
        let ties = [1.0 + 2f32.powi(-8), 1.0 + 3.0 * 2f32.powi(-8), -0.0, f32::MAX, 1e-40];
        let x: Vec<f32> = x.chain(ties).collect();
        for level in Level::available() {
            let mut words = vec![0; Form::Halves.input_words(x.len())];
            Form::Halves.round(level, &x, &mut words);
            let got = words.into_iter().flat_map(|word| [word as u16, (word >> 16) as u16]);
            for (x, got) in x.iter().zip(got) {
                assert_eq!(got, bf16::from_f32(*x).to_bits(), "{level}: {x}");
            }
        }
    }
}
