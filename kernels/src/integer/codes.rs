//! f32 to 12-bit codes: weights once, per output; inputs for every product, per row and block of inputs.

use super::DEPTH;
use crate::lanes::{Isa, LANES, Lanes, Words, word};
use crate::matrix::{Buffer, Matrix, Shape};
use crate::row::factor;

/// The largest code, of inputs and of weights: [`DEPTH`] products of two such codes still fit 32 bits.
const LARGEST: f32 = 2047.0;
const _: () = assert!(LARGEST as i64 * LARGEST as i64 * DEPTH as i64 <= i32::MAX as i64);

/// The codes of a weight matrix.
pub struct Codes {
    /// Words of codes in the order of [`Shape::visit`].
    pub words: Vec<i32>,
    /// What a code of 1 is worth, per output.
    pub scales: Buffer,
}

impl Codes {
    /// Quantises and packs, as [`Matrix::pack`] does: the largest weight of an output gets the largest code.
    pub fn pack(
        sizes: [usize; 2],
        panel: usize,
        weight: impl Fn(usize, usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> Matrix<Codes> {
        let shape = Shape::new(sizes, panel);
        let mut scales = Buffer::zeros(shape.outputs);
        for (output, scale) in scales[..shape.outputs].iter_mut().enumerate() {
            let largest =
                (0..shape.inputs).fold(0f32, |m, input| m.max(weight(output, input).abs()));
            *scale = if factor(LARGEST, largest) > 0.0 { largest / LARGEST } else { 0.0 };
        }
        let mut words = Vec::with_capacity(shape.outputs * shape.inputs / 2);
        let mut first = 0;
        shape.visit(2, |output, input| {
            let scale = scales[output];
            let code = match scale > 0.0 {
                true => (weight(output, input) / scale).round_ties_even() as i32,
                false => 0,
            };
            match input % 2 {
                0 => first = code,
                _ => words.push(word([first, code])),
            }
        });
        Matrix { values: Codes { words, scales }, bias: shape.bias(bias), shape }
    }
}

/// The codes of the input of one product.
#[derive(Default)]
pub struct Inputs {
    /// Words of codes, row after row.
    pub words: Vec<i32>,
    /// What a code of 1 is worth, per row.
    pub scales: Vec<f32>,
}

/// Quantises `rows` rows of `length` floats, a multiple of sixteen.
///
/// # Safety
/// `from` is valid for the rows at stride `stride`.
#[inline(always)]
pub(super) unsafe fn quantize<I: Isa>(
    isa: I,
    from: *const f32,
    stride: usize,
    [rows, length]: [usize; 2],
    inputs: &mut Inputs,
) {
    let words_per_row = length / 2;
    inputs.words.resize(inputs.words.len().max(rows * words_per_row), 0);
    inputs.scales.resize(inputs.scales.len().max(rows), 0.0);
    for row in 0..rows {
        let words = &mut inputs.words[row * words_per_row..][..words_per_row];
        // SAFETY: the caller vouches for the rows.
        unsafe {
            let x = from.add(row * stride);
            let zero = isa.splat(0.0);
            let mut largest = zero;
            for at in (0..length).step_by(LANES) {
                let value = isa.load(x.add(at));
                largest = value.max(zero.sub(value).max(largest));
            }
            let largest = largest.largest();
            let to_codes = isa.splat(factor(LARGEST, largest));
            let mut sum = zero;
            for at in (0..length).step_by(LANES) {
                let scaled = isa.load(x.add(at)).mul(to_codes);
                sum = sum.add(scaled);
                I::Words::store_codes(scaled, words.as_mut_ptr().add(at / 2));
            }
            // The codes of what is no number are any; the scale says it of the whole row.
            inputs.scales[row] = if sum.sum().is_nan() { f32::NAN } else { largest / LARGEST };
        }
    }
}
