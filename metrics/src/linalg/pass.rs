//! One pass over the columns of a matrix under reduction to bidiagonal form; what a symmetric one shares with it.
//!
//! A column takes the updates that the last step left pending, is multiplied by the step's reflector, and enters a product
//! with the row that this yields, all while it is in the first-level cache.
//!
//! Columns are split between two threads in a way that depends on the matrix alone, so the values do not depend on the
//! number of threads.

use std::ops::Range;

use fgd_kernels::{Doubles, Isa, Kernel, LANES_F64, Level};
use ndarray::ArrayView2;

/// Entries worked on together: one line of cache.
pub(super) const LANE: usize = LANES_F64;
/// Columns that a pass holds in the first-level cache between their two uses.
pub(super) const GROUP: usize = 4;
/// With fewer entries left than this, two threads cost more than they save.
pub(super) const SHARED: usize = 128 * 128;

/// Consecutive entries of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(super) struct Lane(pub(super) [f64; LANE]);

impl Lane {
    pub(super) const ZERO: Self = Self([0.0; LANE]);

    /// Entries of a vector in lanes.
    pub(super) fn entries(lanes: &[Self], range: Range<usize>) -> Vec<f64> {
        let (first, offset) = (range.start / LANE, range.start % LANE);
        let mut entries = Vec::with_capacity((lanes.len() - first) * LANE);
        lanes[first..].iter().for_each(|lane| entries.extend_from_slice(&lane.0));
        entries.truncate(range.end - first * LANE);
        entries.drain(..offset);
        entries
    }

    /// A vector of zeros but for `entries` from `start` on.
    pub(super) fn holding(entries: &[f64], start: usize, height: usize) -> Vec<Self> {
        let mut lanes = vec![Self::ZERO; height];
        let (first, offset) = (start / LANE, start % LANE);
        let (head, rest) = entries.split_at(entries.len().min(LANE - offset));
        lanes[first].0[offset..][..head.len()].copy_from_slice(head);
        for (lane, part) in lanes[first + 1..].iter_mut().zip(rest.chunks(LANE)) {
            lane.0[..part.len()].copy_from_slice(part);
        }
        lanes
    }
}

/// A matrix by columns, padded with zero rows to whole lanes.
pub(super) struct Columns {
    pub(super) lanes: Vec<Lane>,
    /// Lanes in a column.
    pub(super) height: usize,
    pub(super) count: usize,
}

/// What the last step left to be subtracted from the columns after its own: u yᵀ + x hᵀ.
pub(super) struct Pending {
    pub(super) u: Vec<Lane>,
    pub(super) y: Vec<f64>,
    pub(super) x: Vec<Lane>,
    pub(super) h: Vec<f64>,
}

impl Pending {
    pub(super) fn none(columns: &Columns) -> Self {
        let zeros = vec![Lane::ZERO; columns.height];
        Self {
            u: zeros.clone(),
            y: vec![0.0; columns.count],
            x: zeros,
            h: vec![0.0; columns.count],
        }
    }
}

/// What a pass finds out, for the columns after the step's own.
pub(super) struct Step {
    /// τ Aᵀu.
    pub(super) y: Vec<f64>,
    /// The step's row once the left reflector is applied.
    pub(super) entries: Vec<f64>,
    /// The same, to be turned into the right reflector.
    pub(super) row: Vec<f64>,
    /// A times that row, before the left reflector.
    pub(super) product: Vec<Lane>,
}

impl Columns {
    /// The rows of a matrix as columns, divided by `scale`.
    pub(super) fn of_rows(rows: ArrayView2<f64>, scale: f64) -> Self {
        let (count, length) = rows.dim();
        let height = length.div_ceil(LANE);
        let mut lanes = vec![Lane::ZERO; count * height];
        for (column, row) in lanes.chunks_exact_mut(height).zip(rows.outer_iter()) {
            let entries = column.iter_mut().flat_map(|lane| &mut lane.0);
            entries.zip(row).for_each(|(entry, v)| *entry = v / scale);
        }
        Self { lanes, height, count }
    }

    pub(super) fn column(&self, k: usize) -> &[Lane] {
        &self.lanes[k * self.height..][..self.height]
    }

    /// Subtracts what is pending from column `k`, the first after the last step's.
    pub(super) fn settle(&mut self, k: usize, pending: &Pending) {
        let (y, h) = (pending.y[0], pending.h[0]);
        let column = &mut self.lanes[k * self.height..][..self.height];
        for (entry, (u, x)) in column.iter_mut().zip(pending.u.iter().zip(&pending.x)) {
            for c in 0..LANE {
                entry.0[c] -= u.0[c] * y + x.0[c] * h;
            }
        }
    }

