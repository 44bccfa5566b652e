//! Percentiles of latencies with bounds at 99% confidence by order statistics: no shape of the distribution is assumed.
//!
//! Of n independent samples K ~ Bin(n, q) lie at or below the q-quantile ξ, so the l-th smallest is at most ξ exactly when
//! K ≥ l, and the u-th smallest at least ξ when K < u (David & Nagaraja, *Order Statistics*, 3rd ed., section 7.1). MLPerf
//! LoadGen decides with the same binomial whether a percentile is shown.
//!
//! Latencies in a row are not independent: queues, drift and neighbours on the machine make them alike. The run is
//! therefore cut into [`BLOCKS`] blocks; how much more the share of samples at or below the percentile varies between
//! blocks than it would by chance is the design effect (Kish 1965), and bounds are those of n over design effect samples.

use fgd_metrics::student;
use fgd_record::{Measure, Percentile, QueryLatency};
use hdrhistogram::Histogram;

use super::rates::BLOCKS;

/// The percentiles of a report.
pub const REPORTED: [f64; 4] = [50.0, 90.0, 99.0, 99.9];

/// What is left open on each side of a 99% interval.
const TAIL: f64 = 0.005;

/// The 99.5% quantile of the normal distribution.
const Z: f64 = 2.5758;

/// Blocks need this many samples each before their differences say something.
const SMALLEST_BLOCK: usize = 8;

/// Ranks, from 1, of the samples between which the q-quantile lies with at least 99% confidence; `None` on a side where
/// even the outermost sample is not sure enough.
pub fn ranks(n: usize, q: f64) -> (Option<usize>, Option<usize>) {
    // Far below the mean the binomial has no weight that counts here.
    let mean = n as f64 * q;
    let reach = 12.0 * (mean * (1.0 - q)).sqrt() + 40.0;
    let from = (mean - reach).max(0.0) as usize;
    let to = ((mean + reach) as usize).min(n);
    // P(K < l) ≤ TAIL: the largest such l; P(K ≥ u) ≤ TAIL: the smallest such u.
    let (mut low, mut high) = (None, None);
    let mut below = 0.0;
    for k in from..=to {
        if below <= TAIL && k >= 1 {
            low = Some(k);
        }
        if 1.0 - below <= TAIL && k >= 1 && high.is_none() {
            high = Some(k);
        }
        below += binomial(n, k, q);
    }
    (low, high.filter(|rank| *rank <= n))
}

/// P(K = k) for K ~ Bin(n, q), 0 < q < 1.
fn binomial(n: usize, k: usize, q: f64) -> f64 {
    let ways = ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    (ways + k as f64 * q.ln() + (n - k) as f64 * (1.0 - q).ln()).exp()
}

/// ln n!, from 16 on by Stirling's series (error below 1e-12).
fn ln_factorial(n: usize) -> f64 {
    if n < 16 {
        return (2..=n).map(|i| (i as f64).ln()).sum();
    }
    let n = n as f64;
    let series = 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3)) + 1.0 / (1260.0 * n.powi(5));
    n * n.ln() - n + 0.5 * (2.0 * std::f64::consts::PI * n).ln() + series
}

/// How many samples must be independent for the q-quantile to get an upper bound.
pub fn needed_for_upper_bound(q: f64) -> usize {
    (TAIL.ln() / q.ln()).ceil() as usize
}

/// How many times as many samples as independent ones it takes to know the q-quantile as well; at least 1. `samples` are
/// in the order in which they were taken, `value` is their q-quantile.
fn design_effect(samples: &[f64], value: f64, q: f64) -> f64 {
    let length = samples.len() / BLOCKS;
    if length < SMALLEST_BLOCK {
        return 1.0;
    }
    let shares: Vec<f64> = samples
        .chunks_exact(length)
        .take(BLOCKS)
        .map(|block| block.iter().filter(|s| **s <= value).count() as f64 / length as f64)
        .collect();
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    let variance =
        shares.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (shares.len() - 1) as f64;
    let by_chance = q * (1.0 - q) / length as f64;
    // The variance is estimated from few blocks, hence Student's t in place of the normal.
    (variance / by_chance * (student::critical(0.01, BLOCKS - 1) / Z).powi(2)).max(1.0)
}

