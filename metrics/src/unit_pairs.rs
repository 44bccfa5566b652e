//! Pairs of units, all of them or some that speak for all: what two units make of a statistic together is measured on these.
//!
//! The squares of first-order contributions hold what each pair of units adds to the variance twice, once for either (Efron & Stein
//! 1981, "The jackknife estimate of variance"); near equality that is all that they hold.

use std::collections::BTreeMap;

use rand::distr::weighted::WeightedIndex;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::units::Units;

/// As many pairs as this are all taken.
const ALL: usize = 1 << 15;
/// Units drawn where there are more, in proportion to what they weigh, and with how many of those drawn next each is paired.
const DRAWN: usize = 512;
const NEXT: usize = 4;
/// Two different units, and the root of how often the pair was drawn over how often that is to be expected.
pub(crate) type Pair = ([usize; 2], f64);

/// All pairs where there are few units, else some. They depend on the units alone, so systems on the same units have the same.
pub(crate) fn unit_pairs(units: &Units) -> Vec<Pair> {
    let count = units.count();
    if count * count.saturating_sub(1) / 2 <= ALL { all(count) } else { drawn(units) }
}

pub(crate) fn all(count: usize) -> Vec<Pair> {
    (0..count).flat_map(|j| (0..j).map(move |i| ([i, j], 1.0))).collect()
}

pub(crate) fn drawn(units: &Units) -> Vec<Pair> {
    let share = |unit: usize| -> f64 {
        let of = |side: usize| units.rows(side, unit).len() as f64 / units.of(side).len() as f64;
        0.5 * (of(0) + of(1))
    };
    let shares: Vec<f64> = (0..units.count()).map(share).collect();
    let by_share = WeightedIndex::new(&shares).expect("every unit has rows");
    let rng = ChaCha8Rng::seed_from_u64(0);
    let drawn: Vec<usize> = rng.sample_iter(by_share).take(DRAWN).collect();
    // How often each was drawn, in either order: large units are, and are worked on once.
    let mut times: BTreeMap<[usize; 2], usize> = BTreeMap::new();
    for (at, lag) in (0..DRAWN).flat_map(|at| (1..=NEXT).map(move |lag| (at, lag))) {
        let (i, j) = (drawn[at], drawn[(at + lag) % DRAWN]);
        if i != j {
            *times.entry([i.min(j), i.max(j)]).or_default() += 1;
        }
    }
    let expected = |[i, j]: [usize; 2]| (2 * DRAWN * NEXT) as f64 * shares[i] * shares[j];
    let scaled =
        |(pair, times): ([usize; 2], usize)| (pair, (times as f64 / expected(pair)).sqrt());
    times.into_iter().map(scaled).collect()
}
