//! Weights and inputs in f32.

use super::form::{BLOCK, Numbers};
use super::transpose::transpose_rows;
use super::{LANES, PANEL};
use crate::lanes::{Isa, Lanes};

/// A block of inputs: these. A block of weights: for each input that of every output.
#[derive(Clone, Copy)]
pub struct Singles;

impl Numbers for Singles {
    const INPUT: usize = BLOCK;
    const WEIGHT: usize = PANEL * BLOCK;

    fn rows<I: Isa>() -> usize {
        I::ROWS
    }

    #[inline(always)]
    fn round<I: Isa>(_: I, x: &[f32], out: &mut [i32]) {
        out[x.len()..].fill(0);
        out.iter_mut().zip(x).for_each(|(out, x)| *out = x.to_bits() as i32);
    }

    #[inline(always)]
    fn pack<I: Isa>(_: I, w: &[f32], lane: usize, out: &mut [i32]) {
        for (input, out) in out.chunks_mut(PANEL).enumerate() {
            out[lane] = w.get(input).map_or(0, |w| w.to_bits() as i32);
        }
    }

    #[inline(always)]
    fn pack_inputs<I: Isa>(_: I, w: &[f32], stride: usize, lanes: usize, out: &mut [i32]) {
        out.fill(0);
        for (w, out) in w.chunks(stride).zip(out.chunks_mut(PANEL)) {
            out[..lanes].iter_mut().zip(w).for_each(|(out, w)| *out = w.to_bits() as i32);
        }
    }

    fn weight(block: &[i32], lane: usize, input: usize) -> f32 {
        f32::from_bits(block[input * PANEL + lane] as u32)
    }

    #[inline(always)]
    fn transpose<I: Isa>(isa: I, block: &[i32], out: &mut [i32]) {
        for (half, rows) in block.chunks(LANES * PANEL).enumerate() {
            transpose_rows(isa, rows, &mut out[half * LANES..], PANEL);
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
        let (a, b) = (a.cast::<f32>(), b.cast::<f32>());
        for input in 0..BLOCK {
            fetch(input);
            // SAFETY: the caller vouches for the blocks.
            unsafe {
                let from = b.add(input * PANEL + lane);
                let mut columns = [isa.splat(0.0); V];
                for (v, column) in columns.iter_mut().enumerate() {
                    *column = isa.load(from.add(v * LANES));
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let row = isa.splat(*a.add(r * stride + input));
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = row.mul_add(column, *sum);
                    }
                }
            }
        }
    }
}