/// The q-quantile of samples in the order in which they were taken, with bounds; also the design effect.
pub fn quantile(samples: &[f64], sorted: &[f64], q: f64) -> (Measure, f64) {
    let n = sorted.len();
    if n == 0 {
        return (Measure::missing("no query was answered"), 1.0);
    }
    let beyond = (1.0 / (1.0 - q)).round() as usize;
    if n < beyond {
        let reason = format!("{n} queries are too few: one in {beyond} is beyond it");
        return (Measure::missing(reason), 1.0);
    }
    let rank = ((n as f64 * q).ceil() as usize).clamp(1, n);
    let value = sorted[rank - 1];
    let effect = design_effect(samples, value, q);
    let independent = (n as f64 / effect).floor().max(1.0) as usize;
    let stretch = n as f64 / independent as f64;
    let (low, high) = ranks(independent, q);
    let low = low.map(|rank| sorted[((rank as f64 - 1.0) * stretch) as usize]);
    let high = high.map(|rank| sorted[((rank as f64 * stretch).ceil() as usize).min(n) - 1]);
    let reason = high.is_none().then(|| {
        let needed = needed_for_upper_bound(q);
        format!("no upper bound from what {independent} independent queries would say: {needed} give one")
    });
    let bounded = Measure {
        low: low.map(|low| low.min(value)),
        high: high.map(|high| high.max(value)),
        reason,
        ..Measure::exact(value)
    };
    (bounded, effect)
}

/// All that a report says of latencies in seconds, in the order in which they were taken; `None` where there are none.
pub fn latency(samples: &[f64]) -> Option<QueryLatency> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let mut design = 1.0;
    let percentiles = REPORTED
        .iter()
        .map(|percentile| {
            let (seconds, effect) = quantile(samples, &sorted, percentile / 100.0);
            design = f64::max(design, effect);
            Percentile { percentile: *percentile, seconds }
        })
        .collect();
    Some(QueryLatency {
        min,
        mean: samples.iter().sum::<f64>() / samples.len() as f64,
        max,
        percentiles,
        design_effect: design,
        curve: curve(samples),
    })
}

