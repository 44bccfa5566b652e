//! One tile of a product: a few rows against one or two vectors of columns, whose sums stay in registers.

use super::activation::{self, Activation};
use super::lanes::{Isa, LANES, Lanes, Words};

/// What happens to an element once its sum is complete.
#[derive(Clone, Copy)]
pub enum Finish<'a> {
    /// Nothing yet: another product continues the sums.
    Keep,
    /// + bias
    Bias,
    /// activation(+ bias)
    Activate(Activation),
    /// + bias + the same element of another matrix, with the stride of the output.
    Residual(&'a [f32]),
}

/// Inputs between two turns of a tile's loop.
const UNROLL: usize = 4;

/// What a tile multiplies: one number, or two at a time.
pub trait Factor<I: Isa>: Copy {
    /// Sixteen of them.
    type Vector: Copy;

    /// The one at `from` in every lane.
    ///
    /// # Safety
    /// `from` is valid for one.
    unsafe fn splat(isa: I, from: *const Self) -> Self::Vector;

    /// Sixteen consecutive ones.
    ///
    /// # Safety
    /// `from` is valid for sixteen.
    unsafe fn load(isa: I, from: *const Self) -> Self::Vector;

    /// sum + row · column
    fn multiply(row: Self::Vector, column: Self::Vector, sum: I::F32) -> I::F32;
}

impl<I: Isa> Factor<I> for f32 {
    type Vector = I::F32;

    #[inline(always)]
    unsafe fn splat(isa: I, from: *const f32) -> I::F32 {
        // SAFETY: handed on from the caller.
        isa.splat(unsafe { *from })
    }

    #[inline(always)]
    unsafe fn load(isa: I, from: *const f32) -> I::F32 {
        // SAFETY: handed on from the caller.
        unsafe { isa.load(from) }
    }

    #[inline(always)]
    fn multiply(row: I::F32, column: I::F32, sum: I::F32) -> I::F32 {
        row.mul_add(column, sum)
    }
}

/// Two bf16.
impl<I: Isa> Factor<I> for i32 {
    type Vector = I::Words;

    #[inline(always)]
    unsafe fn splat(isa: I, from: *const i32) -> I::Words {
        // SAFETY: handed on from the caller.
        isa.splat_word(unsafe { *from })
    }

    #[inline(always)]
    unsafe fn load(isa: I, from: *const i32) -> I::Words {
        // SAFETY: handed on from the caller.
        unsafe { isa.load_words(from) }
    }

    #[inline(always)]
    fn multiply(row: I::Words, column: I::Words, sum: I::F32) -> I::F32 {
        row.dot_halves(column, sum)
    }
}

/// c (+)= a · b for a few rows and `V` vectors of columns.
pub struct Tile<T = f32> {
    pub a: *const T,
    pub a_stride: usize,
    pub b: *const T,
    pub b_stride: usize,
    pub depth: usize,
    pub c: *mut f32,
    pub c_stride: usize,
}

impl<T> Tile<T> {
    /// Picks the tile of this height, at most `I::ROWS`.
    ///
    /// # Safety
    /// The pointers are valid for `height` rows, `V` vectors of columns and
    /// `depth` inputs.
    #[inline(always)]
    pub unsafe fn run_height<I: Isa, const V: usize>(&self, isa: I, height: usize, proceed: bool)
    where
        T: Factor<I>,
    {
        macro_rules! heights {
            ($($n:literal)*) => {
                match height {
                    // SAFETY: handed on from the caller.
                    $($n if $n <= I::ROWS => unsafe { self.run::<I, $n, V>(isa, proceed) },)*
                    _ => unreachable!("tiles are at most {} rows high", I::ROWS),
                }
            };
        }
        heights!(1 2 3 4 5 6 7 8 9 10 11 12)
    }

    #[inline(always)]
    unsafe fn run<I: Isa, const R: usize, const V: usize>(&self, isa: I, proceed: bool)
    where
        T: Factor<I>,
    {
        // SAFETY: the caller vouches for the pointers.
        unsafe {
            let mut sums = [[isa.splat(0.0); V]; R];
            if proceed {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = isa.load(self.c.add(r * self.c_stride + v * LANES));
                    }
                }
            }
            let (mut a, mut b) = (self.a, self.b);
            for _ in 0..self.depth / UNROLL {
                for step in 0..UNROLL {
                    self.step::<I, R, V>(isa, a.add(step), b.add(step * self.b_stride), &mut sums);
                }
                a = a.add(UNROLL);
                b = b.add(UNROLL * self.b_stride);
            }
            for step in 0..self.depth % UNROLL {
                self.step::<I, R, V>(isa, a.add(step), b.add(step * self.b_stride), &mut sums);
            }
            for (r, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    sum.store(self.c.add(r * self.c_stride + v * LANES));
                }
            }
        }
    }

    /// One input: every row of it times the vectors of its weights.
    #[inline(always)]
    unsafe fn step<I: Isa, const R: usize, const V: usize>(
        &self,
        isa: I,
        a: *const T,
        b: *const T,
        sums: &mut [[I::F32; V]; R],
    ) where
        T: Factor<I>,
    {
        // SAFETY: the caller vouches for the pointers.
        unsafe {
            let mut columns = [T::load(isa, b); V];
            for (v, column) in columns.iter_mut().enumerate().skip(1) {
                *column = T::load(isa, b.add(v * LANES));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let row = T::splat(isa, a.add(r * self.a_stride));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = T::multiply(row, column, *sum);
                }
            }
        }
    }
}

/// Finishes a tile of `height` rows while it is still in the first-level cache. `at` is its place in the output.
///
/// # Safety
/// `c` is valid for the tile, and so is the residual at the same place.
#[inline(always)]
pub unsafe fn finish<I: Isa, const V: usize>(
    isa: I,
    finish: &Finish,
    bias: &[f32],
    at: usize,
    c: *mut f32,
    [height, stride]: [usize; 2],
) {
    // SAFETY: the tile is valid for `height` rows, `check` has bounded the residual likewise, and the bias covers all
    // columns.
    unsafe {
        for v in 0..V {
            let bias = isa.load(bias.as_ptr().add(v * LANES));
            for r in 0..height {
                let offset = r * stride + v * LANES;
                let to = c.add(offset);
                match finish {
                    Finish::Keep => return,
                    Finish::Bias => isa.load(to).add(bias).store(to),
                    Finish::Activate(kind) => {
                        activation::apply(isa, *kind, isa.load(to).add(bias)).store(to);
                    }
                    Finish::Residual(other) => {
                        let other = isa.load(other.as_ptr().add(at + offset));
                        isa.load(to).add(bias).add(other).store(to);
                    }
                }
            }
        }
    }
}
