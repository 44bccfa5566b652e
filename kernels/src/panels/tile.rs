//! One tile of a product: a few rows against one or two vectors of outputs, whose sums stay in registers.

use std::marker::PhantomData;

use super::PANEL;
use super::form::Numbers;
use crate::lanes::{Isa, LANES, Lanes};

/// Some blocks of inputs of a few rows, the weights that they meet, and where the products go.
pub struct Tile<'a, F> {
    /// Rows from the first block on.
    pub input: &'a [i32],
    pub input_stride: usize,
    /// The blocks of a panel.
    pub weights: &'a [i32],
    /// Output of the panel to begin with.
    pub lane: usize,
    pub output: &'a mut [f32],
    pub output_stride: usize,
    /// The output holds the sums over the blocks before.
    pub proceed: bool,
    /// Where the weights lie that are fetched meanwhile, and how many words of them for each block.
    pub ahead: (*const i32, usize),
    pub numbers: PhantomData<F>,
}

impl<F: Numbers> Tile<'_, F> {
    /// Picks the tile of this height, at most [`Numbers::rows`].
    #[inline(always)]
    pub fn run_height<I: Isa>(self, isa: I, height: usize) {
        macro_rules! heights {
            ($($n:literal)*) => {
                match (height, I::VECTORS) {
                    $(
                        ($n, 1) if $n <= F::rows::<I>() => self.run::<I, $n, 1>(isa),
                        ($n, 2) if $n <= F::rows::<I>() => self.run::<I, $n, 2>(isa),
                    )*
                    _ => unreachable!("tiles are at most {} rows high", F::rows::<I>()),
                }
            };
        }
        heights!(1 2 3 4 5 6 7 8 9 10 11 12)
    }

    #[inline(always)]
    fn run<I: Isa, const R: usize, const V: usize>(self, isa: I) {
        let blocks = self.weights.len() / F::WEIGHT;
        assert!(self.lane + V * LANES <= PANEL);
        assert!((R - 1) * self.input_stride + blocks * F::INPUT <= self.input.len());
        assert!((R - 1) * self.output_stride + V * LANES <= self.output.len());
        let c = self.output.as_mut_ptr();
        let (mut a, mut b) = (self.input.as_ptr(), self.weights.as_ptr());
        let (mut ahead, each) = self.ahead;
        // SAFETY: the tile was just checked to lie inside the slices, of which `a` and `b` go through the blocks.
        unsafe {
            let mut sums = [[isa.splat(0.0); V]; R];
            if self.proceed {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = isa.load(c.add(r * self.output_stride + v * LANES));
                    }
                }
            }
            for _ in 0..blocks {
                for line in (0..each).step_by(LANES) {
                    isa.prefetch(ahead.wrapping_add(line));
                }
                ahead = ahead.wrapping_add(each);
                F::multiply(isa, a, self.input_stride, b, self.lane, &mut sums);
                a = a.add(F::INPUT);
                b = b.add(F::WEIGHT);
            }
            for (r, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    sum.store(c.add(r * self.output_stride + v * LANES));
                }
            }
        }
    }
}
