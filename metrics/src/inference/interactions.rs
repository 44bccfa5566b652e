//! What two units make of the set distance together, beyond what each makes alone.
//!
//! To second order the corrected distance is Σᵢ aᵢ + Σᵢ﹤ⱼ gᵢⱼ with gᵢⱼ = ⟨Eᵢ, Eⱼ⟩ + 2 eᵢ·eⱼ (see [`expansion`](super::expansion)),
//! a U-statistic whose variance is A + G: the sums of the aᵢ² and of the gᵢⱼ² (Hoeffding 1948, "A class of statistics with
//! asymptotically normal distribution"). The influence of a unit *at the sample* is aᵢ + Σⱼ gᵢⱼ, so that the squares of
//! influences sum up to A + 2G: each interaction is counted for both of its units, which is the well-known excess of the jackknife
//! variance (Efron & Stein 1981, "The jackknife estimate of variance"). Near equality, where the aᵢ vanish, that is an interval too
//! wide by √2. So G is measured on pairs of units, and taken off.
//!
//! The coordinates whiten the very sample that the pairs are of, which makes products of its rows smaller: of a projection onto r
//! of N directions Σⱼ pᵢⱼ² = pᵢᵢ, so that (zᵢ·zⱼ)² is on the average 1 − r/N of what it is for other rows. By that the squares are
//! divided.

use rayon::prelude::*;

use super::expansion::Expansion;
use crate::unit_pairs::{Pair, unit_pairs};

/// Pairs worked on at once.
const CHUNK: usize = 256;

/// gᵢⱼ of pairs of units, scaled so that their squares sum up to G on the average; there are more units a side than directions.
/// Which pairs they are depends on the units alone, so systems on the same units have the same.
pub(super) fn interactions(expansion: &Expansion) -> Vec<f64> {
    of_pairs(expansion, &unit_pairs(expansion.units))
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

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::transport::Transport;
    use crate::unit_pairs::{all, drawn};
    use crate::units::Units;

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
