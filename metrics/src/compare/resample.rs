//! Drawing images: with replacement for the bootstrap, signs for the randomisation test.

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Resampling, normal};
use crate::estimate::Estimate;

/// Up to this many images that differ, all exchanges are enumerated instead of drawn.
const ENUMERATED: usize = 16;
/// Of fewer images that differ, no outcome of an exchange is as rare as one in twenty.
pub(super) const FEWEST_EXCHANGES: usize = 6;
/// Exchanges that draw their signs from one stream, so that few streams are begun.
const EXCHANGES_OF_A_STREAM: usize = 64;
/// Sums that differ by less than this share of the sum of magnitudes are the same sum in another order.
const ROUNDING: f64 = 1e-12;

/// What exchanges of two systems, image by image, say of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exchange {
    /// Two-sided p-value of the hypothesis that the systems are interchangeable; in `(0, 1]`.
    pub p_value: f64,
    /// Images, or clusters of them, on which the systems differ: an exchange of others changes nothing.
    pub differing: usize,
    /// How many exchanges were drawn at random; `None` where all were made.
    pub drawn: Option<usize>,
}

impl Exchange {
    /// Whether any outcome could have been rare enough to tell the systems apart.
    pub fn can_tell(&self) -> bool {
        self.differing >= FEWEST_EXCHANGES
    }
}

/// Which use of the seed a stream belongs to: no two share random numbers.
#[derive(Clone, Copy)]
enum Use {
    Bootstrap = 0,
    Exchange = 1,
}

fn stream(seed: u64, purpose: Use, replicate: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((replicate as u64) << 1 | purpose as u64);
    rng
}

/// How often each of `images` images is drawn in a bootstrap replicate; the counts sum to `images`.
pub(super) fn draw_counts(images: usize, seed: u64, replicate: usize) -> Vec<u32> {
    let mut rng = stream(seed, Use::Bootstrap, replicate);
    let mut counts = vec![0; images];
    for _ in 0..images {
        counts[rng.random_range(0..images)] += 1;
    }
    counts
}

/// Probability, under exchanges of the two systems image by image, of a sum of `differences` at least as far from
/// 0 as the observed one: the [`exchange`] of a mean.
pub(super) fn sign_flips(differences: &[f64], resampling: &Resampling) -> Exchange {
    let magnitude = differences.iter().map(|d| d.abs()).sum();
    exchange(&[differences], magnitude, |sums| sums[0], resampling)
}

/// Probability, under exchanges of the two systems image by image, of a difference of the systems at least as far from 0 as the
/// observed one (approximate randomisation: Riezler & Maxwell 2005, W05-0908; as sacrebleu's `PairedTest` does it).
///
/// `columns[k][i]` is how the systems differ in statistic `k` of image `i`. The exchange of image `i` flips the signs of its
/// differences, and `difference` says how the systems differ given the sums of the columns; differences that are equal to rounding
/// at the given `magnitude` are ties. Exact where at most 16 images differ; otherwise (r + 1)/(R + 1) for r of R random exchanges,
/// which is a valid p-value for any R.
pub(super) fn exchange(
    columns: &[&[f64]],
    magnitude: f64,
    difference: impl Fn(&[f64]) -> f64 + Sync,
    resampling: &Resampling,
) -> Exchange {
    let differing: Vec<usize> = (0..columns[0].len())
        .filter(|&image| columns.iter().any(|column| column[image] != 0.0))
        .collect();
    let columns: Vec<SignedSums> = (columns.iter())
        .map(|column| SignedSums::of(differing.iter().map(|&image| column[image])))
        .collect();
    let words = differing.len().div_ceil(64);
    let apart = |signs: &[u64]| {
        let sums: Vec<f64> = columns.iter().map(|column| column.of_signs(signs)).collect();
        difference(&sums).abs()
    };
    let observed = apart(&vec![0; words]) - ROUNDING * magnitude;
    let is_extreme = |signs: &[u64]| apart(signs) >= observed;
    if differing.len() <= ENUMERATED {
        let exchanges = 1u64 << differing.len();
        let extreme = (0..exchanges).filter(|&signs| is_extreme(&[signs])).count();
        let p_value = extreme as f64 / exchanges as f64;
        return Exchange { p_value, differing: differing.len(), drawn: None };
    }
    let drawn = resampling.randomisations;
    let extreme: usize = (0..drawn.div_ceil(EXCHANGES_OF_A_STREAM))
        .into_par_iter()
        .map(|block| {
            let mut rng = stream(resampling.seed, Use::Exchange, block);
            let mut signs = vec![0; words];
            let first = block * EXCHANGES_OF_A_STREAM;
            (first..drawn.min(first + EXCHANGES_OF_A_STREAM))
                .filter(|_| {
                    signs.fill_with(|| rng.next_u64());
                    is_extreme(&signs)
                })
                .count()
        })
        .sum();
    let p_value = (extreme + 1) as f64 / (drawn + 1) as f64;
    Exchange { p_value, differing: differing.len(), drawn: Some(drawn) }
}

