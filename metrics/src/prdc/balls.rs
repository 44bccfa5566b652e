//! Radii and hits of the nearest-neighbour balls, with every group of images left out in turn, in two passes.
//!
//! Case 0 is the whole sample, case g + 1 the sample without group g.

use super::GROUPS;
use crate::MetricError;
use crate::pairwise::{Part, Rows, fold_tiles};

/// Cases: the whole, and the whole less each group.
const CASES: usize = GROUPS + 1;

/// Squared radius of the ball of every row in every case.
pub(super) struct Radii {
    squared: Vec<[f64; CASES]>,
    /// The largest radius of every row: beyond it nothing is inside in any case.
    widest: Vec<f64>,
}

impl Radii {
    /// Distance of every row to its `k`-th nearest other row.
    pub(super) fn new(rows: &Rows<'_>, group_of: &[usize], k: usize) -> Result<Self, MetricError> {
        let mut squared = Vec::with_capacity(rows.len());
        fold_tiles(
            rows,
            rows,
            Part::Full,
            |range| vec![Nearest::new(k); range.len()],
            |nearest, tile| {
                for i in tile.rows.clone() {
                    let nearest = &mut nearest[i - tile.rows.start];
                    for j in tile.columns.clone().filter(|&j| j != i) {
                        nearest.offer(tile.squared_distance(i, j), group_of[j]);
                    }
                }
            },
            |_, nearest| squared.extend(nearest.iter().map(|n| n.radii(k))),
        );
        let widest =
            squared.iter().map(|r| r.iter().copied().fold(0.0, f64::max)).collect::<Vec<_>>();
        if widest.iter().any(|r| r.is_infinite()) {
            let in_group = |group| group_of.iter().filter(|&&of| of == group).count();
            return Err(MetricError::TooFew {
                what: "rows left when a group of images is left out",
                n: rows.len() - (0..GROUPS).map(in_group).max().unwrap_or(0),
                needed: k + 1,
            });
        }
        Ok(Radii { squared, widest })
    }
}

/// The k smallest distances of one row to each group, in ascending order and padded with infinity.
#[derive(Clone)]
struct Nearest {
    k: usize,
    by_group: Vec<f64>,
}

impl Nearest {
    fn new(k: usize) -> Self {
        Nearest { k, by_group: vec![f64::INFINITY; GROUPS * k] }
    }

    fn offer(&mut self, distance: f64, group: usize) {
        let nearest = &mut self.by_group[group * self.k..(group + 1) * self.k];
        if distance >= nearest[self.k - 1] {
            return;
        }
        let place = nearest.partition_point(|&d| d <= distance);
        nearest[place..].rotate_right(1);
        nearest[place] = distance;
    }

    fn radii(&self, k: usize) -> [f64; CASES] {
        let mut all: Vec<(f64, usize)> =
            self.by_group.iter().enumerate().map(|(at, &distance)| (distance, at / k)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut radii = [all[k - 1].0; CASES];
        for (group, radius) in radii[1..].iter_mut().enumerate() {
            let kept = all.iter().filter(|&&(_, of)| of != group);
            *radius = kept.clone().nth(k - 1).map_or(f64::INFINITY, |&(distance, _)| distance);
        }
        radii
    }
}

/// Who is inside whose ball, in every case; the bits of a mask are cases.
pub(super) struct Hits {
    /// Reference balls around every candidate.
    balls: Vec<[u32; CASES]>,
    /// References inside some candidate's ball.
    pub(super) recalled: Vec<u32>,
    /// References whose ball holds some candidate.
    pub(super) covered: Vec<u32>,
}

impl Hits {
    /// Reference balls around candidate `row` in a case.
    pub(super) fn balls_around(&self, row: usize, case: usize) -> u32 {
        self.balls[row][case]
    }

    pub(super) fn count<'a>(
        x: &Rows<'a>,
        y: &Rows<'a>,
        in_x: &[usize],
        in_y: &[usize],
        radii_x: &Radii,
        radii_y: &Radii,
    ) -> Self {
        let mut hits = Hits {
            balls: Vec::with_capacity(x.len()),
            recalled: vec![0; y.len()],
            covered: vec![0; y.len()],
        };
        fold_tiles(
            x,
            y,
            Part::Full,
            |rows| (vec![[0; CASES]; rows.len()], vec![0u32; y.len()], vec![0u32; y.len()]),
            |(balls, recalled, covered), tile| {
                for i in tile.rows.clone() {
                    let without_x = cases_with(in_x[i]);
                    for j in tile.columns.clone() {
                        let distance = tile.squared_distance(i, j);
                        if distance < radii_y.widest[j] {
                            let inside = cases_inside(distance, &radii_y.squared[j]);
                            covered[j] |= inside & without_x;
                            let around = inside & cases_with(in_y[j]);
                            let balls = &mut balls[i - tile.rows.start];
                            balls
                                .iter_mut()
                                .enumerate()
                                .for_each(|(case, n)| *n += around >> case & 1);
                        }
                        if distance < radii_x.widest[i] {
                            recalled[j] |= cases_inside(distance, &radii_x.squared[i]) & without_x;
                        }
                    }
                }
            },
            |_, (balls, recalled, covered)| {
                hits.balls.extend(balls);
                hits.recalled.iter_mut().zip(recalled).for_each(|(all, part)| *all |= part);
                hits.covered.iter_mut().zip(covered).for_each(|(all, part)| *all |= part);
            },
        );
        hits
    }
}

/// The cases in which a row of this group is in the sample: all but one.
fn cases_with(group: usize) -> u32 {
    !(1 << (group + 1))
}

fn cases_inside(distance: f64, radii: &[f64; CASES]) -> u32 {
    (radii.iter().enumerate())
        .fold(0, |mask, (case, &radius)| mask | u32::from(distance < radius) << case)
}
