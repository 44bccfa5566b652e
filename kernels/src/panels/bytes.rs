//! 8 bits: a code is at most 127, and worth the largest absolute value of its block / 127.

use super::form::{LONGEST, Numbers};
use super::strip::Strip;
use super::{LANES, PANEL};
use crate::amx::{self, Blocks, Kind, Registers, Rows, STRIP};
use crate::lanes::{Isa, Lanes, Words};
use crate::row;

/// The largest code.
const LARGEST: f32 = 127.0;

/// Inputs of a block. Scaling sums costs as much as multiplying eight inputs, so blocks are long.
const BLOCK: usize = LONGEST;

/// Inputs whose codes are one word.
const GROUP: usize = 4;

/// Words of the codes of a block.
const GROUPS: usize = BLOCK / GROUP;

/// What is added to the codes of weights, which have no sign for `vpdpbusd`.
const OFFSET: i32 = 128;

/// A block of inputs: codes, scale, and what the codes' sum takes back for [`OFFSET`]. A block of weights: the scale of every
/// output, then for each group of inputs the codes of every output.
#[derive(Clone, Copy)]
pub struct Bytes;

impl Numbers for Bytes {
    const BLOCK: usize = BLOCK;
    const INPUT: usize = GROUPS + 2;
    const WEIGHT: usize = PANEL * (1 + GROUPS);
    const BLOCKS: bool = true;

    /// Half of those of other products, as every sum has one of integers beside it.
    fn rows<I: Isa>() -> usize {
        I::ROWS / 2
    }

    #[inline(always)]
    fn round<I: Isa>(isa: I, x: &[f32], out: &mut [i32]) {
        let (words, scale, sum) = codes(isa, x);
        out[..GROUPS].copy_from_slice(&words);
        out[GROUPS] = scale.to_bits() as i32;
        out[GROUPS + 1] = -OFFSET * sum;
    }

    #[inline(always)]
    fn pack<I: Isa>(isa: I, w: &[f32], lane: usize, out: &mut [i32]) {
        let (words, scale, _) = codes(isa, w);
        out[lane] = scale.to_bits() as i32;
        for (group, word) in words.into_iter().enumerate() {
            // Adds 128 to every byte.
            out[(1 + group) * PANEL + lane] = word ^ i32::from_le_bytes([0x80; GROUP]);
        }
    }

    fn weight(block: &[i32], lane: usize, input: usize) -> f32 {
        let code = block[(1 + input / GROUP) * PANEL + lane].to_le_bytes()[input % GROUP];
        (i32::from(code) - OFFSET) as f32 * f32::from_bits(block[lane] as u32)
    }

    /// The same bits as [`Self::multiply`]: integers have no rounding, and what follows them is done alike.
    #[inline(always)]
    unsafe fn multiply_strip<I: Isa, R: Registers>(
        isa: I,
        registers: &mut Blocks<R>,
        strip: Strip,
    ) {
        let mut products = [0; STRIP * PANEL];
        for block in 0..strip.blocks {
            registers.clear();
            // SAFETY: handed on from the caller; there is room for the products of a strip.
            unsafe {
                let input = strip.input.add(block * Self::INPUT);
                let weights = strip.weights.add(block * Self::WEIGHT);
                for group in (0..GROUPS).step_by(amx::WORDS) {
                    registers.multiply(
                        Kind::Bytes,
                        Rows { start: input.add(group), stride: strip.input_stride },
                        Rows { start: weights.add((1 + group) * PANEL), stride: PANEL },
                    );
                }
                registers.store(products.as_mut_ptr(), PANEL);
                for row in 0..strip.rows {
                    let after = input.add(row * strip.input_stride + GROUPS);
                    let (scale, back) =
                        (isa.splat(*after.cast::<f32>()), isa.splat_word(*after.add(1)));
                    for lane in (0..PANEL).step_by(LANES) {
                        let output = strip.output.add(row * strip.output_stride + lane);
                        let sum = match strip.proceed || block > 0 {
                            true => isa.load(output),
                            false => isa.splat(0.0),
                        };
                        let product = isa.load_words(products.as_ptr().add(row * PANEL + lane));
                        let scales = isa.load(weights.add(lane).cast());
                        let product = product.plus(back).to_floats().mul(scale.mul(scales));
                        sum.add(product).store(output);
                    }
                }
            }
        }
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
        // SAFETY: the caller vouches for the blocks.
        unsafe {
            let mut products = [[isa.splat_word(0); V]; R];
            for (r, products) in products.iter_mut().enumerate() {
                *products = [isa.splat_word(*a.add(r * stride + GROUPS + 1)); V];
            }
            for group in 0..GROUPS {
                fetch(group);
                let from = b.add((1 + group) * PANEL + lane);
                let mut columns = [isa.splat_word(0); V];
                for (v, column) in columns.iter_mut().enumerate() {
                    *column = isa.load_words(from.add(v * LANES));
                }
                for (r, products) in products.iter_mut().enumerate() {
                    let row = isa.splat_word(*a.add(r * stride + group));
                    for (product, column) in products.iter_mut().zip(columns) {
                        *product = product.dot_bytes(row, column);
                    }
                }
            }
            fetch(GROUPS);
            let from = b.add(lane).cast::<f32>();
            let mut scales = [isa.splat(0.0); V];
            for (v, scale) in scales.iter_mut().enumerate() {
                *scale = isa.load(from.add(v * LANES));
            }
            for (r, (sums, products)) in sums.iter_mut().zip(products).enumerate() {
                let scale = isa.splat(*a.add(r * stride + GROUPS).cast::<f32>());
                for (v, (sum, product)) in sums.iter_mut().zip(products).enumerate() {
                    *sum = sum.add(product.to_floats().mul(scale.mul(scales[v])));
                }
            }
        }
    }
}

/// Codes, scale and sum of the codes of a block, or of what there is of it.
#[inline(always)]
fn codes<I: Isa>(isa: I, x: &[f32]) -> ([i32; GROUPS], f32, i32) {
    let zero = isa.splat(0.0);
    let mut parts = [zero; BLOCK / LANES];
    let mut largest = zero;
    for (x, part) in x.chunks(LANES).zip(&mut parts) {
        *part = row::load(isa, x, 0.0);
        largest = part.max(zero.sub(*part).max(largest));
    }
    let largest = largest.largest();
    let factor = isa.splat(row::factor(LARGEST, largest));
    // Adding and taking away 1.5·2²³ rounds to the nearest whole number, ties to even.
    let magic = isa.splat(12_582_912.0);
    let mut words = [0; GROUPS];
    let to: *mut i8 = words.as_mut_ptr().cast();
    let mut sum = zero;
    for (part, x) in parts.into_iter().enumerate() {
        let code = x.mul(factor).add(magic).sub(magic);
        sum = sum.add(code);
        // SAFETY: the words have as many bytes as the block has inputs.
        unsafe { I::Words::store_bytes(code, to.add(part * LANES)) };
    }
    let sum = sum.sum();
    // The codes of what is no number are any; the scale says it of the whole block.
    let scale = if sum.is_nan() { f32::NAN } else { largest / LARGEST };
    (words, scale, sum as i32)
}
