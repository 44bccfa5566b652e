//! The set distance around two sets: what units move it by, and the coordinates in which that is cheap.
//!
//! In the coordinates of the [transport](crate::transport), z of a candidate and v of a reference, both covariances are diag(s). A unit
//! with rows of weight a (1/N for candidates, −1/M for references) moves the difference of the two covariances by
//! E = Σ a (z zᵀ − diag s), that of the means by e = Σ a (x − μ), and the distance, to second order, by the influence of its
//! rows and by ½⟨E, E⟩ + |e|², where ⟨E, F⟩ = Σᵢⱼ Eᵢⱼ Fᵢⱼ/(sᵢ + sⱼ).
//!
//! With K = 1/(sᵢ + sⱼ), ⟨zzᵀ, vvᵀ⟩ = (z∘v)ᵀ K (z∘v). K is a Cauchy matrix: its numerical rank is some dozens
//! (Beckermann & Townsend 2017, "On the singular values of matrices with displacement structure"), so a factor makes the forms
//! a tenth of the price.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

use crate::MetricError;
use crate::linalg::{Factor, default_solver};
use crate::transport::{Seen, Transport};
use crate::units::Units;

/// Products of pairs of rows that are held at once.
const PAIRS: usize = 256;
/// Pairs of rows from which on a product of two moves is made of their matrices.
const MANY: usize = 64;

/// The two sets around which the distance is expanded.
pub(super) struct Expansion<'a> {
    sides: [(&'a Seen, ArrayView2<'a, f32>, f64); 2],
    pub(super) units: &'a Units,
    /// The difference of the means.
    pub(super) delta: Array1<f64>,
    /// 1/√s.
    inverse_root: Array1<f64>,
    /// F with Fᵀ F = √(sᵢsⱼ)/(sᵢ + sⱼ), transposed: `[r, rank]`.
    form: Array2<f64>,
    spectrum: &'a Array1<f64>,
    trace: f64,
}

/// The rows of some units on a side, unit by unit.
pub(super) struct Rows {
    /// Which they are.
    pub(super) own: Vec<usize>,
    /// x − μ, `[k, d]`.
    pub(super) centred: Array2<f64>,
    /// In the transport's coordinates, `[k, r]`.
    pub(super) moved: Array2<f64>,
}

/// How a unit moves the two sets.
pub(super) struct Move<'a> {
    /// Weight a and coordinates z of every row.
    rows: Vec<(f64, ArrayView1<'a, f64>)>,
    /// Σ a
    weight: f64,
    /// Σ a |z|²
    norms: f64,
    /// e
    pub(super) of_means: Array1<f64>,
}

impl Move<'_> {
    /// Σ a z zᵀ, `[r, r]`.
    fn squares(&self, rank: usize) -> Array2<f64> {
        let mut rows = Array2::zeros((self.rows.len(), rank));
        let mut weighted = rows.clone();
        for (k, &(a, z)) in self.rows.iter().enumerate() {
            rows.row_mut(k).assign(&z);
            weighted.row_mut(k).assign(&(&z * a));
        }
        weighted.t().dot(&rows)
    }
}

impl<'a> Expansion<'a> {
    pub(super) fn of(
        transport: &'a Transport,
        rows: [ArrayView2<'a, f32>; 2],
        units: &'a Units,
    ) -> Result<Self, MetricError> {
        let s = &transport.spectrum;
        let scaled = Array2::from_shape_fn((s.len(), s.len()), |(i, j)| {
            (s[i] * s[j]).sqrt() / (s[i] + s[j])
        });
        let side = |seen, rows: ArrayView2<'a, f32>, sign| (seen, rows, sign / rows.nrows() as f64);
        Ok(Self {
            sides: [side(&transport.first, rows[0], 1.0), side(&transport.second, rows[1], -1.0)],
            units,
            delta: &transport.first.mean - &transport.second.mean,
            inverse_root: s.mapv(|s| 1.0 / s.sqrt()),
            form: Factor::of_covariance(scaled.view(), 0.0, default_solver())?.l().to_owned(),
            spectrum: s,
            trace: s.sum(),
        })
    }

    /// Σᵢⱼ Eᵢⱼ Fᵢⱼ/(sᵢ + sⱼ)
    fn form_of(&self, e: &Array2<f64>, f: &Array2<f64>) -> f64 {
        let s = self.spectrum;
        e.indexed_iter().zip(f).map(|(((i, j), e), f)| e * f / (s[i] + s[j])).sum()
    }

    /// Coordinates in the transport.
    pub(super) fn rank(&self) -> usize {
        self.form.nrows()
    }

    /// The rows of these units on either side.
    pub(super) fn rows_of(&self, units: &[usize]) -> [Rows; 2] {
        [0, 1].map(|side| {
            let (seen, rows, _) = self.sides[side];
            let of = |&unit: &usize| self.units.rows(side, unit).iter().copied();
            let own: Vec<usize> = units.iter().flat_map(of).collect();
            let centred =
                crate::moments::centred(rows.select(Axis(0), &own).view(), seen.mean.view(), None);
            let moved = centred.dot(&seen.map.t());
            Rows { own, centred, moved }
        })
    }

    /// How each of these units moves the sets, given their rows.
    pub(super) fn moves<'r>(&self, units: &[usize], sides: &'r [Rows; 2]) -> Vec<Move<'r>> {
        let mut next = [0, 0];
        let of_unit = |&unit: &usize| {
            let mut rows = Vec::new();
            let mut of_means = Array1::zeros(self.delta.len());
            for (side, next) in next.iter_mut().enumerate() {
                let weight = self.sides[side].2;
                for _ in self.units.rows(side, unit) {
                    of_means.scaled_add(weight, &sides[side].centred.row(*next));
                    rows.push((weight, sides[side].moved.row(*next)));
                    *next += 1;
                }
            }
            let weight = rows.iter().map(|(a, _)| a).sum();
            let norms = rows.iter().map(|(a, z)| a * z.dot(z)).sum();
            Move { rows, weight, norms, of_means }
        };
        units.iter().map(of_unit).collect()
    }

    /// So many sums of products of moves, all 0.
    pub(super) fn products(&self, count: usize) -> Products<'_, 'a> {
        Products {
            expansion: self,
            pairs: Array2::zeros((PAIRS, self.rank())),
            owners: Vec::new(),
            sums: vec![0.0; count],
        }
    }
}

