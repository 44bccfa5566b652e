//! First and second order of the set distance, unit by unit.
//!
//! In the coordinates of the [transport](crate::transport), z of a candidate and v of a reference, both covariances are diag(s). A unit
//! with rows of weight a (1/N for candidates, −1/M for references) moves the difference of the two covariances by
//! E = Σ a (z zᵀ − diag s), that of the means by e = Σ a (x − μ), and the distance, to second order, by the influence of its
//! rows and by ½ Σᵢⱼ Eᵢⱼ²/(sᵢ + sⱼ) + |e|². The latter is what one unit adds to the bias.
//!
//! With K = 1/(sᵢ + sⱼ), ⟨zzᵀ, vvᵀ⟩ = (z∘v)ᵀ K (z∘v). K is a Cauchy matrix: its numerical rank is some dozens
//! (Beckermann & Townsend 2017, "On the singular values of matrices with displacement structure"), so a factor makes the forms
//! a tenth of the price.

use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::MetricError;
use crate::linalg::{Factor, default_solver};
use crate::transport::{Seen, Transport};
use crate::units::{Presence, Units};

/// Units that are worked on at once.
const UNITS: usize = 128;
/// Fixed parts of the units, so that sums do not depend on the number of threads.
const PARTS: usize = 16;
/// Products of pairs of rows that are held at once.
const PAIRS: usize = 256;

/// The distance around the two sets, to second order.
pub(super) struct SecondOrder {
    /// Influence of every row of either side, up to a constant.
    pub(super) slopes: [Vec<f64>; 2],
    /// ½ Σ Eᵢⱼ²/(sᵢ + sⱼ) of every unit.
    pub(super) of_covariances: Vec<f64>,
    /// |e|² of every unit.
    pub(super) of_means: Vec<f64>,
    /// Σ z vᵀ over the units on both sides, `[r, r]`, for units of one row a side.
    pub(super) cross: Option<Array2<f64>>,
}

struct Expansion<'a> {
    sides: [(&'a Seen, ArrayView2<'a, f32>, f64); 2],
    units: &'a Units,
    delta: Array1<f64>,
    /// 1/√s.
    inverse_root: Array1<f64>,
    /// F with Fᵀ F = √(sᵢsⱼ)/(sᵢ + sⱼ), transposed: `[r, rank]`.
    form: Array2<f64>,
    trace: f64,
}

/// What a block of units gives.
struct Block {
    slopes: [Vec<(usize, f64)>; 2],
    of_covariances: Vec<f64>,
    of_means: Vec<f64>,
}

impl SecondOrder {
    pub(super) fn of(
        transport: &Transport,
        rows: [ArrayView2<f32>; 2],
        units: &Units,
    ) -> Result<Self, MetricError> {
        let s = &transport.spectrum;
        let scaled = Array2::from_shape_fn((s.len(), s.len()), |(i, j)| {
            (s[i] * s[j]).sqrt() / (s[i] + s[j])
        });
        let side = |seen, rows: usize, sign: f64| (seen, sign / rows as f64);
        let (first, a) = side(&transport.first, rows[0].nrows(), 1.0);
        let (second, b) = side(&transport.second, rows[1].nrows(), -1.0);
        let expansion = Expansion {
            sides: [(first, rows[0], a), (second, rows[1], b)],
            units,
            delta: &transport.first.mean - &transport.second.mean,
            inverse_root: s.mapv(|s| 1.0 / s.sqrt()),
            form: Factor::of_covariance(scaled.view(), 0.0, default_solver())?.l().to_owned(),
            trace: s.sum(),
        };
        let crosses = units.are_single() && units.with(Presence::Both).next().is_some();
        let parts: Vec<(Vec<Block>, Option<Array2<f64>>)> =
            super::sums::parts(units.count(), PARTS)
                .into_par_iter()
                .map(|part| expansion.part(part, crosses))
                .collect();
        let mut all = Self {
            slopes: [0, 1].map(|side| vec![0.0; rows[side].nrows()]),
            of_covariances: Vec::with_capacity(units.count()),
            of_means: Vec::with_capacity(units.count()),
            cross: crosses.then(|| Array2::zeros((s.len(), s.len()))),
        };
        for (blocks, cross) in parts {
            for block in blocks {
                for (slopes, found) in all.slopes.iter_mut().zip(block.slopes) {
                    found.into_iter().for_each(|(row, slope)| slopes[row] = slope);
                }
                all.of_covariances.extend(block.of_covariances);
                all.of_means.extend(block.of_means);
            }
            if let (Some(sum), Some(cross)) = (&mut all.cross, cross) {
                *sum += &cross;
            }
        }
        Ok(all)
    }
}

