//! Sums that do not depend on the order of their terms: moments to the bit from any shards, merged in any order.
//!
//! Floating-point addition is not associative, so shards that meet in another order give other last digits. Here every product
//! xᵢxⱼ of two `f32`, which is exact in `f64`, is rounded once, to a multiple of 2⁻⁸⁵, and what is summed after that are integers.
//! The rounding splits the product at 2⁻⁴² (the error-free splitting of reproducible summation: Demmel & Nguyen 2015, "Parallel
//! reproducible summation"), so that both halves of 2,048 products add up in `f64` without an error, lane by lane; only their sums
//! meet in 128 bits.
//!
//! Range: components within ±1, which embeddings of unit length have, and up to 2⁴¹ rows. An entry of the sums is then off by less
//! than 2⁻⁸⁶ a row.

use fgd_kernels::{Isa, Kernel, Level};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::Moments;
use crate::MetricError;

/// Columns of a panel, and of a tile.
const WIDTH: usize = 8;
/// Rows of a strip: its sums stay in registers while it runs down the rows.
const STRIP: usize = 4;
/// Rows whose halves still add up exactly: 2¹¹ upper halves of at most 2⁴² units, and as many lower halves.
const BLOCK_ROWS: usize = 2048;
/// Most rows: the sums of their products still fit into 128 bits, with room to spare.
const MOST_ROWS: u64 = 1 << 41;
/// Units of the lower half, and of the sums, in one.
const UNIT_BITS: i32 = 85;
/// Units of the upper half in one.
const UPPER_BITS: i32 = 42;
/// Added to a number of at most 1 and taken off again, these leave its nearest multiple of 2⁻⁴² and of 2⁻⁸⁵: so far from 0, `f64`
/// has no finer ones.
const UPPER: f64 = 1.5 * power(52 - UPPER_BITS);
const LOWER: f64 = 1.5 * power(52 - UNIT_BITS);

type Lane = [f64; WIDTH];

/// Sums of rows and of their products, as integers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExactSums {
    d: usize,
    /// Σ zᵢzⱼ for j ≤ i, row by row, in units of 2⁻⁸⁵. z is a row and a 1 after it, so the last row holds the sums and the count.
    triangle: Vec<i128>,
}

impl ExactSums {
    /// Sums of no rows in `d` dimensions.
    pub fn new(d: usize) -> Self {
        Self { d, triangle: vec![0; entries(d)] }
    }

    /// The sums as [`ExactSums::integers`] gave them.
    ///
    /// # Errors
    /// Not as many as `d` dimensions have, or a count of rows that is none.
    pub fn from_integers(d: usize, integers: Vec<i128>) -> Result<Self, MetricError> {
        let sums = Self { d, triangle: integers };
        let is_count = |count: i128| count & ((1 << UNIT_BITS) - 1) == 0 && count >= 0;
        if sums.triangle.len() != entries(d) || !sums.triangle.last().is_some_and(|&n| is_count(n))
        {
            return Err(MetricError::NotExact(format!("these are no sums of {d} dimensions")));
        }
        Ok(sums)
    }

    /// Σ zᵢzⱼ for j ≤ i, row by row, where z is a row of the data and a 1 after it: multiples of 2⁻⁸⁵, `[(d + 1)(d + 2)/2]`.
    pub fn integers(&self) -> &[i128] {
        &self.triangle
    }

    /// Adds the rows of a matrix `[n, d]`.
    ///
    /// # Errors
    /// Another dimension, or a component outside of ±1, with its row; nothing is added then.
    pub fn push_rows(&mut self, rows: ArrayView2<f32>) -> Result<(), MetricError> {
        if rows.ncols() != self.d {
            return Err(MetricError::DimensionMismatch { left: self.d, right: rows.ncols() });
        }
        self.has_room_for(rows.nrows() as u64)?;
        let outside = |row: &ndarray::ArrayView1<f32>| !row.iter().all(|x| x.abs() <= 1.0);
        if let Some(row) = rows.outer_iter().position(|row| outside(&row)) {
            return Err(MetricError::NotExact(format!(
                "row {} has a component that is not within ±1, where sums are exact; scale the embeddings to unit length",
                row + 1
            )));
        }
        rows.axis_chunks_iter(Axis(0), BLOCK_ROWS).for_each(|block| self.add_block(block));
        Ok(())
    }

