//! The scenario `server`: queries of one item arrive at random, and whoever waits is served, some at a time.
//!
//! Arrivals are scheduled before anything is measured, as a Poisson process from a seed, and latency counts from the
//! scheduled arrival: a stall of the target makes all who arrive meanwhile wait, and all of them count.

use std::collections::VecDeque;
use std::time::Duration;

use fgd_record::{Measure, Remark, ServerOutcome, ServerPoint};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::percentiles::{needed_for_upper_bound, quantile};
use super::queries::{Harness, Order, share_done, warm_up};
use super::samples::{Sample, Samples};
use super::target::Target;

/// The percentile that has a bound.
const PERCENTILE: f64 = 0.99;

/// So many queries give an upper bound of it, if they are independent: 528.
pub fn fewest_queries() -> u64 {
    needed_for_upper_bound(PERCENTILE) as u64
}

/// A rate is given up when somebody has waited this many times the bound.
const PATIENCE: f64 = 10.0;

/// What the server promises, and how it works.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Service {
    /// The bound on the 99th percentile of the latency, in seconds.
    pub bound: f64,
    /// Queries that are served together at most.
    pub batch: usize,
}

/// What a server run found.
#[derive(Debug, Clone)]
pub struct ServerRun {
    /// The highest rate shown to keep the bound, up to the lowest that was not; `None` with a given rate.
    pub highest_rate: Option<Measure>,
    /// Why a search found none, and what would let it.
    pub unsettled: Option<Remark>,
    /// Every rate that was tried; the last one is that of `samples`.
    pub points: Vec<ServerPoint>,
    /// The run that the latencies are of.
    pub samples: Samples,
}

/// Scheduled arrivals since the start: a Poisson process, so the gaps are exponential (Knuth, TAOCP 2, section 3.4.1).
struct Arrivals {
    random: ChaCha8Rng,
    rate: f64,
    at: f64,
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.at += -(1.0 - self.random.random::<f64>()).ln() / self.rate;
        Duration::try_from_secs_f64(self.at).ok()
    }
}

/// Serves arrivals at `rate` queries per second until the limits are met and nobody waits any more.
pub fn serve(target: &mut dyn Target, rate: f64, service: &Service, harness: &Harness) -> Samples {
    let (clock, limits) = (harness.clock, &harness.limits);
    let mut order = Order::new(target.items(), harness.seed);
    let mut samples = Samples {
        warm_up: warm_up(target, service.batch, &mut order, harness),
        ..Samples::default()
    };
    let mut arrivals = Arrivals { random: ChaCha8Rng::seed_from_u64(harness.seed), rate, at: 0.0 };
    let mut next = arrivals.next();
    let mut arrived: u64 = 0;
    let mut waiting: VecDeque<Duration> = VecDeque::new();
    let begin = clock.now();
    let elapsed = || clock.now() - begin;
    loop {
        let now = elapsed();
        while let Some(due) = next.filter(|due| *due <= now) {
            waiting.push_back(due);
            arrived += 1;
            let enough = due >= limits.min_duration && arrived >= limits.min_queries;
            next = match enough || due >= limits.max_duration {
                true => None,
                false => arrivals.next(),
            };
        }
        if (harness.stop)() {
            samples.interrupted = true;
            break;
        }
        let Some(first) = waiting.front() else {
            let Some(due) = next else { break };
            clock.sleep_until(begin + due);
            let late = elapsed().saturating_sub(due);
            samples.late.push(late.as_secs_f64());
            continue;
        };
        if (now - *first).as_secs_f64() > PATIENCE * service.bound {
            samples.overloaded = true;
            break;
        }
        (harness.progress)(share_done(now, arrived, limits));
        // Each item is in a query once at most.
        let count = waiting.len().min(service.batch).min(target.items());
        let start = elapsed().as_secs_f64();
        let answer = target.query(order.take(count));
        let end = elapsed().as_secs_f64();
        let tokens = answer.as_ref().ok().and_then(|answer| answer.tokens).unwrap_or(0);
        for (at, due) in waiting.drain(..count).enumerate() {
            let sample = Sample {
                due: due.as_secs_f64(),
                start,
                end,
                items: 1,
                // Tokens are counted once for all that were served together.
                tokens: if at == 0 { tokens } else { 0 },
                failed: answer.is_err(),
            };
            match at {
                0 => samples.push(sample, &answer),
                _ => samples.all.push(sample),
            }
        }
    }
    samples.seconds = elapsed().as_secs_f64();
    samples
}

/// What a run at `rate` shows about the bound.
pub fn judge(rate: f64, samples: &Samples, bound: f64) -> ServerPoint {
    let latencies = samples.latencies();
    let mut sorted = latencies.clone();
    sorted.sort_by(f64::total_cmp);
    let (p99, _) = quantile(&latencies, &sorted, PERCENTILE);
    let outcome = match (samples.overloaded, p99.low, p99.high) {
        (true, _, _) => ServerOutcome::Overloaded,
        (_, _, Some(high)) if high <= bound => ServerOutcome::Kept,
        (_, Some(low), _) if low > bound => ServerOutcome::Missed,
        _ => ServerOutcome::Undecided,
    };
    ServerPoint {
        rate,
        queries: samples.all.len() as u64,
        answered_per_second: samples.items() as f64 / samples.seconds.max(1e-9),
        p99_seconds: p99,
        outcome,
    }
}

