//! E-divisive (Matteson & James 2014), as continuous-integration systems run it: over the whole series, every night.
//!
//! The split maximises mn/(m+n) · (2 E|X−Y| − E|X−X′| − E|Y−Y′|); a permutation test of the part decides whether it
//! counts, and the two parts are searched in turn.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::simulate::Series;

const PERMUTATIONS: usize = 99;
/// A split counts if no permutation does better: p = 1/(99 + 1).
const SHORTEST: usize = 3;
/// A change point this near to one that was already reported is the same one.
const SAME: usize = 5;

/// The nights on which a new change to a worse level is reported, plus all that follow while it lasts.
pub fn alarms(series: &Series, seed: u64) -> Vec<bool> {
    let values: Vec<f64> = series.nights.iter().map(|[first, _]| *first).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (1..=values.len())
        .map(|night| {
            let changes = change_points(&values[..night], &mut rng);
            let Some(&last) = changes.last() else {
                return false;
            };
            let start = changes.iter().rev().nth(1).copied().unwrap_or(0);
            mean(&values[last..night]) > mean(&values[start..last]) && night - last <= 2 * SAME
        })
        .collect()
}

fn change_points(values: &[f64], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut found = Vec::new();
    let mut open = vec![(0, values.len())];
    while let Some((start, end)) = open.pop() {
        let Some((at, best)) = split(&values[start..end]) else {
            continue;
        };
        let mut shuffled = values[start..end].to_vec();
        let beaten = (0..PERMUTATIONS).any(|_| {
            shuffled.shuffle(rng);
            split(&shuffled).is_some_and(|(_, statistic)| statistic >= best)
        });
        if !beaten {
            let border = start + at;
            found.push(border);
            open.extend([(start, border), (border, end)]);
        }
    }
    found.sort_unstable();
    found
}

/// The best split and its statistic, in O(n²): moving one value across the border changes three sums.
fn split(values: &[f64]) -> Option<(usize, f64)> {
    let n = values.len();
    if n < 2 * SHORTEST {
        return None;
    }
    let distance_to = |value: f64, of: &[f64]| of.iter().map(|v| (v - value).abs()).sum::<f64>();
    let (mut within, mut across) = (0.0, 0.0);
    let mut beyond: f64 = (0..n).map(|i| distance_to(values[i], &values[i + 1..])).sum();
    let mut best: Option<(usize, f64)> = None;
    for (index, value) in values.iter().enumerate().take(n - SHORTEST) {
        let to_first = distance_to(*value, &values[..index]);
        let to_rest = distance_to(*value, &values[index + 1..]);
        within += to_first;
        across += to_rest - to_first;
        beyond -= to_rest;
        let (m, k) = ((index + 1) as f64, (n - index - 1) as f64);
        if index + 1 < SHORTEST {
            continue;
        }
        let pairs = |count: f64| count * (count - 1.0) / 2.0;
        let energy = 2.0 * across / (m * k) - within / pairs(m) - beyond / pairs(k);
        let statistic = m * k / (m + k) * energy;
        if best.is_none_or(|(_, known)| statistic > known) {
            best = Some((index + 1, statistic));
        }
    }
    best
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