    /// Adds other rows. Associative and commutative, to the bit.
    ///
    /// # Errors
    /// Dimensions that differ, or more rows than can be counted.
    pub fn merge(&mut self, other: &Self) -> Result<(), MetricError> {
        if other.d != self.d {
            return Err(MetricError::DimensionMismatch { left: self.d, right: other.d });
        }
        self.has_room_for(other.n())?;
        self.triangle.iter_mut().zip(&other.triangle).for_each(|(a, b)| *a += b);
        Ok(())
    }

    /// Number of rows.
    pub fn n(&self) -> u64 {
        (self.triangle[self.triangle.len() - 1] >> UNIT_BITS) as u64
    }

    /// Dimension of the rows.
    pub fn dim(&self) -> usize {
        self.d
    }

    /// Mean and co-moment, each entry within a few roundings of what the integers say.
    pub fn moments(&self) -> Moments {
        let n = self.n();
        if n == 0 {
            return Moments::new(self.d);
        }
        let (products, sums) = self.triangle.split_at(self.triangle.len() - self.d - 1);
        let sums: Vec<Pair> = sums[..self.d].iter().map(|&sum| Pair::of(sum)).collect();
        let mean: Array1<f64> = sums.iter().map(|sum| sum.upper / n as f64).collect();
        let mut comoment = Array2::zeros((self.d, self.d));
        let mut products = products.iter();
        for (i, a) in sums.iter().enumerate() {
            for ((j, b), &product) in sums[..=i].iter().enumerate().zip(&mut products) {
                let value = Pair::of(product).less_quotient(a, b, n as f64);
                comoment[[i, j]] = value;
                comoment[[j, i]] = value;
            }
        }
        Moments::from_sums(n, mean, comoment)
    }

    fn has_room_for(&self, rows: u64) -> Result<(), MetricError> {
        if self.n().saturating_add(rows) <= MOST_ROWS {
            return Ok(());
        }
        Err(MetricError::NotExact(format!("more than {MOST_ROWS} rows overflow the sums")))
    }

    /// Adds at most [`BLOCK_ROWS`] rows.
    fn add_block(&mut self, rows: ArrayView2<f32>) {
        let panels = panels(rows);
        let height = rows.nrows();
        let count = panels.len() / height;
        // The rows of the triangle that belong to each panel.
        let mut rest = self.triangle.as_mut_slice();
        let mut parts = Vec::with_capacity(count);
        for panel in 0..count {
            let last = (WIDTH * (panel + 1)).min(self.d + 1);
            let (part, after) = rest.split_at_mut(before(last) - before(WIDTH * panel));
            parts.push(part);
            rest = after;
        }
        let level = Level::current();
        parts.into_par_iter().enumerate().for_each(|(panel, entries)| {
            level.run(PanelSums { panels: &panels, height, panel, entries });
        });
    }
}

/// A number within ±1 as the nearest multiple of 2⁻⁸⁵, which for products of two `f32` is what the kernel adds up.
pub(crate) fn units(value: f64) -> i128 {
    let scaled = value * power(UPPER_BITS);
    let upper = scaled.round_ties_even();
    let lower = ((scaled - upper) * power(UNIT_BITS - UPPER_BITS)).round_ties_even();
    ((upper as i128) << (UNIT_BITS - UPPER_BITS)) + lower as i128
}

/// Entries before a row of the triangle.
fn before(row: usize) -> usize {
    row * (row + 1) / 2
}

fn entries(d: usize) -> usize {
    before(d + 1)
}

