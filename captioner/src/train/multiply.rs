//! Products of matrices that change from step to step: factors, their gradients, attention scores. The frozen weights go
//! through [`crate::weights`].
//!
//! Work is cut into pieces of a fixed size, never by the number of threads: a sum has one order, and a step the same bits,
//! however many threads there are.

use gemm::Parallelism;
use rayon::prelude::*;

/// Rows of a result that one task computes at most; each packs the other factor for itself.
const ROWS: usize = 128;

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

    fn rows_from(self, first: usize, rows: usize) -> Self {
        Self { values: &self.values[first * self.row_stride..], rows, ..self }
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

/// [`multiply`] into dense rows, by all threads.
pub fn multiply_all(scale: f32, a: View, b: View, to: &mut [f32], add: bool) {
    let width = b.columns;
    assert_eq!(to.len(), a.rows * width, "the result fits");
    // An even number of equal pieces, so that they last equally long on two threads.
    let pieces = a.rows.div_ceil(ROWS).next_multiple_of(2).max(1);
    let rows = a.rows.div_ceil(pieces).max(1);
    to.par_chunks_mut(rows * width).enumerate().for_each(|(piece, to)| {
        let rows = a.rows_from(piece * rows, to.len() / width);
        multiply(scale, rows, b, to, width, add);
    });
}

/// scale·a·b in memory of its own.
pub fn product_of(scale: f32, a: View, b: View) -> Vec<f32> {
    let mut to = vec![0.0; a.rows * b.columns];
    multiply_all(scale, a, b, &mut to, false);
    to
}

/// to += from
pub fn add(to: &mut [f32], from: &[f32]) {
    const PIECE: usize = 1 << 14;
    to.par_chunks_mut(PIECE).zip(from.par_chunks(PIECE)).for_each(|(to, from)| {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
    });
}
