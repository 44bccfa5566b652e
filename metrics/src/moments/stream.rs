//! Moments of rows that come in pieces of any size.

use ndarray::{Array1, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::{BLOCK_ROWS, BLOCKS_PER_ROUND, Embedded, Moments, Products, column_means};
use crate::MetricError;

/// Most bytes of rows that wait, where a block is not more.
const WAITING: usize = 16 << 20;

/// A set of rows that grows piece by piece. Its moments are those of [`Moments::from_rows`] of all rows, to the bit, however they
/// were cut.
///
/// ```
/// use fgd_metrics::moments::{Moments, Stream};
/// use ndarray::{Array2, s};
///
/// let rows = Array2::from_shape_fn((5_000, 3), |(i, j)| ((i * (7 + j)) % 11) as f32);
/// let mut stream = Stream::new(3, 2);
/// stream.push_rows(rows.slice(s![..32, ..]))?;
/// stream.push_rows(rows.slice(s![32.., ..]))?;
/// assert_eq!(stream.moments(), Moments::from_rows(rows.view()));
/// # Ok::<(), fgd_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Stream<T> {
    d: usize,
    sums: Option<Shifted>,
    /// Rows that are not in the sums: less than `patience`.
    waiting: Vec<T>,
    /// Rows that are summed at once: a block for each thread.
    patience: usize,
}

impl<T: Embedded> Stream<T> {
    /// Of no rows in `d` dimensions, which `threads` will sum; some rows for each of them wait for the others.
    pub fn new(d: usize, threads: usize) -> Self {
        let block = (BLOCK_ROWS * d * size_of::<T>()).max(1);
        let patience = BLOCK_ROWS * (WAITING / block).min(threads).max(1);
        Self { d, sums: None, waiting: Vec::new(), patience }
    }

    /// Number of rows.
    pub fn n(&self) -> u64 {
        self.sums.as_ref().map_or(0, |sums| sums.n) + self.waiting().nrows() as u64
    }

    /// Dimension of the rows.
    pub fn dim(&self) -> usize {
        self.d
    }

    /// Whether so many more rows only wait: to push them is to copy them.
    pub fn has_room_for(&self, rows: usize) -> bool {
        self.waiting().nrows() + rows < self.patience
    }

    /// Adds the rows of a matrix `[n, d]`.
    ///
    /// # Errors
    /// Another dimension. Values that are not finite show when the moments are used.
    pub fn push_rows(&mut self, rows: ArrayView2<T>) -> Result<(), MetricError> {
        if rows.ncols() != self.d {
            return Err(MetricError::DimensionMismatch { left: self.d, right: rows.ncols() });
        }
        if self.has_room_for(rows.nrows()) {
            self.wait(rows);
            return Ok(());
        }
        // The block that is begun first; whole ones are summed where they lie.
        let fill = self.waiting().nrows().next_multiple_of(BLOCK_ROWS) - self.waiting().nrows();
        let (begun, rows) = rows.split_at(Axis(0), fill);
        self.wait(begun);
        let (whole, rest) = rows.split_at(Axis(0), rows.nrows() / BLOCK_ROWS * BLOCK_ROWS);
        let mut blocks = blocks_of(matrix(&self.waiting, self.d));
        blocks.extend(blocks_of(whole));
        self.sums.get_or_insert_with(|| Shifted::about(blocks[0])).add(&blocks);
        self.waiting.clear();
        self.wait(rest);
        Ok(())
    }

    /// Count, mean and co-moment of all rows so far.
    pub fn moments(&self) -> Moments {
        let Some(sums) = &self.sums else { return Moments::from_rows(self.waiting()) };
        let mut sums = sums.clone();
        sums.add(&blocks_of(self.waiting()));
        sums.into_moments()
    }

    fn waiting(&self) -> ArrayView2<'_, T> {
        matrix(&self.waiting, self.d)
    }

    fn wait(&mut self, rows: ArrayView2<T>) {
        match rows.to_slice() {
            Some(values) => self.waiting.extend_from_slice(values),
            None => self.waiting.extend(rows),
        }
    }
}

fn matrix<T>(values: &[T], d: usize) -> ArrayView2<'_, T> {
    ArrayView2::from_shape((values.len() / d.max(1), d), values).expect("whole rows")
}

/// The rows in blocks, of which the last may have fewer.
pub(super) fn blocks_of<T>(rows: ArrayView2<'_, T>) -> Vec<ArrayView2<'_, T>> {
    let end = |start| rows.nrows().min(start + BLOCK_ROWS);
    let starts = (0..rows.nrows()).step_by(BLOCK_ROWS);
    starts.map(|start| rows.slice_move(s![start..end(start), ..])).collect()
}

/// Sums of rows less a shift near their mean.
#[derive(Debug, Clone)]
pub(super) struct Shifted {
    n: u64,
    shift: Array1<f64>,
    products: Option<Products>,
}

impl Shifted {
    /// Of no rows yet, about the mean of some that will come.
    pub(super) fn about<T: Embedded>(rows: ArrayView2<T>) -> Self {
        Self { n: 0, shift: column_means(rows), products: None }
    }

    /// Adds blocks of rows, several at once and in their order.
    pub(super) fn add<T: Embedded>(&mut self, blocks: &[ArrayView2<T>]) {
        for round in blocks.chunks(BLOCKS_PER_ROUND) {
            let shift = self.shift.view();
            let parts: Vec<Products> =
                round.par_iter().map(|block| Products::of(block.view(), shift, None)).collect();
            for part in parts {
                match &mut self.products {
                    Some(total) => total.add(&part),
                    None => self.products = Some(part),
                }
            }
            self.n += round.iter().map(|block| block.nrows() as u64).sum::<u64>();
        }
    }

    /// The shift is taken out again.
    pub(super) fn into_moments(self) -> Moments {
        let Some(products) = self.products else { return Moments::new(self.shift.len()) };
        let n = self.n as f64;
        let off = &products.sums() / n;
        let mut comoment = products.into_matrix();
        for (mut row, &a) in comoment.outer_iter_mut().zip(&off) {
            let scaled = n * a;
            row.zip_mut_with(&off, |m, &b| *m -= scaled * b);
        }
        Moments { n: self.n, mean: self.shift + off, comoment }
    }
}