/// 2 to a power, as bits.
const fn power(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// Rows, each with a 1 after it, in panels of [`WIDTH`] columns that are filled up with zeros.
fn panels(rows: ArrayView2<f32>) -> Vec<Lane> {
    let (height, d) = rows.dim();
    let mut panels = vec![[0.0; WIDTH]; (d + 1).div_ceil(WIDTH) * height];
    for (r, row) in rows.outer_iter().enumerate() {
        let values = row.iter().map(|&x| f64::from(x)).chain([1.0]);
        values.enumerate().for_each(|(c, z)| panels[c / WIDTH * height + r][c % WIDTH] = z);
    }
    panels
}

/// The products of one panel with itself and those before it.
struct PanelSums<'a> {
    panels: &'a [Lane],
    height: usize,
    panel: usize,
    /// The panel's rows of the triangle.
    entries: &'a mut [i128],
}

impl Kernel for PanelSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let Self { panels, height, panel, entries } = self;
        let first = WIDTH * panel;
        let left = &panels[panel * height..][..height];
        for (p, right) in panels.chunks_exact(height).take(panel + 1).enumerate() {
            for strip in (0..WIDTH).step_by(STRIP) {
                let (upper, lower) = strip_sums(left, strip, right);
                for k in 0..STRIP {
                    let row = first + strip + k;
                    let start = before(row) - before(first) + WIDTH * p;
                    let width = WIDTH.min((row + 1).saturating_sub(WIDTH * p));
                    // Rows past the last are padding.
                    let Some(target) = entries.get_mut(start..start + width) else { break };
                    for (c, entry) in target.iter_mut().enumerate() {
                        let upper = (upper[k][c] * power(UPPER_BITS)) as i64;
                        let lower = (lower[k][c] * power(UNIT_BITS)) as i64;
                        *entry +=
                            (i128::from(upper) << (UNIT_BITS - UPPER_BITS)) + i128::from(lower);
                    }
                }
            }
        }
    }
}

/// Σ of the upper and of the lower halves of the products of four columns with those of a panel.
#[inline(always)]
fn strip_sums(left: &[Lane], strip: usize, right: &[Lane]) -> ([Lane; STRIP], [Lane; STRIP]) {
    let (mut upper, mut lower) = ([[0.0; WIDTH]; STRIP], [[0.0; WIDTH]; STRIP]);
    for (a, b) in left.iter().zip(right) {
        for k in 0..STRIP {
            for c in 0..WIDTH {
                let product = a[strip + k] * b[c];
                let high = (product + UPPER) - UPPER;
                let low = ((product - high) + LOWER) - LOWER;
                upper[k][c] += high;
                lower[k][c] += low;
            }
        }
    }
    (upper, lower)
}

/// A sum as two `f64`, the second what the first rounds away.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) upper: f64,
    lower: f64,
}

impl Pair {
    pub(crate) fn of(integer: i128) -> Self {
        let upper = integer as f64;
        let lower = (integer - upper as i128) as f64;
        Self { upper: upper * power(-UNIT_BITS), lower: lower * power(-UNIT_BITS) }
    }

