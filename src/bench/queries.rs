//! One query after the other: the scenarios `single` (some items per query) and `offline` (all items, pass after pass).

use std::time::Duration;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::clock::Clock;
use super::samples::{Sample, Samples};
use super::target::Target;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Time before the measurement; at least one query runs in it.
    pub warm_up: Duration,
    /// The measurement takes at least this long,
    pub min_duration: Duration,
    /// and has at least this many queries,
    pub min_queries: u64,
    /// unless it would take longer than this.
    pub max_duration: Duration,
}

/// What every scenario runs with.
#[derive(Clone, Copy)]
pub struct Harness<'a> {
    /// Where time comes from.
    pub clock: &'a dyn Clock,
    /// How much is measured.
    pub limits: Limits,
    /// Seed of the order of items and of arrivals.
    pub seed: u64,
    /// Whether to end now.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Hears now and then how much of the measurement is done, from 0 to 1.
    pub progress: &'a (dyn Fn(f64) + Sync),
}

/// Time between two reports of progress.
const REPORT: Duration = Duration::from_millis(100);

/// The items in a random order, again and again. Neighbours are always different items.
pub(super) struct Order {
    items: Vec<usize>,
    next: usize,
    query: Vec<usize>,
}

impl Order {
    pub(super) fn new(items: usize, seed: u64) -> Self {
        let mut items: Vec<usize> = (0..items).collect();
        items.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        Self { items, next: 0, query: Vec::new() }
    }

    /// The next `count` items; at most as many as there are.
    pub(super) fn take(&mut self, count: usize) -> &[usize] {
        self.query.clear();
        for _ in 0..count.min(self.items.len()) {
            self.query.push(self.items[self.next]);
            self.next = (self.next + 1) % self.items.len();
        }
        &self.query
    }
}

/// Asks about `batch` items at a time, the next query when the last is done.
pub fn single(target: &mut dyn Target, batch: usize, harness: &Harness) -> Samples {
    let (clock, limits) = (harness.clock, &harness.limits);
    let mut order = Order::new(target.items(), harness.seed);
    let mut samples =
        Samples { warm_up: warm_up(target, batch, &mut order, harness), ..Samples::default() };
    let begin = clock.now();
    let mut reported = begin;
    let mut end = begin;
    loop {
        let elapsed = end - begin;
        let done = samples.all.len() as u64;
        if (elapsed >= limits.min_duration && done >= limits.min_queries)
            || elapsed >= limits.max_duration
        {
            break;
        }
        if (harness.stop)() {
            samples.interrupted = true;
            break;
        }
        if end - reported >= REPORT {
            reported = end;
            (harness.progress)(share_done(elapsed, done, limits));
        }
        let items = order.take(batch);
        let count = items.len() as u64;
        let start = clock.now();
        let answer = target.query(items);
        end = clock.now();
        let seconds = |time: Duration| (time - begin).as_secs_f64();
        let sample = Sample {
            due: seconds(start),
            start: seconds(start),
            end: seconds(end),
            items: count,
            tokens: answer.as_ref().ok().and_then(|a| a.tokens).unwrap_or(0),
            failed: answer.is_err(),
        };
        samples.push(sample, &answer);
    }
    samples.seconds = (end - begin).as_secs_f64();
    samples
}

/// All items at once, pass after pass.
pub fn offline(target: &mut dyn Target, harness: &Harness) -> Samples {
    let all = target.items();
    single(target, all, harness)
}

/// Queries until the time to warm up is over; answers how many.
pub(super) fn warm_up(
    target: &mut dyn Target,
    batch: usize,
    order: &mut Order,
    harness: &Harness,
) -> u64 {
    let begin = harness.clock.now();
    let mut done = 0;
    while done == 0 || harness.clock.now() - begin < harness.limits.warm_up {
        if (harness.stop)() {
            break;
        }
        // What fails here fails again in the measurement, where it is counted.
        let _ = target.query(order.take(batch));
        done += 1;
    }
    done
}

pub(super) fn share_done(elapsed: Duration, done: u64, limits: &Limits) -> f64 {
    let of = |part: f64, whole: f64| {
        if whole > 0.0 { (part / whole).min(1.0) } else { 1.0 }
    };
    let time = of(elapsed.as_secs_f64(), limits.min_duration.as_secs_f64());
    let queries = of(done as f64, limits.min_queries as f64);
    let longest = of(elapsed.as_secs_f64(), limits.max_duration.as_secs_f64());
    time.min(queries).max(longest)
}

