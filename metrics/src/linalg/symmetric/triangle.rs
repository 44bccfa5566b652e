//! One pass over half of a symmetric matrix under reduction to tridiagonal form.
//!
//! A column is worked on from its lane of the diagonal on: it takes what the last step left pending, and is multiplied by the step's
//! reflector; what is below that lane also enters the product for the rows there, as the row that it stands for.

use fgd_kernels::{Isa, Kernel, Level};
use ndarray::{ArrayView2, Axis, s};

use crate::linalg::pass::{Columns, GROUP, LANE, Lane, Pending, SHARED, add, settle};

/// The bits of a number's power of two.
const EXPONENT: u64 = f64::INFINITY.to_bits();

impl Columns {
    /// A symmetric matrix, given by its upper triangle, divided by a power of two that is returned: its largest entry is then between
    /// 1 and 2 and no digit is lost.
    pub(super) fn of_upper_triangle(matrix: ArrayView2<f64>) -> (Self, f64) {
        let count = matrix.nrows();
        let upper = |k: usize| matrix.slice_move(s![k, k..]);
        let largest = (0..count)
            .map(|k| upper(k).iter().fold(0.0, |max: f64, v| max.max(v.abs())))
            .fold(0.0, f64::max);
        let scale = f64::from_bits(largest.to_bits() & EXPONENT).max(f64::MIN_POSITIVE);
        let inverse = scale.recip();
        let height = count.div_ceil(LANE);
        let mut lanes = vec![Lane::ZERO; count * height];
        for (k, column) in lanes.chunks_exact_mut(height).enumerate() {
            let (first, own) = (k / LANE, k % LANE);
            for (i, v) in matrix.slice(s![k - own..k, k]).iter().enumerate() {
                column[first].0[i] = v * inverse;
            }
            let row = upper(k);
            let (head, rest) = row.split_at(Axis(0), row.len().min(LANE - own));
            head.iter()
                .zip(&mut column[first].0[own..])
                .for_each(|(v, entry)| *entry = v * inverse);
            for (lane, part) in
                column[first + 1..].iter_mut().zip(rest.axis_chunks_iter(Axis(0), LANE))
            {
                part.iter().zip(&mut lane.0).for_each(|(v, entry)| *entry = v * inverse);
            }
        }
        (Self { lanes, height, count }, scale)
    }

    /// The pass of step `k` over a symmetric matrix: settles the columns after `k`, and returns the product with `u` for the rows after
    /// `k`. Nothing above a column's lane of the diagonal is read or kept up.
    pub(super) fn symmetric_pass(&mut self, k: usize, pending: &Pending, u: &[Lane]) -> Vec<f64> {
        let from = k + 1;
        let count = self.count - from;
        let mut sums = vec![0.0; count];
        // Column `k` is settled already: it is the first that is pending.
        let coefficients = [&pending.y[1..], &pending.h[1..]];
        let height = self.height;
        let part = |columns: &mut [Lane], at: usize, sums: &mut [f64]| {
            let mut product = vec![Lane::ZERO; height];
            Level::current().run(Half {
                height,
                first: from + at,
                columns,
                vectors: [&pending.u, &pending.x, u],
                pending: coefficients.map(|of| &of[at..at + sums.len()]),
                sums,
                product: &mut product,
            });
            product
        };
        let columns = &mut self.lanes[from * height..];
        let add_rows = |sums: &mut [f64], product: &[Lane]| {
            let rows = Lane::entries(product, from..from + count);
            sums.iter_mut().zip(rows).for_each(|(sum, p)| *sum += p);
        };
        if count * count < 2 * SHARED {
            let product = part(columns, 0, &mut sums);
            add_rows(&mut sums, &product);
        } else {
            // Half of the entries: a triangle is cut at 1 − √½ of its columns.
            let cut = (count as f64 * (1.0 - 0.5_f64.sqrt())) as usize;
            let (columns, others) = columns.split_at_mut(cut * height);
            let (own, other_sums) = sums.split_at_mut(cut);
            let products = rayon::join(|| part(columns, 0, own), || part(others, cut, other_sums));
            add_rows(&mut sums, &products.0);
            add_rows(&mut sums, &products.1);
        }
        sums
    }
}

