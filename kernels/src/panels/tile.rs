//! One tile of a product: a few rows against one or two vectors of outputs, whose sums stay in registers.

use std::marker::PhantomData;

use super::PANEL;
use super::form::Numbers;
use crate::lanes::{Isa, LANES, Lanes};
use crate::level::Kernel;

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
    /// Where the weights lie that are fetched meanwhile, and how many words of them for each row of a block.
    pub ahead: (*const i32, usize),
    pub numbers: PhantomData<F>,
}

impl<F: Numbers> Tile<'_, F> {
    /// Picks the tile of this height, at most [`Numbers::rows`], and width: that of the instruction set, or all of a panel for one row.
    #[inline(always)]
    pub fn run_size<I: Isa>(self, isa: I, height: usize, vectors: usize) {
        macro_rules! heights {
            ($($n:literal)*) => {
                match (height, vectors) {
                    $(
                        ($n, 1) if I::VECTORS == 1 && $n <= F::rows::<I>() => isa.call(Shape::<F, $n, 1>(self)),
                        ($n, 2) if $n == 1 || I::VECTORS == 2 && $n <= F::rows::<I>() => isa.call(Shape::<F, $n, 2>(self)),
                    )*
                    _ => unreachable!("tiles are at most {} rows high", F::rows::<I>()),
                }
            };
        }
        heights!(1 2 3 4 5 6 7 8 9 10 11 12)
    }
}

/// The tile of `R` rows and `V` vectors.
struct Shape<'a, F, const R: usize, const V: usize>(Tile<'a, F>);

impl<F: Numbers, const R: usize, const V: usize> Kernel for Shape<'_, F, R, V> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Tile {
            input, input_stride, weights, lane, output, output_stride, proceed, ahead, ..
        } = self.0;
        let blocks = weights.len() / F::WEIGHT;
        assert!(lane + V * LANES <= PANEL);
        assert!((R - 1) * input_stride + blocks * F::INPUT <= input.len());
        assert!((R - 1) * output_stride + V * LANES <= output.len());
        let c = output.as_mut_ptr();
        let (mut a, mut b) = (input.as_ptr(), weights.as_ptr());
        let (mut ahead, each) = ahead;
        // SAFETY: the tile was just checked to lie inside the slices, of which `a` and `b` go through the blocks.
        unsafe {
            let mut sums = [[isa.splat(0.0); V]; R];
            if proceed {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = isa.load(c.add(r * output_stride + v * LANES));
                    }
                }
            }
            for _ in 0..blocks {
                F::multiply(isa, a, input_stride, b, lane, &mut sums, |row| {
                    for line in (0..each).step_by(LANES) {
                        isa.prefetch_near(ahead.wrapping_add(row * each + line));
                    }
                });
                ahead = ahead.wrapping_add(F::WEIGHT / PANEL * each);
                a = a.add(F::INPUT);
                b = b.add(F::WEIGHT);
            }
            for (r, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    sum.store(c.add(r * output_stride + v * LANES));
                }
            }
        }
    }
}