/// Seconds per query that the loop of [`single`] takes around a target that does nothing.
pub fn overhead(clock: &dyn Clock) -> f64 {
    struct Nothing;
    impl Target for Nothing {
        fn items(&self) -> usize {
            1024
        }
        fn query(&mut self, _items: &[usize]) -> Result<super::Answer, String> {
            Ok(super::Answer::default())
        }
    }
    let harness = Harness {
        clock,
        limits: Limits {
            warm_up: Duration::from_millis(2),
            min_duration: Duration::ZERO,
            min_queries: 20_000,
            max_duration: Duration::from_secs(1),
        },
        seed: 0,
        stop: &|| false,
        progress: &|_| (),
    };
    let samples = single(&mut Nothing, 1, &harness);
    samples.seconds / samples.all.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::simulation::{SimulatedClock, SimulatedTarget, harness, limits};

    #[test]
    fn a_run_ends_when_it_is_both_long_enough_and_large_enough() {
        let clock = SimulatedClock::default();
        let mut target = SimulatedTarget::new(&clock, |_| 0.010);
        // 50 queries of 10 ms are there after half a second, so the duration decides.
        let samples = single(&mut target, 1, &harness(&clock, limits(1.0, 50)));
        assert_eq!(samples.all.len(), 100);
        assert!((samples.seconds - 1.0).abs() < 1e-9);
        // 500 queries take five seconds, so the count decides.
        let samples = single(&mut target, 1, &harness(&clock, limits(1.0, 500)));
        assert_eq!(samples.all.len(), 500);
        assert!(samples.latencies().iter().all(|s| (s - 0.010).abs() < 1e-9));
        assert!(!samples.interrupted);
    }

    #[test]
    fn a_run_that_would_take_too_long_is_cut() {
        let clock = SimulatedClock::default();
        let mut target = SimulatedTarget::new(&clock, |_| 1.0);
        let mut limits = limits(1.0, 1000);
        limits.max_duration = Duration::from_secs(5);
        assert_eq!(single(&mut target, 1, &harness(&clock, limits)).all.len(), 5);
    }

    #[test]
    fn failed_queries_are_counted_and_quoted() {
        let clock = SimulatedClock::default();
        let mut target = SimulatedTarget::new(&clock, |_| 0.010);
        target.fail_every = Some(10);
        let samples = single(&mut target, 1, &harness(&clock, limits(1.0, 100)));
        assert_eq!(samples.failed(), 10);
        assert_eq!(samples.items(), 90);
        assert_eq!(samples.failures.len(), 3);
    }

    #[test]
    fn queries_take_their_items_in_turn_and_never_twice() {
        let mut order = Order::new(10, 3);
        let mut seen = [0; 10];
        for _ in 0..10 {
            let mut query = order.take(7).to_vec();
            query.iter().for_each(|item| seen[*item] += 1);
            query.sort_unstable();
            query.dedup();
            assert_eq!(query.len(), 7);
        }
        assert_eq!(seen, [7; 10]);
        assert_ne!(Order::new(10, 3).take(10), Order::new(10, 4).take(10));
        assert_eq!(Order::new(10, 3).take(10), Order::new(10, 3).take(10));
    }

    #[test]
    fn offline_asks_about_everything_in_each_pass() {
        let clock = SimulatedClock::default();
        let mut target = SimulatedTarget::new(&clock, |items| 0.001 * items as f64);
        let samples = offline(&mut target, &harness(&clock, limits(1.0, 3)));
        assert!(samples.all.iter().all(|pass| pass.items == 64));
        let rate = samples.items() as f64 / samples.seconds;
        assert!((rate - 1000.0).abs() < 1e-6, "{rate}");
    }

    #[test]
    fn warming_up_is_not_measured() {
        let clock = SimulatedClock::default();
        // The first hundred queries are slow.
        let mut target = SimulatedTarget::new(&clock, |_| 0.001);
        target.slow_start = 100;
        let mut limits = limits(0.5, 100);
        limits.warm_up = Duration::from_secs(2);
        let samples = single(&mut target, 1, &harness(&clock, limits));
        assert!(samples.warm_up >= 100);
        assert!(samples.latencies().iter().all(|s| (s - 0.001).abs() < 1e-9));
    }
}