/// Works off some columns: their entries of the sums from the diagonal's lane on, and their part of the product with the rows below.
struct Half<'a> {
    height: usize,
    /// The first of the columns, counted in the whole matrix.
    first: usize,
    columns: &'a mut [Lane],
    /// What is pending with y and with h, and the reflector.
    vectors: [&'a [Lane]; 3],
    pending: [&'a [f64]; 2],
    sums: &'a mut [f64],
    product: &'a mut [Lane],
}

impl Kernel for Half<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let mut at = 0;
        while at < self.sums.len() {
            // Columns of one lane of the diagonal begin at the same lane.
            if (self.first + at).is_multiple_of(GROUP) && at + GROUP <= self.sums.len() {
                self.work::<GROUP, I>(isa, at);
                at += GROUP;
            } else {
                self.work::<1, I>(isa, at);
                at += 1;
            }
        }
    }
}

impl Half<'_> {
    /// Works off `C` columns from `at` on.
    #[inline(always)]
    fn work<const C: usize, I: Isa>(&mut self, isa: I, at: usize) {
        let column = self.first + at;
        let start = column / LANE;
        let mut own =
            self.columns[at * self.height..][..C * self.height].chunks_exact_mut(self.height);
        let mut columns: [_; C] =
            std::array::from_fn(|_| &mut own.next().expect("so many were taken")[start..]);
        let pending = self.pending.map(|of| std::array::from_fn(|c| -of[at + c]));
        let sums = settle(isa, &mut columns, pending, self.vectors.map(|v| &v[start..]));
        self.sums[at..at + C].copy_from_slice(&sums);
        let u = self.vectors[2][start].0;
        let weights = std::array::from_fn(|c| u[(column + c) % LANE]);
        add(isa, &mut self.product[start + 1..], columns.map(|column| &mut column[1..]), weights);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn the_kernels_agree() {
        let n = 21;
        let entry = |i: usize, j: usize| (((i * j + i + j) * 7) % 23) as f64 / 11.0 - 1.0;
        let matrix = Array2::from_shape_fn((n, n), |(i, j)| entry(i.max(j), i.min(j)));
        let vectors =
            Array2::from_shape_fn((3, n), |(i, j)| ((i * 5 + j * 3) % 13) as f64 / 6.0 - 1.0);
        let vectors = [0, 1, 2].map(|i| {
            Columns::of_rows(vectors.slice(ndarray::s![i..=i, ..]), 1.0).column(0).to_vec()
        });
        let coefficients: Vec<f64> = (0..n).map(|i| i as f64 / 20.0 - 0.5).collect();
        let outcome = |level: Level| {
            let mut columns = Columns::of_rows(matrix.view(), 1.0);
            let mut product = vec![Lane::ZERO; columns.height];
            let mut sums = vec![0.0; n - 2];
            level.run(Half {
                height: columns.height,
                first: 2,
                columns: &mut columns.lanes[2 * columns.height..],
                vectors: [&vectors[0], &vectors[1], &vectors[2]],
                pending: [&coefficients[2..], &coefficients[1..n - 1]],
                sums: &mut sums,
                product: &mut product,
            });
            let lanes = columns.lanes.iter().chain(&product).flat_map(|lane| lane.0);
            lanes.chain(sums).collect::<Vec<f64>>()
        };
        let plain = outcome(Level::PORTABLE);
        assert!(plain.iter().any(|v| v.abs() > 1.0));
        for level in Level::available() {
            let alike = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-13;
            assert!(outcome(level).iter().zip(&plain).all(alike), "{level}");
        }
    }
}