/// Sums of the same terms with one sign or the other: the sixteen sums of every four terms are made once, and looked up for every draw
/// of signs after.
struct SignedSums {
    fours: Vec<[f64; 16]>,
}

impl SignedSums {
    fn of(terms: impl Iterator<Item = f64>) -> Self {
        let terms: Vec<f64> = terms.collect();
        let sums = |terms: &[f64]| {
            let mut sums = [0.0; 16];
            for place in 0..4 {
                let term = terms.get(place).copied().unwrap_or(0.0);
                for signs in 0..1 << place {
                    sums[signs | 1 << place] = sums[signs] - term;
                    sums[signs] += term;
                }
            }
            sums
        };
        Self { fours: terms.chunks(4).map(sums).collect() }
    }

    /// The sum where term `i` is negative if bit `i` is set, 64 to a word.
    fn of_signs(&self, signs: &[u64]) -> f64 {
        let sum = |(fours, word): (&[[f64; 16]], &u64)| -> f64 {
            fours.iter().enumerate().map(|(i, sums)| sums[(word >> (4 * i) & 15) as usize]).sum()
        };
        self.fours.chunks(16).zip(signs).map(sum).sum()
    }
}

/// The interval of a statistic without bias from its replicates: bias-corrected and accelerated
/// (Efron 1987, *Better bootstrap confidence intervals*), the acceleration from the influence of each image.
pub(super) fn bca(value: f64, mut replicates: Vec<f64>, influence: &[f64]) -> Estimate {
    let se = standard_deviation(&replicates);
    replicates.sort_unstable_by(f64::total_cmp);
    let below = replicates.partition_point(|&r| r < value);
    let not_above = replicates.partition_point(|&r| r <= value);
    // Half of the ties, and never an infinite correction.
    let share = (below + not_above) as f64 / (2.0 * replicates.len() as f64);
    let edge = 0.5 / replicates.len() as f64;
    let correction = normal::quantile(share.clamp(edge, 1.0 - edge));
    let (squares, cubes) = (influence.iter())
        .fold((0.0, 0.0), |(squares, cubes), v| (squares + v * v, cubes + v.powi(3)));
    let acceleration = if squares > 0.0 { cubes / (6.0 * squares.powf(1.5)) } else { 0.0 };
    let bound = |p: f64| {
        let z = correction + normal::quantile(p);
        // Where one image decides, the acceleration could turn a far bound round.
        quantile(&replicates, normal::cdf(correction + z / (1.0 - acceleration * z).max(0.0)))
    };
    Estimate { value, se, ci95: [bound(0.025), bound(0.975)] }
}

/// Standard deviation, ddof 1.
pub(crate) fn standard_deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// Quantile of sorted values, of which there is at least one, interpolated as numpy does.
pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    let place = p * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}
