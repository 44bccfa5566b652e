//! One tile of a product of integers.

use crate::lanes::{Isa, LANES, Lanes, Words};

/// Some columns of the weights for one block of inputs.
pub struct Panel<'a> {
    pub words: &'a [i32],
    /// What is worth fetching meanwhile.
    pub ahead: &'a [i32],
    pub scales: &'a [f32],
    pub first: usize,
    pub proceed: bool,
    pub last: bool,
}

/// A few rows of input codes and where their products go.
pub struct Tile<'a> {
    pub words: &'a [i32],
    pub scales: &'a [f32],
    pub groups: usize,
    pub c: *mut f32,
    pub stride: usize,
}

impl Tile<'_> {
    /// Picks the tile of this height, at most `I::ROWS`.
    ///
    /// # Safety
    /// `c` is valid for `height` rows at stride `stride`, and the rest holds `height` rows of inputs and `V` vectors of
    /// weights.
    #[inline(always)]
    pub unsafe fn run_height<I: Isa, const V: usize>(&self, isa: I, height: usize, panel: &Panel) {
        macro_rules! heights {
            ($($n:literal)*) => {
                match height {
                    // SAFETY: handed on from the caller.
                    $($n if $n <= I::ROWS => unsafe { self.run::<I, $n, V>(isa, panel) },)*
                    _ => unreachable!("tiles are at most {} rows high", I::ROWS),
                }
            };
        }
        heights!(1 2 3 4 5 6 7 8 9 10 11 12)
    }

    #[inline(always)]
    unsafe fn run<I: Isa, const R: usize, const V: usize>(&self, isa: I, panel: &Panel) {
        // SAFETY: the caller vouches for R rows of V vectors.
        unsafe {
            let mut sums = [[isa.splat_word(0); V]; R];
            let (mut a, mut b) = (self.words.as_ptr(), panel.words.as_ptr());
            for _ in 0..self.groups {
                let mut columns = [isa.splat_word(0); V];
                for (v, column) in columns.iter_mut().enumerate() {
                    *column = isa.load_words(b.add(v * LANES));
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let row = isa.splat_word(*a.add(r * self.groups));
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = sum.dot(row, column);
                    }
                }
                a = a.add(1);
                b = b.add(V * LANES);
            }
            for (r, sums) in sums.iter().enumerate() {
                let scale = isa.splat(self.scales[r]);
                for (v, sum) in sums.iter().enumerate() {
                    let worth = scale.mul(isa.load(panel.scales.as_ptr().add(v * LANES)));
                    let mut value = sum.to_floats().mul(worth);
                    let to = self.c.add(r * self.stride + v * LANES);
                    if panel.proceed {
                        value = value.add(isa.load(to));
                    }
                    value.store(to);
                }
            }
        }
    }
}