/// Serves at one given rate.
pub fn at_rate(
    target: &mut dyn Target,
    rate: f64,
    service: &Service,
    harness: &Harness,
) -> ServerRun {
    let samples = serve(target, rate, service, harness);
    let points = vec![judge(rate, &samples, service.bound)];
    ServerRun { highest_rate: None, unsettled: None, points, samples }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::simulation::{ALONE, SimulatedClock, SimulatedTarget, harness, limits};

    #[test]
    fn a_queue_waits_as_long_as_the_formula_says() {
        // M/D/1: the mean wait is ρ s / (2 (1 − ρ)) (Pollaczek 1930, Khinchine 1932).
        let service = 0.010;
        for load in [0.3, 0.6, 0.8] {
            let clock = SimulatedClock::default();
            let mut target = SimulatedTarget::new(&clock, |_| service);
            let samples =
                serve(&mut target, load / service, &ALONE, &harness(&clock, limits(0.0, 200_000)));
            assert_eq!(samples.all.len(), 200_000);
            let waits = samples.all.iter().map(|s| s.latency() - service);
            let mean = waits.sum::<f64>() / samples.all.len() as f64;
            let expected = load * service / (2.0 * (1.0 - load));
            assert!((mean / expected - 1.0).abs() < 0.05, "ρ = {load}: {mean}, not {expected}");
        }
    }

    #[test]
    fn a_stall_counts_for_everyone_who_arrives_meanwhile() {
        let clock = SimulatedClock::default();
        let mut queries = 0;
        // The 50th query stalls for a second.
        let mut target = SimulatedTarget::new(&clock, move |_| {
            queries += 1;
            if queries == 50 { 1.0 } else { 0.001 }
        });
        let patient = Service { bound: 10.0, batch: 1 };
        let samples = serve(&mut target, 100.0, &patient, &harness(&clock, limits(0.0, 1000)));
        // About a hundred arrive within the stall; the mean of their waits is about half of it.
        let slow: Vec<f64> = samples.latencies().into_iter().filter(|s| *s > 0.1).collect();
        assert!((70..130).contains(&slow.len()), "{}", slow.len());
        let mean = slow.iter().sum::<f64>() / slow.len() as f64;
        assert!((0.4..0.7).contains(&mean), "{mean}");
    }

    #[test]
    fn arrivals_are_poisson_and_the_same_for_the_same_seed() {
        let schedule = |seed| {
            let clock = SimulatedClock::default();
            let mut target = SimulatedTarget::new(&clock, |_| 0.0);
            let harness = Harness { seed, ..harness(&clock, limits(0.0, 20_000)) };
            let samples = serve(&mut target, 50.0, &ALONE, &harness);
            samples.all.iter().map(|s| s.due).collect::<Vec<f64>>()
        };
        let due = schedule(1);
        assert_eq!(due, schedule(1));
        assert_ne!(due, schedule(2));
        let gaps: Vec<f64> = due.windows(2).map(|w| w[1] - w[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean * 50.0 - 1.0).abs() < 0.03, "{mean}");
        // The standard deviation of an exponential is its mean.
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.03, "{variance}");
    }

    #[test]
    fn those_who_wait_are_served_together() {
        let clock = SimulatedClock::default();
        // A batch costs what one costs, so only batching can keep up with this rate.
        let mut target = SimulatedTarget::new(&clock, |_| 0.010);
        let together = Service { bound: 0.1, batch: 16 };
        let samples = serve(&mut target, 400.0, &together, &harness(&clock, limits(0.0, 4000)));
        assert!(!samples.overloaded);
        // Nobody waits longer than for the batch before the own one.
        assert!(samples.latencies().iter().all(|s| *s <= 0.020 + 1e-9));
        let busy = samples.busy_seconds();
        assert!(busy > 5.0 && busy <= samples.seconds, "{busy} of {}", samples.seconds);
        // Of the 64 items each is in a query once at most: no batch is larger, whatever is allowed.
        let mut target = SimulatedTarget::new(&clock, |items| 0.001 * items as f64);
        let unlimited = Service { bound: 0.1, batch: 1000 };
        let samples = serve(&mut target, 2000.0, &unlimited, &harness(&clock, limits(100.0, 1000)));
        assert!(samples.overloaded);
    }

    #[test]
    fn more_than_the_target_can_do_is_an_overload() {
        let clock = SimulatedClock::default();
        let mut target = SimulatedTarget::new(&clock, |_| 0.010);
        let found = at_rate(&mut target, 200.0, &ALONE, &harness(&clock, limits(100.0, 1000)));
        assert!(found.samples.overloaded);
        assert_eq!(found.points[0].outcome, ServerOutcome::Overloaded);
        assert!((found.points[0].answered_per_second - 100.0).abs() < 5.0);
    }
}
