//! Sums over units from which every leave-out sample is a subtraction.
//!
//! The units are dealt into groups and summed group by group, less a common origin near the means. Moments of all rows but a
//! group's are then those of a difference of sums: twenty samples for the price of one.

use std::ops::{AddAssign, Range};

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use super::image_moments::{ImageMoments, about};
use crate::MetricError;
use crate::moments::{Moments, Products, column_means};
use crate::units::{Presence, Units};

/// Sums over the units of a group, or of all groups.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    sides: [Side; 2],
    /// Over units on both sides.
    cross: Cross,
}

/// Sums over rows x, and over units' sums s of their k rows.
#[derive(Debug, Clone)]
struct Side {
    rows: f64,
    units: f64,
    /// Σ x
    sum: Array1<f64>,
    /// Σ x xᵀ
    products: Array2<f64>,
    /// Σ |s|²
    squares: f64,
    /// Σ k s
    weighted: Array1<f64>,
    /// Σ k²
    counts: f64,
}

/// Sums over units' sums s₁, s₂ of their k₁ candidates and k₂ references.
#[derive(Debug, Clone)]
struct Cross {
    /// Σ s₁·s₂
    products: f64,
    /// Σ k₂ s₁
    first: Array1<f64>,
    /// Σ k₁ s₂
    second: Array1<f64>,
    /// Σ k₁ k₂
    counts: f64,
}

/// The sums of every group, and the origin that they are about.
pub(super) struct Groups {
    pub(super) groups: Vec<Sums>,
    pub(super) total: Sums,
    origin: Array1<f64>,
}

impl Groups {
    /// Sums of the rows of both sides; `group_of[unit]` is in `0..groups`.
    pub(super) fn of(
        rows: [ArrayView2<f32>; 2],
        units: &Units,
        group_of: &[usize],
        groups: usize,
    ) -> Self {
        let origin = column_means(rows[1]);
        let mut members = vec![Vec::new(); groups];
        group_of.iter().enumerate().for_each(|(unit, &group)| members[group].push(unit));
        let groups: Vec<Sums> = (members.par_iter())
            .map(|members| Sums::of(rows, units, members, origin.view()))
            .collect();
        let mut total = groups[0].clone();
        groups[1..].iter().for_each(|group| total += group);
        Self { groups, total, origin }
    }

    /// Moments of a side over all rows.
    pub(super) fn moments(&self, side: usize) -> Moments {
        let sums = &self.total.sides[side];
        let mean = sums.mean();
        let comoment = sums.clone().into_covariance() * (sums.rows - 1.0);
        Moments::from_sums(sums.rows as u64, mean + &self.origin, comoment)
    }
}

impl Sums {
    fn of(
        rows: [ArrayView2<f32>; 2],
        units: &Units,
        members: &[usize],
        origin: ArrayView1<f64>,
    ) -> Self {
        let d = origin.len();
        let mut cross =
            Cross { products: 0.0, first: Array1::zeros(d), second: Array1::zeros(d), counts: 0.0 };
        let mut sides = [0, 1].map(|side| Side::of(rows[side], units, side, members, origin));
        for &unit in members {
            let sums = [0, 1].map(|side| {
                let own = units.rows(side, unit);
                let mut sum = Array1::<f64>::zeros(d);
                for &row in own {
                    let values = rows[side].row(row);
                    ndarray::Zip::from(&mut sum)
                        .and(values)
                        .and(origin)
                        .for_each(|sum, &x, &o| *sum += f64::from(x) - o);
                }
                let k = own.len() as f64;
                let side = &mut sides[side];
                side.units += f64::from(!own.is_empty());
                side.squares += sum.dot(&sum);
                side.weighted.scaled_add(k, &sum);
                side.counts += k * k;
                (k, sum)
            });
            if units.presence(unit) == Presence::Both {
                let [(k1, s1), (k2, s2)] = &sums;
                cross.products += s1.dot(s2);
                cross.first.scaled_add(*k2, s1);
                cross.second.scaled_add(*k1, s2);
                cross.counts += k1 * k2;
            }
        }
        Self { sides, cross }
    }

    /// From moments of images: one candidate of each, and its references; `None` of no image.
    pub(super) fn of_images(images: &[ImageMoments], origin: ArrayView1<f64>) -> Option<Self> {
        let classes = images.iter().map(|class| Self::of_class(class, origin));
        classes.reduce(|mut sums, class| {
            sums += &class;
            sums
        })
    }

    fn of_class(images: &ImageMoments, origin: ArrayView1<f64>) -> Self {
        let (n, k) = (images.joint.n() as f64, images.count());
        let of_sums = k * &origin;
        let origins = [origin, of_sums.view()];
        let first = n * (&images.candidates().mean() - &origin);
        let references = images.of_references();
        let second = n * k * (&references.mean() - &origin);
        let block = |i: usize, j: usize| images.about([i, j], [origins[i], origins[j]]);
        let of_candidates = block(0, 0);
        let of_images = block(1, 1);
        let squares = [&of_candidates, &of_images].map(|block| block.diag().sum());
        let of_references = match images.references {
            1 => of_images,
            _ => about(&references, origin),
        };
        let side = |rows, sum: &Array1<f64>, products, squares, k: f64| Side {
            rows,
            units: n,
            sum: sum.clone(),
            products,
            squares,
            weighted: k * sum,
            counts: n * k * k,
        };
        let cross = Cross {
            products: block(0, 1).diag().sum(),
            first: k * &first,
            second: second.clone(),
            counts: n * k,
        };
        let sides = [
            side(n, &first, of_candidates, squares[0], 1.0),
            side(n * k, &second, of_references, squares[1], k),
        ];
        Self { sides, cross }
    }

