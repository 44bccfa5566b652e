//! What two units make of the set distance together, beyond what each makes alone.
//!
//! To second order the corrected distance is Σᵢ aᵢ + Σᵢ﹤ⱼ gᵢⱼ with gᵢⱼ = ⟨Eᵢ, Eⱼ⟩ + 2 eᵢ·eⱼ (see [`expansion`](super::expansion)),
//! a U-statistic whose variance is A + G: the sums of the aᵢ² and of the gᵢⱼ² (Hoeffding 1948, "A class of statistics with
//! asymptotically normal distribution"). The influence of a unit *at the sample* is aᵢ + Σⱼ gᵢⱼ, so that the squares of
//! influences sum up to A + 2G: each interaction is counted for both of its units, which is the well-known excess of the jackknife
//! variance (Efron & Stein 1981, "The jackknife estimate of variance"). Near equality, where the aᵢ vanish, that is an interval too
//! wide by √2. So G is measured, on pairs of units drawn at random, and taken off.
//!
//! The coordinates whiten the very sample that the pairs are of, which makes products of its rows smaller: of a projection onto r
//! of N directions Σⱼ pᵢⱼ² = pᵢᵢ, so that (zᵢ·zⱼ)² is on the average 1 − r/N of what it is for other rows. By that the squares are
//! divided.

use rand::distr::weighted::WeightedIndex;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::expansion::Expansion;
use crate::units::Units;

/// As many pairs as this are all taken.
const ALL: usize = 1 << 15;
/// Units drawn where there are more, in proportion to what they weigh, and with how many of those drawn next each is paired.
const DRAWN: usize = 512;
const NEXT: usize = 4;
/// Pairs worked on at once.
const CHUNK: usize = 256;

/// Two different units, and 1/√(expected number of times that the pair is drawn).
type Pair = ([usize; 2], f64);

/// gᵢⱼ of pairs of units, scaled so that their squares sum up to G on the average; there are more units a side than directions.
/// Which pairs they are depends on the units alone, so systems on the same units have the same.
pub(super) fn interactions(expansion: &Expansion) -> Vec<f64> {
    let units = expansion.units;
    let count = units.count();
    of_pairs(expansion, &if count * (count - 1) / 2 <= ALL { all(count) } else { drawn(units) })
}

fn of_pairs(expansion: &Expansion, pairs: &[Pair]) -> Vec<f64> {
    let units = expansion.units;
    let fewest = units.on(0).min(units.on(1)) as f64;
    let whitened = (1.0 - expansion.rank() as f64 / fewest).sqrt();
    let mut members: Vec<usize> = pairs.iter().flat_map(|(pair, _)| *pair).collect();
    members.sort_unstable();
    members.dedup();
    let rows = expansion.rows_of(&members);
    let moves = expansion.moves(&members, &rows);
    let of = |unit: usize| &moves[members.partition_point(|&known| known < unit)];
    let together = |pairs: &[Pair]| -> Vec<f64> {
        let mut products = expansion.products(pairs.len());
        for (at, &([i, j], _)) in pairs.iter().enumerate() {
            products.add_product(at, of(i), of(j));
        }
        let found = products.finish().into_iter().zip(pairs);
        found
            .map(|(product, &([i, j], scale))| {
                let both = product + 2.0 * of(i).of_means.dot(&of(j).of_means);
                scale * both / whitened
            })
            .collect()
    };
    pairs.par_chunks(CHUNK).flat_map_iter(together).collect()
}

fn all(count: usize) -> Vec<Pair> {
    (0..count).flat_map(|j| (0..j).map(move |i| ([i, j], 1.0))).collect()
}

fn drawn(units: &Units) -> Vec<Pair> {
    let share = |unit: usize| -> f64 {
        let of = |side: usize| units.rows(side, unit).len() as f64 / units.of(side).len() as f64;
        0.5 * (of(0) + of(1))
    };
    let shares: Vec<f64> = (0..units.count()).map(share).collect();
    let by_share = WeightedIndex::new(&shares).expect("every unit has rows");
    let rng = ChaCha8Rng::seed_from_u64(0);
    let drawn: Vec<usize> = rng.sample_iter(by_share).take(DRAWN).collect();
    // Each unordered pair is drawn in two orders.
    let scale =
        |i: usize, j: usize| ((2 * DRAWN * NEXT) as f64 * shares[i] * shares[j]).sqrt().recip();
    let pairs = (0..DRAWN).flat_map(|at| (1..=NEXT).map(move |lag| [at, (at + lag) % DRAWN]));
    let pairs = pairs.map(|pair| pair.map(|at| drawn[at])).filter(|[i, j]| i != j);
    pairs.map(|[i, j]| ([i, j], scale(i, j))).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::transport::Transport;

    #[test]
    fn pairs_that_are_drawn_speak_for_all() {
        let rows = |n: usize, seed: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            Array2::from_shape_simple_fn((n, 6), || rng.random::<f32>() + rng.random::<f32>())
        };
        let (x, y) = (rows(100, 1), rows(400, 2));
        // References of images of their own, and of those of the candidates.
        for first in [100, 0] {
            let images: Vec<usize> = (0..400).map(|j| first + j % 150).collect();
            let units = Units::of_labels(&(0..100).collect::<Vec<_>>(), &images);
            let transport = Transport::between(x.view(), y.view()).unwrap();
            let expansion = Expansion::of(&transport, [x.view(), y.view()], &units).unwrap();
            let sum = |pairs: &[Pair]| -> f64 {
                of_pairs(&expansion, pairs).iter().map(|both| both * both).sum()
            };
            let ratio = sum(&drawn(&units)) / sum(&all(units.count()));
            assert!((ratio - 1.0).abs() < 0.15, "{first}: {ratio}");
        }
    }
}
