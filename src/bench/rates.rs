//! Work per second with its 99% interval.
//!
//! Batch means: the run is cut into blocks of queries in a row; the rates of the blocks vary as the machine does over the
//! run, and Student's t turns their spread into an interval (Law, *Simulation Modeling and Analysis*, 5th ed., section 9.5).

use fgd_metrics::student;
use fgd_record::Measure;

use super::samples::Sample;

/// Blocks that a run is cut into: enough for a variance, few enough that neighbours in time fall into the same.
pub const BLOCKS: usize = 16;

/// `amount` of all answered queries per second of the whole run, the queries one after the other.
pub fn per_second(samples: &[Sample], amount: impl Fn(&Sample) -> u64) -> Measure {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return Measure::missing("no query was answered");
    };
    let answered = |samples: &[Sample]| -> f64 {
        let counted = samples.iter().filter(|sample| !sample.failed);
        counted.map(|sample| amount(sample) as f64).sum()
    };
    let seconds = last.end - first.start;
    if seconds <= 0.0 {
        return Measure::missing("the run took no time that the clock can tell");
    }
    let value = answered(samples) / seconds;
    let blocks = samples.len().min(BLOCKS);
    if blocks < 3 {
        return Measure {
            reason: Some("no interval from fewer than 3 queries".into()),
            ..Measure::exact(value)
        };
    }
    let cut = |block: usize| block * samples.len() / blocks;
    let rates: Vec<f64> = (0..blocks)
        .map(|block| {
            let part = &samples[cut(block)..cut(block + 1)];
            // A block lasts until the next one begins, so that what lies between queries counts.
            let end = samples.get(cut(block + 1)).map_or(last.end, |next| next.start);
            answered(part) / (end - part[0].start).max(1e-9)
        })
        .collect();
    let mean = rates.iter().sum::<f64>() / blocks as f64;
    let variance =
        rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / (blocks - 1) as f64;
    let half = student::critical(0.01, blocks - 1) * (variance / blocks as f64).sqrt();
    Measure {
        low: Some((value - half).max(0.0)),
        high: Some(value + half),
        ..Measure::exact(value)
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn run(durations: &[f64]) -> Vec<Sample> {
        let mut at = 0.0;
        durations
            .iter()
            .map(|seconds| {
                let start = at;
                at += seconds;
                Sample { due: start, start, end: at, items: 2, tokens: 20, failed: false }
            })
            .collect()
    }

    #[test]
    fn a_steady_run_has_its_rate_and_no_spread() {
        let samples = run(&[0.5; 100]);
        let rate = per_second(&samples, |s| s.items);
        assert_eq!(rate.value, Some(4.0));
        assert!((rate.high.unwrap() - rate.low.unwrap()).abs() < 1e-9);
        assert_eq!(per_second(&samples, |s| s.tokens).value, Some(40.0));
    }

    #[test]
    fn three_passes_give_the_interval_of_students_t() {
        // Rates 1, 2 and 3 per second: standard deviation 1, t = 9.925 with two degrees of freedom.
        let samples = run(&[2.0, 1.0, 2.0 / 3.0]);
        let rate = per_second(&samples, |s| s.items);
        let half = 9.924_843_2 / 3f64.sqrt();
        assert!((rate.high.unwrap() - rate.value.unwrap() - half).abs() < 1e-6);
        assert!(per_second(&run(&[1.0, 1.0]), |s| s.items).low.is_none());
        assert!(per_second(&[], |s| s.items).value.is_none());
    }

    #[test]
    fn ninety_nine_of_a_hundred_runs_cover_the_true_rate() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let runs = 4000;
        let covered = (0..runs)
            .filter(|_| {
                let durations: Vec<f64> = (0..400).map(|_| 0.5 + random.random::<f64>()).collect();
                let rate = per_second(&run(&durations), |s| s.items);
                rate.low.unwrap() <= 2.0 && 2.0 <= rate.high.unwrap()
            })
            .count();
        let share = covered as f64 / f64::from(runs);
        assert!((0.983..=0.997).contains(&share), "{share}");
    }

    #[test]
    fn a_drifting_machine_makes_the_interval_wide() {
        let steady = per_second(&run(&[0.01; 1600]), |s| s.items);
        let drifting: Vec<f64> = (0..1600).map(|i| 0.01 + 0.00001 * f64::from(i)).collect();
        let drifting = per_second(&run(&drifting), |s| s.items);
        let width = |b: &Measure| (b.high.unwrap() - b.low.unwrap()) / b.value.unwrap();
        assert!(width(&drifting) > 0.3 && width(&steady) < 1e-6);
    }
}
