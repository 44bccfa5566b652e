//! The matrix product, nine tenths of an encoder's time. Each output element is one chain of multiply-adds over the
//! inputs in order, wherever its row stands and whatever the tile: that makes embeddings independent of their batch.

use std::ops::Range;

use super::activation::{self, Activation};
use super::lanes::{LANES, Lanes};
use super::matrix::{Buffer, Matrix};

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

/// output[:, columns] (+)= input · weights[inner, columns], row by row.
pub struct Product<'a, V = Buffer> {
    /// Rows × stride; its column 0 meets input `inner.start` of the weights.
    pub input: &'a [f32],
    /// Floats from one row of the input to the next.
    pub input_stride: usize,
    /// Rows to compute.
    pub rows: usize,
    /// The weights.
    pub weights: &'a Matrix<V>,
    /// Outputs to compute; starts at a panel, ends at one or at the last output.
    pub columns: Range<usize>,
    /// Inputs to sum over.
    pub inner: Range<usize>,
    /// Rows × stride; its column 0 is output `columns.start`.
    pub output: &'a mut [f32],
    /// Floats from one row of the output to the next.
    pub output_stride: usize,
    /// The output holds the sums over the inputs before `inner`; otherwise sums start at 0.
    pub proceed: bool,
    /// What to do at the end.
    pub finish: Finish<'a>,
}

impl<V> Product<'_, V> {
    /// Panics unless every access of the kernel lies inside the slices: the callers' sizes are wrong otherwise.
    pub fn check(&self) {
        let (columns, inner, shape) = (&self.columns, &self.inner, self.weights.shape);
        assert!(columns.start.is_multiple_of(shape.panel) && columns.start <= columns.end);
        assert!(columns.end == shape.outputs || columns.end.is_multiple_of(shape.panel));
        assert!(columns.end <= shape.outputs);
        assert!(inner.start <= inner.end && inner.end <= shape.inputs);
        if self.rows > 0 {
            let last = self.rows - 1;
            assert!(last * self.input_stride + inner.len() <= self.input.len());
            assert!(last * self.output_stride + columns.len() <= self.output.len());
            if let Finish::Residual(other) = self.finish {
                assert!(last * self.output_stride + columns.len() <= other.len());
            }
        }
    }
}

/// Inputs that one pass over a panel takes: 12 KiB of weights for sixteen columns, which leave room for the rows in the
/// first-level cache.
const PASS: usize = 192;

/// Computes a product. Weights come from memory once per chunk: while the rows of one pass are computed, the weights of
/// the next one are fetched into the second-level cache.
///
/// # Safety
/// The instruction set of `L` is present and `p.check()` passes.
#[inline(always)]
pub(super) unsafe fn product<L: Lanes>(p: &mut Product) {
    let mut passes = Passes {
        columns: p.columns.clone(),
        inner: p.inner.clone(),
        from: p.inner.start,
    };
    let mut pass = passes.next(p.weights.shape.panel);
    while let Some(Pass { first, inner }) = pass {
        let width = p.weights.shape.width(first);
        let panel = p.weights.panel_at(first, inner.start).as_ptr();
        pass = passes.next(p.weights.shape.panel);
        let ahead = match &pass {
            Some(next) => {
                let width = p.weights.shape.width(next.first);
                &p.weights.panel_at(next.first, next.inner.start)[..width * next.inner.len()]
            }
            None => &[],
        };
        // SAFETY: `check` bounds rows, columns and inputs; the panel holds `width` columns from input `from` on.
        unsafe {
            match width / LANES {
                1 => rows::<L, 1>(p, panel, first, inner, ahead),
                2 => rows::<L, 2>(p, panel, first, inner, ahead),
                _ => unreachable!("panels are one or two vectors wide"),
            }
        }
    }
}

/// Some inputs of the panel of columns that begins at `first`.
struct Pass {
    first: usize,
    inner: Range<usize>,
}

/// The passes of a product: panel by panel, the inputs of each in order.
struct Passes {
    columns: Range<usize>,
    inner: Range<usize>,
    from: usize,
}

impl Passes {
    fn next(&mut self, panel: usize) -> Option<Pass> {
        if self.columns.start >= self.columns.end {
            return None;
        }
        let pass = Pass {
            first: self.columns.start,
            inner: self.from..(self.from + PASS).min(self.inner.end),
        };
        self.from = pass.inner.end;
        if self.from == self.inner.end {
            self.from = self.inner.start;
            self.columns.start += panel;
        }
        Some(pass)
    }
}

