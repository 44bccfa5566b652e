//! Which captions were drawn together: the units that every standard error counts.
//!
//! A sample of captions is a sample of images. All captions of one image, on either side, are one draw: they describe one
//! picture. Where images depend on each other in turn (frames of one film, pictures of one album), those are the unit. Two sets
//! are independent where no unit has captions on both sides. Everything that resamples or sums squares takes whole units.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::MetricError;
use crate::paired::Pairs;

/// The units of two sets of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    sides: [Side; 2],
    count: usize,
}

/// The rows of one set, unit by unit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Side {
    /// The unit of every row.
    of: Vec<usize>,
    /// The rows, those of unit 0 first.
    order: Vec<usize>,
    /// Where each unit's rows start in `order`, and where the last one's end.
    starts: Vec<usize>,
}

impl Side {
    fn new(of: Vec<usize>, count: usize) -> Self {
        let mut starts = vec![0; count + 1];
        of.iter().for_each(|&unit| starts[unit + 1] += 1);
        (0..count).for_each(|unit| starts[unit + 1] += starts[unit]);
        let mut next = starts.clone();
        let mut order = vec![0; of.len()];
        for (row, &unit) in of.iter().enumerate() {
            order[next[unit]] = row;
            next[unit] += 1;
        }
        Self { of, order, starts }
    }

    fn slots(&self, unit: usize) -> Range<usize> {
        self.starts[unit]..self.starts[unit + 1]
    }
}

/// The unit that stands for all that are joined with this one.
fn root(joined: &mut [usize], mut unit: usize) -> usize {
    while joined[unit] != unit {
        joined[unit] = joined[joined[unit]];
        unit = joined[unit];
    }
    unit
}

/// On which sides a unit has captions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Candidates and references.
    Both,
    /// Candidates alone.
    Candidates,
    /// References alone.
    References,
}

impl Presence {
    /// Units of one presence are exchangeable with each other.
    pub const ALL: [Self; 3] = [Self::Both, Self::Candidates, Self::References];
}

impl Units {
    /// Two sets that share nothing, every row a draw of its own.
    pub fn independent(candidates: usize, references: usize) -> Self {
        let all: Vec<usize> = (0..candidates + references).collect();
        Self::of_labels(&all[..candidates], &all[candidates..])
    }

    /// Candidates with the references of their own images.
    ///
    /// # Errors
    /// Pairs that are inconsistent.
    pub fn of_pairs(pairs: &Pairs) -> Result<Self, MetricError> {
        pairs.references_per_image()?;
        let images: Vec<usize> = (0..pairs.images()).collect();
        Ok(Self::of_labels(&images, pairs.image_of))
    }

    /// Rows of one label are one unit, on whichever side they stand; units come in the order of their labels.
    pub fn of_labels<L: Ord>(candidates: &[L], references: &[L]) -> Self {
        let mut labels: Vec<&L> = candidates.iter().chain(references).collect();
        labels.sort_unstable();
        labels.dedup();
        let unit = |label: &L| labels.partition_point(|known| *known < label);
        let side = |of: &[L]| Side::new(of.iter().map(unit).collect(), labels.len());
        Self { sides: [side(candidates), side(references)], count: labels.len() }
    }

    /// The same units with the candidates in another order.
    pub(crate) fn in_order(&self, candidates: &[usize]) -> Self {
        let of = candidates.iter().map(|&row| self.of(0)[row]).collect();
        Self { sides: [Side::new(of, self.count), self.sides[1].clone()], count: self.count }
    }

    /// Units of which those are one that have rows of one label, directly or by way of others; rows without a label stay where they are.
    pub fn joined<L: Eq + Hash>(&self, labels: [Vec<Option<L>>; 2]) -> Self {
        let mut joined: Vec<usize> = (0..self.count).collect();
        let mut first: HashMap<L, usize> = HashMap::new();
        for (side, labels) in labels.into_iter().enumerate() {
            for (label, &unit) in labels.into_iter().zip(self.of(side)) {
                let Some(label) = label else { continue };
                let known = *first.entry(label).or_insert(unit);
                let [known, unit] = [known, unit].map(|unit| root(&mut joined, unit));
                joined[unit.max(known)] = unit.min(known);
            }
        }
        let [candidates, references] = [0, 1].map(|side| -> Vec<usize> {
            self.of(side).iter().map(|&unit| root(&mut joined, unit)).collect()
        });
        Self::of_labels(&candidates, &references)
    }

    /// Number of units; they are `0..count`.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Number of units with rows on this side (0: candidates, 1: references).
    pub fn on(&self, side: usize) -> usize {
        (0..self.count).filter(|&unit| !self.sides[side].slots(unit).is_empty()).count()
    }

    /// The unit of every row of a side.
    pub fn of(&self, side: usize) -> &[usize] {
        &self.sides[side].of
    }

