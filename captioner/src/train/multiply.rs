//! Products of matrices that change from step to step: factors, their gradients, attention scores. The large ones are made as those with
//! frozen weights are, whose panels serve one product here; a sum has one order, however many threads there are.

use std::borrow::Cow;

use fgd_kernels::{Form, Level, PANEL, Panels};
use gemm::Parallelism;
use rayon::prelude::*;

use crate::weights::product_with;

/// What factors and their gradients are.
const FORM: Form = Form::F32;

/// Values of one task, where nothing is multiplied with a matrix.
const PIECE: usize = 1 << 14;

/// A matrix in a slice.
#[derive(Clone, Copy)]
pub struct View<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// Whole rows, one after the other.
    pub fn dense(values: &'a [f32], columns: usize) -> Self {
        Self::strided(values, values.len() / columns, columns, columns)
    }

    /// The first `columns` of rows that begin every `stride` values.
    pub fn strided(values: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(rows == 0 || (rows - 1) * stride + columns <= values.len());
        Self { values, rows, columns, row_stride: stride, column_stride: 1 }
    }

    /// The transpose.
    pub fn t(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// Row after row.
    fn whole_rows(self) -> Cow<'a, [f32]> {
        let values = &self.values[..self.rows * self.columns];
        match self.column_stride {
            1 => Cow::Borrowed(values),
            width => Cow::Owned(transposed(values, width)),
        }
    }

    /// Panels of the columns, for [`product_with`].
    fn panels(self) -> Vec<i32> {
        let (inputs, level) = (self.rows, Level::current());
        let panel = FORM.weight_words([PANEL, inputs]);
        let mut words = vec![0; self.columns.div_ceil(PANEL) * panel];
        words.par_chunks_mut(panel).enumerate().for_each(|(at, words)| {
            let first = at * PANEL;
            if self.column_stride == 1 {
                FORM.pack_inputs(level, self.values, self.columns, first, words);
            } else {
                let end = self.columns.min(first + PANEL);
                FORM.pack(level, &self.values[first * inputs..end * inputs], inputs, words);
            }
        });
        words
    }

    #[cfg(test)]
    fn at(&self, row: usize, column: usize) -> f32 {
        self.values[row * self.row_stride + column * self.column_stride]
    }
}

/// `to` (rows every `stride` values) becomes scale·a·b, or that is added to it. On this thread.
pub fn multiply(scale: f32, a: View, b: View, to: &mut [f32], stride: usize, add: bool) {
    assert!(a.columns == b.rows, "the factors fit");
    assert!(a.rows == 0 || (a.rows - 1) * stride + b.columns <= to.len(), "the result fits");
    // SAFETY: a `View` holds all its elements, which its constructors have checked, and the result was just checked.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            to.as_mut_ptr(),
            1,
            stride as isize,
            add,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// scale·a·b in memory of its own, by all threads. a and b are whole rows, or the transpose of such.
pub fn product_of(scale: f32, a: View, b: View) -> Vec<f32> {
    let words = b.panels();
    let b = Panels::new(FORM, &words, [b.columns, b.rows]);
    let mut to = product_with(&a.whole_rows(), b);
    if scale != 1.0 {
        to.par_chunks_mut(PIECE).for_each(|to| to.iter_mut().for_each(|to| *to *= scale));
    }
    to
}

/// to += scale·a·b, likewise.
pub fn add_product(scale: f32, a: View, b: View, to: &mut [f32]) {
    add_times(scale, to, &product_of(1.0, a, b));
}

/// to += from
pub fn add(to: &mut [f32], from: &[f32]) {
    add_times(1.0, to, from);
}

fn add_times(scale: f32, to: &mut [f32], from: &[f32]) {
    assert_eq!(to.len(), from.len());
    to.par_chunks_mut(PIECE).zip(from.par_chunks(PIECE)).for_each(|(to, from)| {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += scale * from);
    });
}

/// The transpose of rows of `width` values.
fn transposed(values: &[f32], width: usize) -> Vec<f32> {
    let rows = values.len() / width;
    let mut out = vec![0.0; values.len()];
    // The kernel takes sixteen rows of a multiple of eight values.
    let whole = if width.is_multiple_of(8) { rows / 16 * 16 } else { 0 };
    for (at, block) in values[..whole * width].chunks(16 * width).enumerate() {
        Level::current().transpose(block, &mut out[16 * at..], rows);
    }
    for (row, values) in values.chunks(width).enumerate().skip(whole) {
        for (column, value) in values.iter().enumerate() {
            out[column * rows + row] = *value;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_rows_and_their_transposes_are_those_of_the_formula() {
        let values = |count: usize, seed: usize| -> Vec<f32> {
            (0..count).map(|i| ((i * 7919 + seed) % 1013) as f32 / 506.0 - 1.0).collect()
        };
        for [m, k, n] in [[1, 1, 1], [40, 24, 56], [300, 37, 16], [33, 250, 70]] {
            let (a, b, begin) = (values(m * k, 1), values(k * n, 2), values(m * n, 3));
            let (a_t, b_t) = (transposed(&a, k), transposed(&b, n));
            for a in [View::dense(&a, k), View::dense(&a_t, m).t()] {
                for b in [View::dense(&b, n), View::dense(&b_t, k).t()] {
                    let mut to = begin.clone();
                    add_product(0.5, a, b, &mut to);
                    let half = product_of(0.5, a, b);
                    for (at, begin) in begin.iter().enumerate() {
                        let (i, j) = (at / n, at % n);
                        let term = |l| f64::from(a.at(i, l)) * f64::from(b.at(l, j));
                        let want = 0.5 * (0..k).map(term).sum::<f64>();
                        assert!((f64::from(half[at]) - want).abs() < 1e-5, "{m} {k} {n}");
                        assert!((f64::from(to[at] - begin) - want).abs() < 1e-5, "{m} {k} {n}");
                    }
                }
            }
        }
    }
}
