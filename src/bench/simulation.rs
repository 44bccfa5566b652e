//! Time and a target that are simulated, so that tests of the scenarios are exact and instant.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::clock::Clock;
use super::queries::{Harness, Limits};
use super::server::Service;
use super::target::{Answer, Target};

/// One query at a time, to be answered within 0.1 s.
pub const ALONE: Service = Service { bound: 0.1, batch: 1 };

/// A clock that stands still but for sleepers and simulated work.
#[derive(Default)]
pub struct SimulatedClock(AtomicU64);

impl SimulatedClock {
    pub fn pass(&self, seconds: f64) {
        self.0.fetch_add((seconds * 1e9).round() as u64, Ordering::Relaxed);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, time: Duration) {
        self.0.fetch_max(time.as_nanos() as u64, Ordering::Relaxed);
    }
}

/// A target that takes the time that a function of the number of items gives.
pub struct SimulatedTarget<'a, F> {
    clock: &'a SimulatedClock,
    seconds: F,
    queries: usize,
    /// Every so many queries one fails.
    pub fail_every: Option<usize>,
    /// The first queries take 20 times as long.
    pub slow_start: usize,
}

impl<'a, F: FnMut(usize) -> f64> SimulatedTarget<'a, F> {
    pub fn new(clock: &'a SimulatedClock, seconds: F) -> Self {
        Self { clock, seconds, queries: 0, fail_every: None, slow_start: 0 }
    }
}

impl<F: FnMut(usize) -> f64 + Send> Target for SimulatedTarget<'_, F> {
    fn items(&self) -> usize {
        64
    }

    fn query(&mut self, items: &[usize]) -> Result<Answer, String> {
        self.queries += 1;
        let factor = if self.queries <= self.slow_start { 20.0 } else { 1.0 };
        self.clock.pass(factor * (self.seconds)(items.len()));
        match self.fail_every {
            Some(every) if self.queries.is_multiple_of(every) => {
                Err(format!("query {} failed", self.queries))
            }
            _ => Ok(Answer { tokens: Some(10 * items.len() as u64), work: Vec::new() }),
        }
    }
}

pub fn limits(min_seconds: f64, min_queries: u64) -> Limits {
    Limits {
        warm_up: Duration::ZERO,
        min_duration: Duration::from_secs_f64(min_seconds),
        min_queries,
        max_duration: Duration::from_secs(1_000_000),
    }
}

pub fn harness(clock: &SimulatedClock, limits: Limits) -> Harness<'_> {
    Harness { clock, limits, seed: 7, stop: &|| false, progress: &|_| () }
}