/// The latency curve: shares that come ever closer to 1, each with the seconds within which so many were answered. From a
/// histogram of three significant digits, so its size does not grow with the run.
fn curve(samples: &[f64]) -> Vec<(f64, f64)> {
    let nanoseconds = |seconds: f64| ((seconds * 1e9).round() as u64).max(1);
    let Ok(mut histogram) = Histogram::<u64>::new(3) else {
        return Vec::new();
    };
    for seconds in samples {
        // The histogram grows as it must; only a time of centuries has no place in it.
        if histogram.record(nanoseconds(*seconds)).is_err() {
            return Vec::new();
        }
    }
    let mut points: Vec<(f64, f64)> = Vec::new();
    // Four points for each halving of the share that is not answered yet.
    for step in histogram.iter_quantiles(4) {
        let point = (step.quantile(), step.value_iterated_to() as f64 / 1e9);
        if points.last().is_none_or(|last| last.0 < point.0) {
            points.push(point);
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn ranks_are_those_of_the_tables() {
        // n = 100, q = 0.5: P(K < 37) = 0.0033, P(K < 38) = 0.0060; symmetric above.
        assert_eq!(ranks(100, 0.5), (Some(37), Some(64)));
        // 0.5^7 = 0.0078 is too much, 0.5^8 = 0.0039 is not.
        assert_eq!(ranks(7, 0.5), (None, None));
        assert_eq!(ranks(8, 0.5), (Some(1), Some(8)));
        let needed = needed_for_upper_bound(0.99);
        assert_eq!(needed, 528);
        assert_eq!(ranks(needed - 1, 0.99).1, None);
        assert_eq!(ranks(needed, 0.99).1, Some(needed));
    }

    #[test]
    fn ranks_are_found_for_millions_of_samples() {
        let (low, high) = ranks(10_000_000, 0.99);
        let half_width = Z * (1e7f64 * 0.99 * 0.01).sqrt();
        assert!((low.unwrap() as f64 - (9.9e6 - half_width)).abs() < 3.0, "{low:?}");
        assert!((high.unwrap() as f64 - (9.9e6 + half_width)).abs() < 3.0, "{high:?}");
    }

    /// Share of draws whose interval covers the true quantile, over simulated runs of `n` samples.
    fn coverage(
        runs: usize,
        q: f64,
        truth: f64,
        mut draw: impl FnMut() -> Vec<f64>,
        effect: bool,
    ) -> f64 {
        let covered = (0..runs)
            .filter(|_| {
                let samples = draw();
                let mut sorted = samples.clone();
                sorted.sort_by(f64::total_cmp);
                let (low, high) = if effect {
                    let (bounded, _) = quantile(&samples, &sorted, q);
                    (bounded.low, bounded.high)
                } else {
                    let (low, high) = ranks(sorted.len(), q);
                    (low.map(|l| sorted[l - 1]), high.map(|h| sorted[h - 1]))
                };
                low.is_none_or(|low| low <= truth) && high.is_none_or(|high| truth <= high)
            })
            .count();
        covered as f64 / runs as f64
    }

    #[test]
    fn ninety_nine_of_a_hundred_draws_are_covered() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for (n, q) in [(200, 0.5), (1000, 0.9), (2000, 0.99)] {
            // Exponential latencies: the quantile is known.
            let truth = -(1.0f64 - q).ln();
            let draw = || (0..n).map(|_| -(1.0 - random.random::<f64>()).ln()).collect();
            let share = coverage(10_000, q, truth, draw, false);
            // The binomial is discrete, so the bound is a little better than 99%; three standard errors of a share are 0.003.
            assert!((0.987..=0.9985).contains(&share), "n = {n}, q = {q}: {share}");
        }
    }

    #[test]
    fn queries_that_are_alike_get_wider_bounds() {
        // A first-order autoregression: neighbours correlate at 0.9, the marginal distribution is standard normal.
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let mut normal =
            move || -> f64 { (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0 };
        let mut draw = || {
            let mut x = normal();
            (0..2000)
                .map(|_| {
                    x = 0.9 * x + (1.0f64 - 0.81).sqrt() * normal();
                    x
                })
                .collect::<Vec<f64>>()
        };
        let naive = coverage(2000, 0.5, 0.0, &mut draw, false);
        let adapted = coverage(2000, 0.5, 0.0, &mut draw, true);
        assert!(naive < 0.7, "{naive}");
        assert!(adapted > 0.97, "{adapted}");
    }

    #[test]
    fn the_median_of_a_hundred_lies_where_it_should() {
        let samples: Vec<f64> = (1..=100).map(|i| f64::from(i) / 1000.0).collect();
        let (bounded, _) = quantile(&samples, &samples, 0.5);
        assert_eq!(bounded.value, Some(0.050));
        let (bounded, _) = quantile(&samples[..50], &samples[..50], 0.99);
        assert!(bounded.value.is_none() && bounded.reason.is_some());
    }

    #[test]
    fn the_curve_climbs_to_the_slowest_query() {
        let samples: Vec<f64> = (1..=5000).map(|i| f64::from(i) * 1e-5).collect();
        let latency = latency(&samples).unwrap();
        assert!(latency.curve.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 <= w[1].1));
        let (share, seconds) = *latency.curve.last().unwrap();
        assert!(share > 0.9999 && (seconds / 0.05 - 1.0).abs() < 2e-3, "{share} {seconds}");
        assert!(latency.curve.len() < 100);
        assert!(super::latency(&[]).is_none());
    }
}
