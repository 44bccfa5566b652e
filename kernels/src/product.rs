//! The matrix product, nine tenths of an encoder's time. Each output element is one chain of multiply-adds over the
//! inputs in order, wherever its row stands and whatever the tile: that makes embeddings independent of their batch.

use std::ops::Range;

use super::lanes::{Isa, LANES};
use super::level::{Kernel, Level};
use super::matrix::{Buffer, Matrix};
use super::tile::{Finish, Tile, finish};

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
    /// Panics unless every access of a kernel with panels of this many columns lies inside the slices: the callers' sizes
    /// are wrong otherwise.
    #[inline]
    pub(crate) fn check(&self, panel: usize) {
        let (columns, inner, shape) = (&self.columns, &self.inner, self.weights.shape);
        assert_eq!(shape.panel, panel, "weights are packed for this level");
        assert!(columns.start.is_multiple_of(panel) && columns.start <= columns.end);
        assert!(columns.end == shape.outputs || columns.end.is_multiple_of(panel));
        assert!(columns.end <= shape.outputs && columns.end <= self.weights.bias.len());
        assert!(inner.start <= inner.end && inner.end <= shape.inputs);
        let covers = |stride: usize, width: usize, slice: &[f32]| {
            let last = self.rows.saturating_sub(1).checked_mul(stride);
            self.rows == 0 || last.is_some_and(|at| at <= slice.len() && width <= slice.len() - at)
        };
        assert!(covers(self.input_stride, inner.len(), self.input));
        assert!(covers(self.output_stride, columns.len(), self.output));
        if let Finish::Residual(other) = self.finish {
            assert!(covers(self.output_stride, columns.len(), other));
        }
    }
}

/// Inputs that one pass over a panel takes: 12 KiB of weights for sixteen columns, which leave room for the rows in the
/// first-level cache.
const PASS: usize = 192;

impl Level {
    /// See [`Product`].
    pub fn product(self, product: Product) {
        self.run(product);
    }
}

/// Weights come from memory once per chunk: while the rows of one pass are computed, the weights of the next one are
/// fetched into the second-level cache.
impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        self.check(I::VECTORS * LANES);
        let p = &mut self;
        let mut passes =
            Passes { columns: p.columns.clone(), inner: p.inner.clone(), from: p.inner.start };
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
                    1 => rows::<I, 1>(isa, p, panel, first, inner, ahead),
                    2 => rows::<I, 2>(isa, p, panel, first, inner, ahead),
                    _ => unreachable!("panels are one or two vectors wide"),
                }
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
unsafe fn rows<I: Isa, const V: usize>(
    isa: I,
    p: &mut Product,
    panel: *const f32,
    first: usize,
    inner: Range<usize>,
    ahead: &[f32],
) {
    let proceed = p.proceed || inner.start > p.inner.start;
    let last = inner.end == p.inner.end;
    let share = ahead.len().div_ceil(LANES * p.rows.div_ceil(I::ROWS).max(1)).max(1) * LANES;
    let mut ahead = ahead.chunks(share);
    let mut row = 0;
    while row < p.rows {
        for line in ahead.next().unwrap_or_default().chunks(LANES) {
            isa.prefetch(line.as_ptr());
        }
        let height = I::ROWS.min(p.rows - row);
        let at = row * p.output_stride + first - p.columns.start;
        // SAFETY: `row + height ≤ rows`, so both tiles lie inside what `check` has bounded.
        unsafe {
            let tile = Tile {
                a: p.input.as_ptr().add(row * p.input_stride + inner.start - p.inner.start),
                a_stride: p.input_stride,
                b: panel,
                b_stride: V * LANES,
                depth: inner.len(),
                c: p.output.as_mut_ptr().add(at),
                c_stride: p.output_stride,
            };
            tile.run_height::<I, V>(isa, height, proceed);
            if last {
                finish::<I, V>(
                    isa,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::value;

    #[test]
    fn a_product_in_parts_is_the_whole_product_to_the_bit() {
        let (rows, inputs, outputs) = (31, 800, 96);
        let input: Vec<f32> = (0..rows * inputs).map(value).collect();
        for level in Level::available() {
            let weights =
                Matrix::pack([outputs, inputs], level.panel(), |o, i| value(o * 31 + i), value);
            let run = |rows: Range<usize>, parts: &[usize]| {
                let mut output = vec![0.0; rows.len() * outputs];
                let mut from = 0;
                for (part, to) in parts.iter().enumerate() {
                    level.product(Product {
                        input: &input[rows.start * inputs + from..],
                        input_stride: inputs,
                        rows: rows.len(),
                        weights: &weights,
                        columns: 0..outputs,
                        inner: from..*to,
                        output: &mut output,
                        output_stride: outputs,
                        proceed: part > 0,
                        finish: match *to == inputs {
                            true => Finish::Bias,
                            false => Finish::Keep,
                        },
                    });
                    from = *to;
                }
                output
            };
            let whole = run(0..rows, &[inputs]);
            assert_eq!(run(0..rows, &[16, 400, inputs]), whole, "{level}");
            for row in 0..rows {
                let alone = run(row..row + 1, &[inputs]);
                assert_eq!(alone, whole[row * outputs..][..outputs], "{level} row {row}");
            }
        }
    }

    /// The bias was once read without a check of its length.
    #[test]
    #[should_panic(expected = "bias")]
    fn a_short_bias_is_refused() {
        let level = Level::PORTABLE;
        let mut weights = Matrix::pack([32, 16], level.panel(), |_, _| 0.0, |_| 0.0);
        weights.bias = Buffer::zeros(16);
        level.product(Product {
            input: &[0.0; 16],
            input_stride: 16,
            rows: 1,
            weights: &weights,
            columns: 0..32,
            inner: 0..16,
            output: &mut [0.0; 32],
            output_stride: 32,
            proceed: false,
            finish: Finish::Bias,
        });
    }
}