    /// The rows of a unit on a side.
    pub fn rows(&self, side: usize, unit: usize) -> &[usize] {
        let side = &self.sides[side];
        &side.order[side.slots(unit)]
    }

    /// Where a unit has rows.
    pub fn presence(&self, unit: usize) -> Presence {
        match [0, 1].map(|side| self.rows(side, unit).is_empty()) {
            [false, false] => Presence::Both,
            [false, true] => Presence::Candidates,
            _ => Presence::References,
        }
    }

    /// Units of this presence.
    pub fn with(&self, presence: Presence) -> impl Iterator<Item = usize> + '_ {
        (0..self.count).filter(move |&unit| self.presence(unit) == presence)
    }

    /// Whether no unit has two rows on a side.
    pub fn are_single(&self) -> bool {
        let most = |unit| (0..2).map(|side| self.rows(side, unit).len()).max();
        (0..self.count).all(|unit| most(unit) <= Some(1))
    }

    /// Share of a side's rows that its largest unit holds.
    pub fn largest_share(&self) -> f64 {
        let share = |side: usize| {
            let most = (0..self.count).map(|unit| self.rows(side, unit).len()).max();
            most.unwrap_or(0) as f64 / self.of(side).len().max(1) as f64
        };
        share(0).max(share(1))
    }

    /// Deals the units into groups at random, those of each [`Presence`] evenly (±1). Which group the references of other images
    /// fall into does not depend on the candidates, so systems share it.
    pub fn deal(&self, groups: usize, seed: u64) -> Vec<usize> {
        let mut of = vec![0; self.count];
        for (stream, presence) in Presence::ALL.into_iter().enumerate() {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream as u64);
            let mut units: Vec<usize> = self.with(presence).collect();
            units.shuffle(&mut rng);
            units.iter().enumerate().for_each(|(place, &unit)| of[unit] = place % groups);
        }
        of
    }

    /// What each unit contributes to a statistic, given each row's part: centred among the units of its [`Presence`], and scaled so
    /// that the sum of squares is an unbiased variance.
    pub fn contributions(&self, candidates: &[f64], references: &[f64]) -> Vec<f64> {
        let sum = |unit: usize| -> f64 {
            let of = |side: usize, parts: &[f64]| -> f64 {
                self.rows(side, unit).iter().map(|&row| parts[row]).sum()
            };
            of(0, candidates) + of(1, references)
        };
        self.centred((0..self.count).map(sum).collect())
    }

    /// [`Units::contributions`] from one part for each unit.
    pub fn centred(&self, mut parts: Vec<f64>) -> Vec<f64> {
        for presence in Presence::ALL {
            let units: Vec<usize> = self.with(presence).collect();
            let n = units.len() as f64;
            if units.len() < 2 {
                continue;
            }
            let mean = units.iter().map(|&unit| parts[unit]).sum::<f64>() / n;
            let scale = (n / (n - 1.0)).sqrt();
            units.iter().for_each(|&unit| parts[unit] = scale * (parts[unit] - mean));
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_make_units_on_both_sides() {
        let units = Units::of_labels(&["b", "a", "b"], &["c", "b"]);
        assert_eq!((units.count(), units.on(0), units.on(1)), (3, 2, 2));
        assert_eq!((units.of(0), units.of(1)), (&[1, 0, 1][..], &[2, 1][..]));
        assert_eq!((units.rows(0, 1), units.rows(1, 1)), (&[0, 2][..], &[1][..]));
        let presence: Vec<Presence> = (0..3).map(|unit| units.presence(unit)).collect();
        assert_eq!(presence, [Presence::Candidates, Presence::Both, Presence::References]);
        assert!(!units.are_single() && Units::independent(3, 4).are_single());
        assert_eq!(units.largest_share(), 2.0 / 3.0);
    }

    #[test]
    fn groups_are_even_and_those_of_references_are_shared() {
        let (few, many) = (Units::independent(50, 30), Units::independent(70, 30));
        let (of_few, of_many) = (few.deal(7, 3), many.deal(7, 3));
        assert_eq!(of_few[50..], of_many[70..]);
        for (group, size) in [(0, 8), (1, 7), (6, 7)] {
            assert_eq!(of_few[..50].iter().filter(|&&g| g == group).count(), size);
        }
        assert_ne!(of_few, few.deal(7, 4));
    }

    #[test]
    fn contributions_square_to_the_variance_of_a_mean() {
        let values = [1.0, 2.0, 4.0, 9.0];
        let units = Units::independent(4, 1);
        let parts = units.contributions(&values.map(|v| v / 4.0), &[0.0]);
        let variance = values.map(|v: f64| (v - 4.0).powi(2)).iter().sum::<f64>() / 3.0 / 4.0;
        assert!((parts.iter().map(|p| p * p).sum::<f64>() - variance).abs() < 1e-12);
    }
}
