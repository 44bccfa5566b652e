//! One pass over the columns of a matrix under reduction to bidiagonal or tridiagonal form.
//!
//! A column takes the updates that the last step left pending, is multiplied by the step's reflector, and enters a product
//! with the row that this yields, all while it is in the first-level cache.
//!
//! The one body is compiled twice: for any processor, and for AVX2 with fused multiply-add, chosen at run time.
//! Columns are split between two threads in a way that depends on the matrix alone, so the values do not depend on the
//! number of threads.

use ndarray::ArrayView2;

/// Entries worked on together: two AVX2 registers, one line of cache.
pub(super) const LANE: usize = 8;
/// Columns that a pass holds in the first-level cache between their two uses.
const GROUP: usize = 4;
/// With fewer entries left than this, two threads cost more than they save.
const SHARED: usize = 128 * 128;

/// Consecutive entries of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(super) struct Lane(pub(super) [f64; LANE]);

impl Lane {
    pub(super) const ZERO: Self = Self([0.0; LANE]);
}

/// A matrix by columns, padded with zero rows to whole lanes.
pub(super) struct Columns {
    lanes: Vec<Lane>,
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
        Self {
            lanes,
            height,
            count,
        }
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
            job.run(columns, coefficients, y, entries, &mut product);
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
        Step {
            y,
            row: entries.clone(),
            entries,
            product,
        }
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

impl Job<'_> {
    /// Works off some columns: their entries of `y` and of the step's row, and their part of the product with the row.
    pub(super) fn run(
        &self,
        columns: &mut [Lane],
        pending: [&[f64]; 2],
        y: &mut [f64],
        entries: &mut [f64],
        product: &mut [Lane],
    ) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has just been seen to have both features.
            unsafe { self.with_avx2(columns, pending, y, entries, product) };
            return;
        }
        self.portable(columns, pending, y, entries, product);
    }

    /// [`Job::run`] on any processor.
    pub(super) fn portable(
        &self,
        columns: &mut [Lane],
        pending: [&[f64]; 2],
        y: &mut [f64],
        entries: &mut [f64],
        product: &mut [Lane],
    ) {
        self.body::<false>(columns, pending, y, entries, product);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn with_avx2(
        &self,
        columns: &mut [Lane],
        pending: [&[f64]; 2],
        y: &mut [f64],
        entries: &mut [f64],
        product: &mut [Lane],
    ) {
        self.body::<true>(columns, pending, y, entries, product);
    }

    #[inline(always)]
    fn body<const FUSED: bool>(
        &self,
        columns: &mut [Lane],
        [pending_y, pending_h]: [&[f64]; 2],
        y: &mut [f64],
        entries: &mut [f64],
        product: &mut [Lane],
    ) {
        // Rows above the step's own are done with: their entries of u and x are zero.
        let start = self.row / LANE;
        let (u, x, left) = (
            &self.pending_u[start..],
            &self.pending_x[start..],
            &self.u[start..],
        );
        let product = &mut product[start..];
        let mut at = 0;
        for group in columns.chunks_mut(GROUP * self.height) {
            let count = group.len() / self.height;
            for (c, column) in group.chunks_exact_mut(self.height).enumerate() {
                let coefficients = [-pending_y[at + c], -pending_h[at + c]];
                let sum = settle::<FUSED>(&mut column[start..], coefficients, [u, x, left]);
                y[at + c] = self.tau * sum;
                entries[at + c] = column[start].0[self.row % LANE] - self.tau * sum;
            }
            if count == GROUP {
                let (a, rest) = group.split_at(self.height);
                let (b, rest) = rest.split_at(self.height);
                let (c, d) = rest.split_at(self.height);
                let weights: [f64; GROUP] = std::array::from_fn(|c| entries[at + c]);
                let columns = [&a[start..], &b[start..], &c[start..], &d[start..]];
                add_four::<FUSED>(product, columns, weights);
            } else {
                for (c, column) in group.chunks_exact(self.height).enumerate() {
                    add::<FUSED>(product, &column[start..], entries[at + c]);
                }
            }
            at += count;
        }
    }
}

/// column += y u + h x, and its product with `left`.
#[inline(always)]
fn settle<const FUSED: bool>(
    column: &mut [Lane],
    [y, h]: [f64; 2],
    [u, x, left]: [&[Lane]; 3],
) -> f64 {
    let mut sums = [0.0; LANE];
    for (entry, ((u, x), left)) in column.iter_mut().zip(u.iter().zip(x).zip(left)) {
        for (c, sum) in sums.iter_mut().enumerate() {
            let value = fma::<FUSED>(x.0[c], h, fma::<FUSED>(u.0[c], y, entry.0[c]));
            entry.0[c] = value;
            *sum = fma::<FUSED>(value, left.0[c], *sum);
        }
    }
    sums.iter().sum()
}

/// product += Σ weight · column.
#[inline(always)]
fn add_four<const FUSED: bool>(
    product: &mut [Lane],
    [a, b, c, d]: [&[Lane]; GROUP],
    weights: [f64; GROUP],
) {
    for (sum, ((a, b), (c, d))) in product.iter_mut().zip(a.iter().zip(b).zip(c.iter().zip(d))) {
        for i in 0..LANE {
            let two = fma::<FUSED>(
                b.0[i],
                weights[1],
                fma::<FUSED>(a.0[i], weights[0], sum.0[i]),
            );
            sum.0[i] = fma::<FUSED>(d.0[i], weights[3], fma::<FUSED>(c.0[i], weights[2], two));
        }
    }
}

#[inline(always)]
fn add<const FUSED: bool>(product: &mut [Lane], column: &[Lane], weight: f64) {
    for (sum, v) in product.iter_mut().zip(column) {
        for i in 0..LANE {
            sum.0[i] = fma::<FUSED>(v.0[i], weight, sum.0[i]);
        }
    }
}

#[inline(always)]
fn fma<const FUSED: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}
