//! Inputs in f32, and weights of 16 bits that become f32 in registers, which rounds nothing.

use std::marker::PhantomData;

use half::{bf16, f16};

use super::form::{BLOCK, Numbers};
use super::halves::{PAIRS, Sixteen, pack_pairs, pair_of, transpose_pairs};
use super::singles::Singles;
use super::{LANES, PANEL};
use crate::lanes::{Isa, Lanes, Words};

/// A block of inputs: these. A block of weights: for each pair of inputs that of every output.
#[derive(Clone, Copy)]
pub struct Wide<T>(PhantomData<T>);

/// Numbers whose pairs are widened in registers.
pub trait Widen: Sixteen {
    /// The first ones of sixteen pairs, and the second ones.
    fn widen<W: Words>(pairs: W) -> [W::F32; 2];
}

impl Widen for bf16 {
    #[inline(always)]
    fn widen<W: Words>(pairs: W) -> [W::F32; 2] {
        pairs.widen_bf16()
    }
}

impl Widen for f16 {
    #[inline(always)]
    fn widen<W: Words>(pairs: W) -> [W::F32; 2] {
        pairs.widen_f16()
    }
}

impl<T: Widen> Numbers for Wide<T> {
    const INPUT: usize = BLOCK;
    const WEIGHT: usize = PANEL * PAIRS;

    /// One less where registers are few: a column takes two for itself and two for the half that is multiplied.
    fn rows<I: Isa>() -> usize {
        if I::VECTORS == 1 { I::ROWS - 1 } else { I::ROWS }
    }

    #[inline(always)]
    fn round<I: Isa>(isa: I, x: &[f32], out: &mut [i32]) {
        Singles::round(isa, x, out);
    }

    #[inline(always)]
    fn pack<I: Isa>(isa: I, w: &[f32], lane: usize, out: &mut [i32]) {
        pack_pairs::<T, I>(isa, w, lane, out);
    }

    const WIDENED: bool = true;

    #[inline(always)]
    fn widen<I: Isa>(isa: I, block: &[i32], out: &mut [i32]) {
        for (pair, out) in block.chunks(PANEL).zip(out.chunks_mut(2 * PANEL)) {
            let (first, second) = out.split_at_mut(PANEL);
            for lane in (0..PANEL).step_by(LANES) {
                let (pair, to) =
                    (&pair[lane..][..LANES], [&mut first[lane..], &mut second[lane..]]);
                // SAFETY: sixteen words are there.
                let halves = T::widen(unsafe { isa.load_words(pair.as_ptr()) });
                for (half, to) in halves.into_iter().zip(to) {
                    // SAFETY: sixteen floats are as large as sixteen words.
                    unsafe { half.store(to[..LANES].as_mut_ptr().cast()) };
                }
            }
        }
    }

    fn weight(block: &[i32], lane: usize, input: usize) -> f32 {
        pair_of::<T>(block[input / 2 * PANEL + lane])[input % 2]
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
        let a = a.cast::<f32>();
        for pair in 0..PAIRS {
            fetch(pair);
            // SAFETY: the caller vouches for the blocks.
            unsafe {
                let from = b.add(pair * PANEL + lane);
                for half in 0..2 {
                    let mut columns = [isa.splat(0.0); V];
                    for (v, column) in columns.iter_mut().enumerate() {
                        *column = T::widen(isa.load_words(from.add(v * LANES)))[half];
                    }
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let row = isa.splat(*a.add(r * stride + 2 * pair + half));
                        for (sum, column) in sums.iter_mut().zip(columns) {
                            *sum = row.mul_add(column, *sum);
                        }
                    }
                }
            }
        }
    }
}