/// Products ⟨E, F⟩, whose quadratic forms of pairs of rows are made many at a time.
pub(super) struct Products<'e, 'a> {
    expansion: &'e Expansion<'a>,
    pairs: Array2<f64>,
    /// Whose sum each form enters, and with which factor.
    owners: Vec<(usize, f64)>,
    sums: Vec<f64>,
}

impl Products<'_, '_> {
    /// Adds ½⟨E, E⟩ to a sum.
    pub(super) fn add_square(&mut self, sum: usize, of: &Move) {
        self.sums[sum] += 0.5 * of.weight * (0.5 * of.weight * self.expansion.trace - of.norms);
        if of.rows.len() * of.rows.len() > MANY {
            let squares = of.squares(self.expansion.rank());
            self.sums[sum] += 0.5 * self.expansion.form_of(&squares, &squares);
            return;
        }
        for (k, &(a, z)) in of.rows.iter().enumerate() {
            for (l, &(b, v)) in of.rows[..=k].iter().enumerate() {
                let twice = if l == k { 0.5 } else { 1.0 };
                self.push(sum, twice * a * b, z, v);
            }
        }
    }

    /// Adds ⟨E, F⟩ to a sum.
    pub(super) fn add_product(&mut self, sum: usize, e: &Move, f: &Move) {
        let of_trace = 0.5 * e.weight * f.weight * self.expansion.trace;
        self.sums[sum] += of_trace - 0.5 * (e.weight * f.norms + f.weight * e.norms);
        if e.rows.len() * f.rows.len() > MANY {
            let rank = self.expansion.rank();
            self.sums[sum] += self.expansion.form_of(&e.squares(rank), &f.squares(rank));
            return;
        }
        for &(a, z) in &e.rows {
            f.rows.iter().for_each(|&(b, v)| self.push(sum, a * b, z, v));
        }
    }

    fn push(&mut self, sum: usize, factor: f64, z: ArrayView1<f64>, v: ArrayView1<f64>) {
        let mut pair = self.pairs.row_mut(self.owners.len());
        ndarray::Zip::from(&mut pair)
            .and(z)
            .and(v)
            .and(&self.expansion.inverse_root)
            .for_each(|pair, &z, &v, &scale| *pair = z * v * scale);
        self.owners.push((sum, factor));
        if self.owners.len() == PAIRS {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let halves = self.pairs.slice(s![..self.owners.len(), ..]).dot(&self.expansion.form);
        for (&(sum, factor), half) in self.owners.iter().zip(halves.outer_iter()) {
            self.sums[sum] += factor * half.dot(&half);
        }
        self.owners.clear();
    }

    /// The sums.
    pub(super) fn finish(mut self) -> Vec<f64> {
        self.flush();
        self.sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_of_many_rows_are_multiplied_as_those_of_few() {
        let rows = |n: usize, phase: usize| {
            Array2::from_shape_fn((n, 5), |(i, j)| {
                ((i * i * 3 + i * j * j * 7 + j + phase) as f32).sin()
            })
        };
        let (x, y) = (rows(60, 0), rows(80, 5));
        // Units of nine rows, and of two.
        let of = |n: usize| -> Vec<usize> {
            (0..n).map(|i| if i < 18 { i % 2 } else { i / 2 }).collect()
        };
        let units = Units::of_labels(&of(60), &of(80));
        let transport = Transport::between(x.view(), y.view()).unwrap();
        let expansion = Expansion::of(&transport, [x.view(), y.view()], &units).unwrap();
        let all: Vec<usize> = (0..units.count()).collect();
        let sides = expansion.rows_of(&all);
        let moves = expansion.moves(&all, &sides);
        let entry = |of: &Move, i: usize, j: usize| {
            let diagonal = if i == j { transport.spectrum[i] } else { 0.0 };
            of.rows.iter().map(|(a, z)| a * (z[i] * z[j] - diagonal)).sum::<f64>()
        };
        for (e, f) in [(0, 1), (0, 5), (5, 6), (0, 0), (6, 6)] {
            let (e, f) = (&moves[e], &moves[f]);
            let mut products = expansion.products(2);
            products.add_product(0, e, f);
            products.add_square(1, e);
            let found = products.finish();
            let known = |f: &Move| -> f64 {
                let pairs = (0..5).flat_map(|i| (0..5).map(move |j| (i, j)));
                let terms = pairs.map(|(i, j)| {
                    entry(e, i, j) * entry(f, i, j)
                        / (transport.spectrum[i] + transport.spectrum[j])
                });
                terms.sum()
            };
            assert!(
                (found[0] - known(f)).abs() < 1e-12 && (found[1] - 0.5 * known(e)).abs() < 1e-12
            );
        }
    }
}