    /// The pass of step `k`: settles all columns after `k` and multiplies them with its left reflector `u`.
    pub(super) fn pass(&mut self, k: usize, pending: &Pending, u: &[Lane], tau: f64) -> Step {
        let from = k + 1;
        let count = self.count - from;
        let mut y = vec![0.0; count];
        let mut entries = vec![0.0; count];
        // The first column after the last step's own is settled already: it is `k` itself, except at the start.
        let skip = pending.y.len() - count;
        let job = Job {
            height: self.height,
            row: k,
            pending_u: &pending.u,
            pending_x: &pending.x,
            u,
            tau,
        };
        let part = |columns: &mut [Lane], at: usize, y: &mut [f64], entries: &mut [f64]| {
            let mut product = vec![Lane::ZERO; job.height];
            let range = skip + at..skip + at + y.len();
            let coefficients = [&pending.y[range.clone()], &pending.h[range]];
            Level::current().run(Columnwise {
                job: &job,
                columns,
                pending: coefficients,
                y,
                entries,
                product: &mut product,
            });
            product
        };
        let columns = &mut self.lanes[from * self.height..];
        let product = if count * (self.height * LANE - k) < SHARED {
            part(columns, 0, &mut y, &mut entries)
        } else {
            let half = count / 2;
            let (columns, others) = columns.split_at_mut(half * self.height);
            let (y, other_y) = y.split_at_mut(half);
            let (entries, other_entries) = entries.split_at_mut(half);
            let (mut product, other) = rayon::join(
                || part(columns, 0, y, entries),
                || part(others, half, other_y, other_entries),
            );
            for (sum, term) in product.iter_mut().zip(&other) {
                sum.0.iter_mut().zip(term.0).for_each(|(s, t)| *s += t);
            }
            product
        };
        Step { y, row: entries.clone(), entries, product }
    }
}

/// What is the same for all columns of a pass.
pub(super) struct Job<'a> {
    pub(super) height: usize,
    pub(super) row: usize,
    pub(super) pending_u: &'a [Lane],
    pub(super) pending_x: &'a [Lane],
    pub(super) u: &'a [Lane],
    pub(super) tau: f64,
}

/// Works off some columns: their entries of `y` and of the step's row, and their part of the product with the row.
pub(super) struct Columnwise<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) columns: &'a mut [Lane],
    pub(super) pending: [&'a [f64]; 2],
    pub(super) y: &'a mut [f64],
    pub(super) entries: &'a mut [f64],
    pub(super) product: &'a mut [Lane],
}

impl Kernel for Columnwise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let count = self.y.len();
        let groups = count / GROUP * GROUP;
        for at in (0..groups).step_by(GROUP) {
            self.work::<GROUP, I>(isa, at);
        }
        for at in groups..count {
            self.work::<1, I>(isa, at);
        }
    }
}

impl Columnwise<'_> {
    /// Works off `C` columns from `at` on.
    #[inline(always)]
    fn work<const C: usize, I: Isa>(&mut self, isa: I, at: usize) {
        let Job { height, row, pending_u, pending_x, u, tau } = *self.job;
        // Rows above the step's own are done with: their entries of u and x are zero.
        let start = row / LANE;
        let mut own = self.columns[at * height..][..C * height].chunks_exact_mut(height);
        let mut columns: [_; C] =
            std::array::from_fn(|_| &mut own.next().expect("so many were taken")[start..]);
        let pending = self.pending.map(|of| std::array::from_fn(|c| -of[at + c]));
        let sums =
            settle(isa, &mut columns, pending, [pending_u, pending_x, u].map(|v| &v[start..]));
        let entries = std::array::from_fn(|c| columns[c][0].0[row % LANE] - tau * sums[c]);
        self.y[at..at + C].copy_from_slice(&sums.map(|sum| tau * sum));
        self.entries[at..at + C].copy_from_slice(&entries);
        add(isa, &mut self.product[start..], columns, entries);
    }
}

/// column += y u + h x for each, and its product with `left`.
///
/// No closure holds vectors here or below: what an adaptor of the standard library calls need not have the instruction set.
#[inline(always)]
pub(super) fn settle<const C: usize, I: Isa>(
    isa: I,
    columns: &mut [&mut [Lane]; C],
    pending: [[f64; C]; 2],
    [u, x, left]: [&[Lane]; 3],
) -> [f64; C] {
    let [mut y, mut h, mut sums] = [[isa.splat_f64(0.0); C]; 3];
    for c in 0..C {
        y[c] = isa.splat_f64(pending[0][c]);
        h[c] = isa.splat_f64(pending[1][c]);
    }
    for (i, ((u, x), left)) in u.iter().zip(x).zip(left).enumerate() {
        let (u, x, left) = (isa.load_f64(&u.0), isa.load_f64(&x.0), isa.load_f64(&left.0));
        for c in 0..C {
            let entry = &mut columns[c][i].0;
            let value = x.mul_add(h[c], u.mul_add(y[c], isa.load_f64(entry)));
            value.store(entry);
            sums[c] = value.mul_add(left, sums[c]);
        }
    }
    let mut totals = [0.0; C];
    for c in 0..C {
        totals[c] = sums[c].sum();
    }
    totals
}

/// product += Σ weight · column.
#[inline(always)]
pub(super) fn add<const C: usize, I: Isa>(
    isa: I,
    product: &mut [Lane],
    columns: [&mut [Lane]; C],
    weights: [f64; C],
) {
    let mut vectors = [isa.splat_f64(0.0); C];
    for c in 0..C {
        vectors[c] = isa.splat_f64(weights[c]);
    }
    for (i, sum) in product.iter_mut().enumerate() {
        let mut total = isa.load_f64(&sum.0);
        for c in 0..C {
            total = isa.load_f64(&columns[c][i].0).mul_add(vectors[c], total);
        }
        total.store(&mut sum.0);
    }
}