/// All rows against `V` vectors of columns, while the weights `ahead` are fetched.
#[inline(always)]
unsafe fn rows<L: Lanes, const V: usize>(
    p: &mut Product,
    panel: *const f32,
    first: usize,
    inner: Range<usize>,
    ahead: &[f32],
) {
    let proceed = p.proceed || inner.start > p.inner.start;
    let last = inner.end == p.inner.end;
    let share = ahead
        .len()
        .div_ceil(LANES * p.rows.div_ceil(L::ROWS).max(1))
        .max(1)
        * LANES;
    let mut ahead = ahead.chunks(share);
    let mut row = 0;
    while row < p.rows {
        for line in ahead.next().unwrap_or_default().chunks(LANES) {
            L::prefetch(line.as_ptr());
        }
        let height = L::ROWS.min(p.rows - row);
        let at = row * p.output_stride + first - p.columns.start;
        // SAFETY: `row + height ≤ rows`, so both tiles lie inside what `check` has bounded.
        unsafe {
            let tile = Tile {
                a: p.input
                    .as_ptr()
                    .add(row * p.input_stride + inner.start - p.inner.start),
                a_stride: p.input_stride,
                b: panel,
                b_stride: V * LANES,
                depth: inner.len(),
                c: p.output.as_mut_ptr().add(at),
                c_stride: p.output_stride,
            };
            tile.run_height::<L, V>(height, proceed);
            if last {
                finish::<L, V>(
                    &p.finish,
                    &p.weights.bias[first..],
                    at,
                    tile.c,
                    [height, p.output_stride],
                );
            }
        }
        row += height;
    }
}

/// Inputs between two turns of a tile's loop.
const UNROLL: usize = 4;

/// c (+)= a · b for a few rows and `V` vectors of columns.
pub(super) struct Tile {
    pub a: *const f32,
    pub a_stride: usize,
    pub b: *const f32,
    pub b_stride: usize,
    pub depth: usize,
    pub c: *mut f32,
    pub c_stride: usize,
}

impl Tile {
    /// Picks the tile of this height, at most `L::ROWS`.
    ///
    /// # Safety
    /// The instruction set of `L` is present; the pointers are valid for `height` rows, `V` vectors of columns and
    /// `depth` inputs.
    #[inline(always)]
    pub unsafe fn run_height<L: Lanes, const V: usize>(&self, height: usize, proceed: bool) {
        macro_rules! heights {
            ($($n:literal)*) => {
                match height {
                    // SAFETY: handed on from the caller.
                    $($n if $n <= L::ROWS => unsafe { self.run::<L, $n, V>(proceed) },)*
                    _ => unreachable!("tiles are at most {} rows high", L::ROWS),
                }
            };
        }
        heights!(1 2 3 4 5 6 7 8 9 10 11 12)
    }

    #[inline(always)]
    unsafe fn run<L: Lanes, const R: usize, const V: usize>(&self, proceed: bool) {
        // SAFETY: the caller vouches for the instruction set and the pointers.
        unsafe {
            let mut sums = [[L::splat(0.0); V]; R];
            if proceed {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = L::load(self.c.add(r * self.c_stride + v * LANES));
                    }
                }
            }
            let (mut a, mut b) = (self.a, self.b);
            for _ in 0..self.depth / UNROLL {
                for step in 0..UNROLL {
                    self.step::<L, R, V>(a.add(step), b.add(step * self.b_stride), &mut sums);
                }
                a = a.add(UNROLL);
                b = b.add(UNROLL * self.b_stride);
            }
            for step in 0..self.depth % UNROLL {
                self.step::<L, R, V>(a.add(step), b.add(step * self.b_stride), &mut sums);
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
    unsafe fn step<L: Lanes, const R: usize, const V: usize>(
        &self,
        a: *const f32,
        b: *const f32,
        sums: &mut [[L; V]; R],
    ) {
        // SAFETY: the caller vouches for the instruction set and the pointers.
        unsafe {
            let mut columns = [L::splat(0.0); V];
            for (v, column) in columns.iter_mut().enumerate() {
                *column = L::load(b.add(v * LANES));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let row = L::splat(*a.add(r * self.a_stride));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = row.mul_add(column, *sum);
                }
            }
        }
    }
}

/// Finishes a tile of `height` rows while it is still in the first-level cache. `at` is its place in the output.
///
/// # Safety
/// The instruction set of `L` is present; `c` is valid for the tile, and so is the residual at the same place.
#[inline(always)]
pub(super) unsafe fn finish<L: Lanes, const V: usize>(
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
            let bias = L::load(bias.as_ptr().add(v * LANES));
            for r in 0..height {
                let offset = r * stride + v * LANES;
                let to = c.add(offset);
                match finish {
                    Finish::Keep => return,
                    Finish::Bias => L::load(to).add(bias).store(to),
                    Finish::Activate(kind) => {
                        activation::apply(*kind, L::load(to).add(bias)).store(to);
                    }
                    Finish::Residual(other) => {
                        let other = L::load(other.as_ptr().add(at + offset));
                        L::load(to).add(bias).add(other).store(to);
                    }
                }
            }
        }
    }
}
