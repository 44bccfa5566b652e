//! The load that a target is put under, as plain data: a table of a suite file, a part of a request, a group of flags.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fgd_record::{BenchTarget, Scenario};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::queries::Limits;
use super::server;
use super::sweep::Grid;
use crate::threads;

/// How a target is asked, and for how long. What is `None` is decided by scenario and target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Load {
    /// How queries are issued.
    pub scenario: Scenario,
    /// Seconds to measure at least; of a sweep, per cell. 10 by default, 1 per cell of a sweep.
    pub duration: Option<f64>,
    /// Queries to measure at least: 2,048 of an encoder, 64 of a captioner, 10 of a score by default; of offline, passes (5); of a sweep,
    /// per cell (3); of a search for the rate, per rate (528, and up to nine times as many where those do not decide).
    pub min_queries: Option<u64>,
    /// Seconds after which a run ends whatever is missing; it does not count then.
    pub max_duration: f64,
    /// Seconds of queries before the measurement; a tenth of the duration by default.
    pub warm_up: Option<f64>,
    /// Items per query; of a server, how many that wait are served together (1, or 32 for a server).
    pub batch_size: Option<usize>,
    /// Server: queries per second; without it the highest rate that keeps the bound is searched for.
    pub rate: Option<f64>,
    /// Server: seconds within which 99% of the queries are to be answered; 0.1 of an encoder, else 60 by default.
    pub latency_bound: Option<f64>,
    /// Sweep: the batch sizes; 1,4,16,64,256 of an encoder, 1,2,4,8 of a captioner, 1 of a score by default.
    pub batch_sizes: Vec<usize>,
    /// Sweep: the numbers of threads; all from 1, doubling, by default.
    pub thread_counts: Vec<usize>,
    /// Seed of made-up items, of their order and of the arrivals.
    pub seed: u64,
    /// Write every query with its times to this CSV file.
    pub queries: Option<PathBuf>,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            scenario: Scenario::Single,
            duration: None,
            min_queries: None,
            max_duration: 600.0,
            warm_up: None,
            batch_size: None,
            rate: None,
            latency_bound: None,
            batch_sizes: Vec::new(),
            thread_counts: Vec::new(),
            seed: 0,
            queries: None,
        }
    }
}

/// What a target brings along.
pub struct Subject<'a> {
    /// What it is.
    pub target: BenchTarget,
    /// What one item is called.
    pub item: &'static str,
    /// Queries to measure at least, single and server.
    pub min_queries: u64,
    /// The bound on the latency, in seconds.
    pub bound: f64,
    /// Batch sizes of a sweep.
    pub batch_sizes: &'a [usize],
    /// Seconds until the first query could be taken.
    pub load_seconds: Option<f64>,
    /// Most memory held so far, in bytes.
    pub peak_memory: &'a dyn Fn() -> Option<u64>,
    /// Whether the machine's ceilings say something about it.
    pub has_ceilings: bool,
}

/// More than any machine answers: a typing error, which would take all of its memory.
const MOST_ARRIVALS: f64 = 1e7;

impl Load {
    /// What can be wrong with a load is said before anything is loaded. `items` there are to make queries of.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what would do.
    pub fn check(&self, items: usize) -> Result<(), String> {
        let positive = |flag: &str, value: Option<f64>| match value {
            Some(value) if !(value > 0.0 && value <= 1e9) => {
                Err(format!("{flag} {value}: must be above 0, and at most 1e9"))
            }
            _ => Ok(()),
        };
        positive("--duration", self.duration)?;
        positive("--max-duration", Some(self.max_duration))?;
        positive("--rate", self.rate)?;
        positive("--latency-bound", self.latency_bound)?;
        let refuse = |is_wrong: bool, problem: &str| match is_wrong {
            true => Err(problem.to_owned()),
            false => Ok(()),
        };
        refuse(
            (self.warm_up).is_some_and(|seconds| !(0.0..=1e6).contains(&seconds)),
            "--warm-up: give seconds, 0 or more",
        )?;
        if (self.duration).is_some_and(|seconds| seconds > self.max_duration) {
            return Err(format!(
                "--duration is longer than --max-duration {}: raise that too",
                self.max_duration
            ));
        }
        let is_server = self.scenario == Scenario::Server;
        refuse(
            !is_server && (self.rate.is_some() || self.latency_bound.is_some()),
            "--rate and --latency-bound belong to --scenario server",
        )?;
        let has_grid = !self.batch_sizes.is_empty() || !self.thread_counts.is_empty();
        refuse(
            has_grid && self.scenario != Scenario::Sweep,
            "--batch-sizes and --thread-counts belong to --scenario sweep",
        )?;
        refuse(
            matches!(self.scenario, Scenario::Offline | Scenario::Sweep)
                && self.batch_size.is_some(),
            "--batch-size belongs to --scenario single and server",
        )?;
        refuse(
            self.batch_sizes.iter().chain(&self.batch_size).any(|size| *size == 0),
            "a query of 0 items: give at least 1",
        )?;
        let mut sizes = self.batch_sizes.iter().chain(&self.batch_size);
        if let Some(size) = sizes.find(|size| !is_server && **size > items) {
            return Err(format!(
                "a query of {size} items: there are {items}, and each is in a query once at most"
            ));
        }
        if let Some(rate) = self.rate.filter(|rate| *rate > MOST_ARRIVALS) {
            return Err(format!("--rate {rate}: give at most {MOST_ARRIVALS} a second"));
        }
        if let Some(threads) = self.thread_counts.iter().find(|&&threads| threads > threads::MOST) {
            return Err(format!("--thread-counts {threads}: give at most {}", threads::MOST));
        }
        refuse(self.thread_counts.contains(&0), "--thread-counts: 0 threads do nothing")
    }