impl Expansion<'_> {
    fn part(&self, part: Range<usize>, crosses: bool) -> (Vec<Block>, Option<Array2<f64>>) {
        let r = self.form.nrows();
        let mut cross = crosses.then(|| Array2::zeros((r, r)));
        let blocks = part
            .clone()
            .step_by(UNITS)
            .map(|start| self.block(start..part.end.min(start + UNITS), cross.as_mut()))
            .collect();
        (blocks, cross)
    }

    fn block(&self, range: Range<usize>, cross: Option<&mut Array2<f64>>) -> Block {
        // The rows of the units, unit by unit, seen from the transport.
        let sides = [0, 1].map(|side| {
            let (seen, rows, _) = self.sides[side];
            let own: Vec<usize> = range
                .clone()
                .flat_map(|unit| self.units.rows(side, unit).iter().copied())
                .collect();
            let centred =
                crate::moments::centred(rows.select(Axis(0), &own).view(), seen.mean.view(), None);
            let moved = centred.dot(&seen.map.t());
            (own, centred, moved)
        });
        let slopes = [(0, 2.0), (1, -2.0)].map(|(side, pull)| {
            let (own, centred, moved) = &sides[side];
            let slope = |x: ArrayView1<f64>, z: ArrayView1<f64>| {
                x.dot(&x) - z.dot(&z) + pull * self.delta.dot(&x)
            };
            let rows = centred.outer_iter().zip(moved.outer_iter());
            own.iter().copied().zip(rows.map(|(x, z)| slope(x, z))).collect()
        });
        if let Some(cross) = cross {
            let shared: Vec<usize> =
                range.clone().filter(|&u| self.units.presence(u) == Presence::Both).collect();
            // Units of one row a side: the rows of the shared ones, in order.
            let of = |side: usize| {
                let on = range.clone().filter(|&u| !self.units.rows(side, u).is_empty());
                let at: Vec<usize> = on
                    .enumerate()
                    .filter(|(_, unit)| shared.binary_search(unit).is_ok())
                    .map(|(at, _)| at)
                    .collect();
                sides[side].2.select(Axis(0), &at)
            };
            general_mat_mul(1.0, &of(0).t(), &of(1), 1.0, cross);
        }
        let mut forms = Forms {
            form: &self.form,
            products: Array2::zeros((PAIRS, self.form.nrows())),
            owners: Vec::new(),
            sums: vec![0.0; range.len()],
        };
        let mut of_means = Vec::with_capacity(range.len());
        let mut next = [0, 0];
        for (at, unit) in range.enumerate() {
            let mut rows = Vec::new();
            let mut means = Array1::<f64>::zeros(self.delta.len());
            for (side, next) in next.iter_mut().enumerate() {
                let weight = self.sides[side].2;
                for _ in self.units.rows(side, unit) {
                    means.scaled_add(weight, &sides[side].1.row(*next));
                    rows.push((weight, sides[side].2.row(*next)));
                    *next += 1;
                }
            }
            of_means.push(means.dot(&means));
            let weight: f64 = rows.iter().map(|(a, _)| a).sum();
            let norms: f64 = rows.iter().map(|(a, z)| a * z.dot(z)).sum();
            forms.sums[at] += 0.5 * weight * (0.5 * weight * self.trace - norms);
            for (k, &(a, z)) in rows.iter().enumerate() {
                for (l, &(b, v)) in rows[..=k].iter().enumerate() {
                    let twice = if l == k { 0.5 } else { 1.0 };
                    forms.push(at, twice * a * b, z, v, &self.inverse_root);
                }
            }
        }
        forms.flush();
        Block { slopes, of_covariances: forms.sums, of_means }
    }
}

/// Quadratic forms of products of pairs of rows, made many at a time.
struct Forms<'a> {
    form: &'a Array2<f64>,
    products: Array2<f64>,
    /// Whose sum each form enters, and with which factor.
    owners: Vec<(usize, f64)>,
    sums: Vec<f64>,
}

impl Forms<'_> {
    fn push(
        &mut self,
        owner: usize,
        factor: f64,
        z: ArrayView1<f64>,
        v: ArrayView1<f64>,
        scale: &Array1<f64>,
    ) {
        let mut product = self.products.row_mut(self.owners.len());
        ndarray::Zip::from(&mut product)
            .and(z)
            .and(v)
            .and(scale)
            .for_each(|product, &z, &v, &scale| *product = z * v * scale);
        self.owners.push((owner, factor));
        if self.owners.len() == PAIRS {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let halves = self.products.slice(s![..self.owners.len(), ..]).dot(self.form);
        for (&(owner, factor), half) in self.owners.iter().zip(halves.outer_iter()) {
            self.sums[owner] += factor * half.dot(&half);
        }
        self.owners.clear();
    }
}
