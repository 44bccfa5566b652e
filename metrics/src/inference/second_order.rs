//! First and second order of the set distance, unit by unit: the influence of its rows, and what it adds to the bias alone,
//! ½⟨E, E⟩ + |e|² (see [`expansion`](super::expansion)).

use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1, Axis};
use rayon::prelude::*;

use super::expansion::{Expansion, Rows};
use crate::units::Presence;

/// Units that are worked on at once.
const UNITS: usize = 128;
/// Fixed parts of the units, so that sums do not depend on the number of threads.
const PARTS: usize = 16;

/// The distance around the two sets, to second order.
pub(super) struct SecondOrder {
    /// Influence of every row of either side, up to a constant.
    pub(super) slopes: [Vec<f64>; 2],
    /// ½⟨E, E⟩ of every unit.
    pub(super) of_covariances: Vec<f64>,
    /// |e|² of every unit.
    pub(super) of_means: Vec<f64>,
    /// Σ z vᵀ over the units on both sides, `[r, r]`, for units of one row a side.
    pub(super) cross: Option<Array2<f64>>,
}

/// What a block of units gives.
struct Block {
    slopes: [Vec<(usize, f64)>; 2],
    of_covariances: Vec<f64>,
    of_means: Vec<f64>,
}

impl SecondOrder {
    /// Of two sets of so many rows.
    pub(super) fn of(expansion: &Expansion, rows: [usize; 2]) -> Self {
        let (units, rank) = (expansion.units, expansion.rank());
        let crosses = units.are_single() && units.with(Presence::Both).next().is_some();
        let parts: Vec<(Vec<Block>, Option<Array2<f64>>)> =
            super::sums::parts(units.count(), PARTS)
                .into_par_iter()
                .map(|part| expansion.part(part, crosses))
                .collect();
        let mut all = Self {
            slopes: rows.map(|rows| vec![0.0; rows]),
            of_covariances: Vec::with_capacity(units.count()),
            of_means: Vec::with_capacity(units.count()),
            cross: crosses.then(|| Array2::zeros((rank, rank))),
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
        all
    }
}

impl Expansion<'_> {
    fn part(&self, part: Range<usize>, crosses: bool) -> (Vec<Block>, Option<Array2<f64>>) {
        let mut cross = crosses.then(|| Array2::zeros((self.rank(), self.rank())));
        let units: Vec<usize> = part.collect();
        let blocks = units.chunks(UNITS).map(|units| self.block(units, cross.as_mut())).collect();
        (blocks, cross)
    }

    fn block(&self, units: &[usize], cross: Option<&mut Array2<f64>>) -> Block {
        let sides = self.rows_of(units);
        let slopes = [(0, 2.0), (1, -2.0)].map(|(side, pull)| {
            let Rows { own, centred, moved } = &sides[side];
            let slope = |x: ArrayView1<f64>, z: ArrayView1<f64>| {
                x.dot(&x) - z.dot(&z) + pull * self.delta.dot(&x)
            };
            let rows = centred.outer_iter().zip(moved.outer_iter());
            own.iter().copied().zip(rows.map(|(x, z)| slope(x, z))).collect()
        });
        if let Some(cross) = cross {
            // Units of one row a side: the rows of the shared ones, in order.
            let of = |side: usize| {
                let on = units.iter().filter(|&&unit| !self.units.rows(side, unit).is_empty());
                let at: Vec<usize> = on
                    .enumerate()
                    .filter(|&(_, &unit)| self.units.presence(unit) == Presence::Both)
                    .map(|(at, _)| at)
                    .collect();
                sides[side].moved.select(Axis(0), &at)
            };
            general_mat_mul(1.0, &of(0).t(), &of(1), 1.0, cross);
        }
        let moves = self.moves(units, &sides);
        let mut squares = self.products(units.len());
        moves.iter().enumerate().for_each(|(at, of)| squares.add_square(at, of));
        let of_means = moves.iter().map(|of| of.of_means.dot(&of.of_means)).collect();
        Block { slopes, of_covariances: squares.finish(), of_means }
    }
}