    /// What decides the numbers, by flag name.
    pub fn settings(&self, subject: &Subject, items: usize) -> BTreeMap<String, Value> {
        let limits = self.limits(subject);
        let mut settings: Vec<(&str, Value)> = vec![
            ("scenario", self.scenario.name().into()),
            ("duration", limits.min_duration.as_secs_f64().into()),
            ("min-queries", limits.min_queries.into()),
            ("warm-up", limits.warm_up.as_secs_f64().into()),
            ("seed", self.seed.into()),
            ("items", items.into()),
        ];
        match self.scenario {
            Scenario::Single => settings.push(("batch-size", self.batch(subject, items).into())),
            Scenario::Offline => {}
            Scenario::Server => settings.extend([
                ("batch-size", self.batch(subject, items).into()),
                ("latency-bound", self.bound(subject).into()),
                ("rate", self.rate.into()),
            ]),
            Scenario::Sweep => {
                let grid = self.grid(subject, items);
                settings.push(("batch-sizes", grid.batches.into()));
                settings.push(("thread-counts", grid.threads.into()));
            }
        }
        let named = settings.into_iter();
        named.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// How much is measured.
    pub fn limits(&self, subject: &Subject) -> Limits {
        let (duration, queries) = match self.scenario {
            // A rate is found by upper bounds of its percentile, which fewer queries do not give.
            Scenario::Server if self.rate.is_none() => (10.0, server::fewest_queries()),
            Scenario::Single | Scenario::Server => (10.0, subject.min_queries),
            Scenario::Offline => (10.0, 5),
            Scenario::Sweep => (1.0, 3),
        };
        let duration = self.duration.unwrap_or(duration);
        Limits {
            warm_up: Duration::from_secs_f64(self.warm_up.unwrap_or(duration / 10.0)),
            min_duration: Duration::from_secs_f64(duration),
            min_queries: self.min_queries.unwrap_or(queries),
            max_duration: Duration::from_secs_f64(self.max_duration),
        }
    }

    /// Seconds within which 99% of the queries are to be answered.
    pub fn bound(&self, subject: &Subject) -> f64 {
        self.latency_bound.unwrap_or(subject.bound)
    }

    /// Items per query.
    pub fn batch(&self, subject: &Subject, items: usize) -> usize {
        match (self.scenario, self.batch_size) {
            (Scenario::Offline, _) => items,
            (_, Some(size)) => size,
            (Scenario::Server, None) if subject.target != BenchTarget::Score => 32.min(items),
            _ => 1,
        }
    }

    /// What a sweep goes through; by default up to the threads of the current rayon pool.
    pub fn grid(&self, subject: &Subject, items: usize) -> Grid {
        let or = |given: &[usize], default: Vec<usize>| match given {
            [] => default,
            given => given.to_vec(),
        };
        let all = rayon::current_num_threads();
        let doubling = std::iter::successors(Some(1), |n| Some(2 * n));
        let threads = doubling.take_while(|n| *n < all).chain([all]).collect();
        let sizes = subject.batch_sizes.iter().copied();
        Grid {
            batches: or(&self.batch_sizes, sizes.filter(|size| *size <= items).collect()),
            threads: or(&self.thread_counts, threads),
        }
    }
}