    /// All but a group.
    pub(super) fn without(&self, group: &Self) -> Self {
        Self {
            sides: [0, 1].map(|side| self.sides[side].without(&group.sides[side])),
            cross: Cross {
                products: self.cross.products - group.cross.products,
                first: &self.cross.first - &group.cross.first,
                second: &self.cross.second - &group.cross.second,
                counts: self.cross.counts - group.cross.counts,
            },
        }
    }

    /// Rows of a side.
    pub(super) fn rows(&self, side: usize) -> f64 {
        self.sides[side].rows
    }

    /// Units of the side that has fewer.
    pub(super) fn fewest_units(&self) -> f64 {
        self.sides[0].units.min(self.sides[1].units)
    }

    /// Mean of a side, about the origin.
    pub(super) fn mean(&self, side: usize) -> Array1<f64> {
        self.sides[side].mean()
    }

    /// Covariances of the sides (ddof 1).
    pub(super) fn into_covariances(self) -> [Array2<f64>; 2] {
        self.sides.map(Side::into_covariance)
    }

    /// What the means add to the distance on the average: the trace of the covariance of μ̂₁ − μ̂₂, without bias, the units being
    /// what is independent.
    pub(super) fn of_means(&self) -> f64 {
        let [first, second] = &self.sides;
        let unbiased = |units: f64| if units > 1.0 { units / (units - 1.0) } else { 1.0 };
        let own = |side: &Side| unbiased(side.units) * side.squares_about_mean();
        let (m1, m2) = (first.mean(), second.mean());
        let Cross { products, first: s1, second: s2, counts } = &self.cross;
        let together = products - s1.dot(&m2) - s2.dot(&m1) + counts * m1.dot(&m2);
        let together = unbiased(first.units.min(second.units)) * together;
        own(first) + own(second) - 2.0 * together / (first.rows * second.rows)
    }
}

impl AddAssign<&Sums> for Sums {
    fn add_assign(&mut self, other: &Sums) {
        for (own, other) in self.sides.iter_mut().zip(&other.sides) {
            own.rows += other.rows;
            own.units += other.units;
            own.sum += &other.sum;
            own.products += &other.products;
            own.squares += other.squares;
            own.weighted += &other.weighted;
            own.counts += other.counts;
        }
        self.cross.products += other.cross.products;
        self.cross.first += &other.cross.first;
        self.cross.second += &other.cross.second;
        self.cross.counts += other.cross.counts;
    }
}

impl Side {
    /// Sums over rows; those over units are still 0.
    fn of(
        rows: ArrayView2<f32>,
        units: &Units,
        side: usize,
        members: &[usize],
        origin: ArrayView1<f64>,
    ) -> Self {
        let own: Vec<usize> =
            members.iter().flat_map(|&unit| units.rows(side, unit).iter().copied()).collect();
        let own = rows.select(Axis(0), &own);
        let products = Products::of(own.view(), origin, None);
        Self {
            rows: own.nrows() as f64,
            units: 0.0,
            sum: products.sums().to_owned(),
            products: products.into_matrix(),
            squares: 0.0,
            weighted: Array1::zeros(origin.len()),
            counts: 0.0,
        }
    }

    fn without(&self, group: &Self) -> Self {
        Self {
            rows: self.rows - group.rows,
            units: self.units - group.units,
            sum: &self.sum - &group.sum,
            products: &self.products - &group.products,
            squares: self.squares - group.squares,
            weighted: &self.weighted - &group.weighted,
            counts: self.counts - group.counts,
        }
    }

    fn mean(&self) -> Array1<f64> {
        &self.sum / self.rows
    }

    fn into_covariance(self) -> Array2<f64> {
        let mean = self.mean();
        let degrees = self.rows - 1.0;
        let mut covariance = self.products;
        for (mut row, &a) in covariance.outer_iter_mut().zip(&mean) {
            let less = self.rows * a;
            row.zip_mut_with(&mean, |product, &b| *product = (*product - less * b) / degrees);
        }
        covariance
    }

    /// Σ |s − k μ|² / N²
    fn squares_about_mean(&self) -> f64 {
        let mean = self.mean();
        let squares = self.squares - 2.0 * self.weighted.dot(&mean) + self.counts * mean.dot(&mean);
        squares / (self.rows * self.rows)
    }
}

/// Fixed parts of a range of units, for sums that do not depend on the number of threads.
pub(super) fn parts(count: usize, parts: usize) -> Vec<Range<usize>> {
    let size = count.div_ceil(parts).max(1);
    (0..count).step_by(size).map(|start| start..count.min(start + size)).collect()
}

/// An error in place of sums that are not finite.
pub(super) fn finite(sums: &Sums) -> Result<(), MetricError> {
    let is_finite = |side: &Side| side.squares.is_finite();
    if sums.sides.iter().all(is_finite) {
        Ok(())
    } else {
        Err(MetricError::NotFinite { what: "embeddings" })
    }
}
