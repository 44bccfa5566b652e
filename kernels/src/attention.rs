//! Attention among the tokens of one caption: softmax(Q·Kᵀ/√d)·V, head by head (Vaswani et al. 2017,
//! arXiv:1706.03762). [`head`](super::head) has queries and keys of their own.

use super::activation::weight;
use super::lanes::{Isa, LANES, Lanes};
use super::level::{Kernel, Level};
use super::matrix::{Buffer, round_up};
use super::tile::{Factor, Tile};

/// Memory that attention works in, kept from caption to caption.
#[derive(Default)]
pub struct Scratch {
    /// Keys of one head, [head width × tokens].
    pub(super) keys: Buffer,
    /// Scores of one head, [tokens × tokens].
    pub(super) scores: Buffer,
    /// Values of one head, padded to whole vectors.
    pub(super) values: Buffer,
    /// Context of one head, likewise; before that, some keys that are to be transposed.
    pub(super) context: Buffer,
    /// Queries of one head, where they are rounded.
    pub(super) queries: Buffer,
}

/// The tokens of one caption.
pub struct Attention<'a> {
    /// [tokens × 3·heads·width]: queries of all heads, keys, values. The context replaces the queries.
    pub qkv: &'a mut [f32],
    /// Tokens of the caption.
    pub tokens: usize,
    /// Heads.
    pub heads: usize,
    /// Columns per head, padded with zeros to whole vectors.
    pub width: usize,
    /// 1/√(true columns per head).
    pub scale: f32,
    /// Working memory.
    pub scratch: &'a mut Scratch,
}

impl Attention<'_> {
    /// Makes room, and panics unless every access of the kernel lies inside the slices.
    fn check(&mut self) {
        let padded = round_up(self.tokens);
        assert!(self.width.is_multiple_of(LANES) && self.tokens > 0);
        let needed =
            [self.tokens, 3, self.heads, self.width].into_iter().try_fold(1, usize::checked_mul);
        assert!(needed.is_some_and(|needed| needed <= self.qkv.len()));
        self.scratch.keys.reserve(self.width * padded);
        self.scratch.scores.reserve(self.tokens * padded);
    }
}

impl Level {
    /// Computes the context of all heads.
    pub fn attention(self, attention: Attention) {
        self.run(attention);
    }
}

impl Kernel for Attention<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        self.check();
        let a = self;
        let (tokens, width) = (a.tokens, a.width);
        let (stride, padded) = (3 * a.heads * width, round_up(a.tokens));
        let keys = a.scratch.keys.as_mut_ptr();
        let scores = a.scratch.scores.as_mut_ptr();
        for head in 0..a.heads {
            // SAFETY: `check` bounds the three blocks of a head in `qkv` and has made room in the scratch; the context
            // is written over queries that are no longer needed.
            unsafe {
                let query = a.qkv.as_mut_ptr().add(head * width);
                let key = query.add(a.heads * width);
                let value = key.add(a.heads * width);
                transpose(key, stride, tokens, width, keys);
                for column in (0..padded).step_by(LANES) {
                    multiply(isa, tokens, |row| Tile {
                        a: query.add(row * stride),
                        a_stride: stride,
                        b: keys.add(column),
                        b_stride: padded,
                        depth: width,
                        c: scores.add(row * padded + column),
                        c_stride: padded,
                    });
                }
                for row in 0..tokens {
                    softmax(isa, scores.add(row * padded), tokens, a.scale);
                }
                for column in (0..width).step_by(LANES) {
                    multiply(isa, tokens, |row| Tile {
                        a: scores.add(row * padded),
                        a_stride: padded,
                        b: value.add(column),
                        b_stride: stride,
                        depth: tokens,
                        c: query.add(row * stride + column),
                        c_stride: stride,
                    });
                }
            }
        }
    }
}

/// [tokens × width] at stride `stride` to [width × padded tokens], zeros in the padding.
#[inline(always)]
unsafe fn transpose(from: *const f32, stride: usize, tokens: usize, width: usize, to: *mut f32) {
    let padded = round_up(tokens);
    for column in 0..width {
        for token in 0..padded {
            // SAFETY: the caller vouches for both blocks.
            unsafe {
                *to.add(column * padded + token) = match token < tokens {
                    true => *from.add(token * stride + column),
                    false => 0.0,
                };
            }
        }
    }
}

/// One column of tiles over all rows.
#[inline(always)]
unsafe fn multiply<I: Isa>(isa: I, rows: usize, tile: impl Fn(usize) -> Tile) {
    // SAFETY: handed on from the caller.
    unsafe { multiply_wide::<I, f32, 1>(isa, rows, tile) };
}

/// One column of tiles, `V` vectors wide, over all rows.
#[inline(always)]
pub(super) unsafe fn multiply_wide<I: Isa, T: Factor<I>, const V: usize>(
    isa: I,
    rows: usize,
    tile: impl Fn(usize) -> Tile<T>,
) {
    let mut row = 0;
    while row < rows {
        let height = I::ROWS.min(rows - row);
        // SAFETY: handed on from the caller.
        unsafe { tile(row).run_height::<I, V>(isa, height, false) };
        row += height;
    }
}

/// softmax(scale · x) over the first `tokens` of a padded row, in place; the largest score is taken away first, so
/// no score is too large. The padding becomes 0.
#[inline(always)]
pub(super) unsafe fn softmax<I: Isa>(isa: I, x: *mut f32, tokens: usize, scale: f32) {
    let padded = round_up(tokens);
    let last = padded - LANES;
    let real: [f32; LANES] = std::array::from_fn(|i| f32::from(u8::from(last + i < tokens)));
    let floor = real.map(|real| (real - 1.0) * 1e30);
    // SAFETY: the caller vouches for a row of `padded` floats.
    unsafe {
        let (real, floor) = (isa.load(real.as_ptr()), isa.load(floor.as_ptr()));
        isa.load(x.add(last)).mul_add(real, floor).store(x.add(last));
        let mut largest = isa.load(x);
        for at in (LANES..padded).step_by(LANES) {
            largest = largest.max(isa.load(x.add(at)));
        }
        let (largest, scale) = (isa.splat(largest.largest()), isa.splat(scale));
        let mut sum = isa.splat(0.0);
        for at in (0..padded).step_by(LANES) {
            let mut e = weight(isa, isa.load(x.add(at)).sub(largest).mul(scale));
            if at == last {
                e = e.mul(real);
            }
            e.store(x.add(at));
            sum = sum.add(e);
        }
        let share = isa.splat(1.0 / sum.sum());
        for at in (0..padded).step_by(LANES) {
            isa.load(x.add(at)).mul(share).store(x.add(at));
        }
    }
}