    /// self − a b/n, in which most digits of both may cancel.
    pub(crate) fn less_quotient(self, a: &Self, b: &Self, n: f64) -> f64 {
        let product = a.upper * b.upper;
        let rest = a.upper.mul_add(b.upper, -product) + a.upper * b.lower + a.lower * b.upper;
        let quotient = product / n;
        let left = ((-quotient).mul_add(n, product) + rest) / n;
        (self.upper - quotient) + (self.lower - left)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::s;

    use super::*;

    /// Rows of unit length, some components tiny.
    fn rows(n: usize, d: usize) -> Array2<f32> {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let mut rows = Array2::from_shape_fn((n, d), |(i, j)| {
            next() * if (i + j) % 7 == 0 { 1e-6 } else { 1.0 } + if j < 3 { 2.0 } else { 0.0 }
        });
        for mut row in rows.outer_iter_mut() {
            let length = row.dot(&row).sqrt() * 1.000_001;
            row.mapv_inplace(|x| x / length);
        }
        rows
    }

    fn sums(rows: ArrayView2<f32>) -> ExactSums {
        let mut sums = ExactSums::new(rows.ncols());
        sums.push_rows(rows).unwrap();
        sums
    }

    /// Each product rounded by itself: f64 has 53 bits, so its multiples of 2⁻⁸⁵ are integers of 128.
    fn plainly(rows: ArrayView2<f32>) -> Vec<i128> {
        let d = rows.ncols();
        let z = |r: usize, i: usize| if i == d { 1.0 } else { f64::from(rows[[r, i]]) };
        (0..=d)
            .flat_map(|i| (0..=i).map(move |j| (i, j)))
            .map(|(i, j)| (0..rows.nrows()).map(|r| units(z(r, i) * z(r, j))).sum())
            .collect()
    }

    #[test]
    fn the_sums_are_those_of_the_products_one_by_one() {
        for (n, d) in [(1, 1), (5, 7), (40, 8), (2_100, 17)] {
            let rows = rows(n, d);
            let sums = sums(rows.view());
            assert_eq!(sums.integers(), plainly(rows.view()), "{n} rows of {d}");
            assert_eq!((sums.n(), sums.dim()), (n as u64, d));
        }
    }

    #[test]
    fn no_order_and_no_cut_changes_a_bit() {
        let rows = rows(5_000, 20);
        let whole = sums(rows.view());
        let mut merged = sums(rows.slice(s![3_001.., ..]));
        merged.merge(&sums(rows.slice(s![..7, ..]))).unwrap();
        merged.merge(&sums(rows.slice(s![7..3_001, ..]))).unwrap();
        assert_eq!(merged, whole);
        assert_eq!(sums(rows.slice(s![..;-1, ..])), whole);
        let back = ExactSums::from_integers(20, merged.integers().to_vec()).unwrap();
        assert_eq!(back, whole);
    }

    #[test]
    fn the_moments_are_those_of_a_sum_in_two_passes() {
        let rows = rows(5_000, 20);
        let (exact, plain) = (sums(rows.view()).moments(), Moments::from_rows(rows.view()));
        assert_eq!(exact.n(), plain.n());
        let scale = plain.comoment().diag().iter().fold(0.0, |max: f64, &v| max.max(v));
        for (a, b) in exact.comoment().iter().zip(plain.comoment()) {
            assert!((a - b).abs() < 1e-13 * scale, "{a} {b}");
        }
        for (a, b) in exact.mean().iter().zip(plain.mean()) {
            assert!((a - b).abs() < 1e-14, "{a} {b}");
        }
        assert_eq!(ExactSums::new(20).moments(), Moments::new(20));
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let mut sums = ExactSums::new(2);
        let rows = ndarray::arr2(&[[0.5_f32, 1.0], [1.0, -1.001]]);
        let error = sums.push_rows(rows.view()).unwrap_err().to_string();
        assert!(error.contains("row 2 has a component that is not within ±1"), "{error}");
        assert!(sums.push_rows(ndarray::arr2(&[[0.5_f32, f32::NAN]]).view()).is_err());
        assert!(sums.push_rows(Array2::zeros((1, 3)).view()).is_err());
        assert_eq!(sums, ExactSums::new(2));
        let many = ExactSums { d: 2, triangle: vec![0, 0, 0, 0, 0, (MOST_ROWS as i128) << 85] };
        assert!(sums.clone().merge(&many).is_ok());
        sums.push_rows(ndarray::arr2(&[[0.5_f32, 1.0]]).view()).unwrap();
        assert!(sums.merge(&many).unwrap_err().to_string().contains("overflow"));
        assert!(ExactSums::from_integers(2, vec![0; 5]).is_err());
        assert!(ExactSums::from_integers(2, vec![0, 0, 0, 0, 0, 1]).is_err());
    }
}
