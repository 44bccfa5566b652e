//! The results of `fgd bench`: how fast a target is in one scenario, and whether the run counts.
//!
//! Times are in seconds, rates per second, sizes in bytes. Every interval here is at 99% confidence.

use serde::{Deserialize, Serialize};

use super::measure::bounds;
use super::{Ceilings, Measure, Stage};

/// What one benchmark run measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BenchResults {
    /// What was benchmarked.
    pub target: BenchTarget,
    /// How it was asked.
    pub scenario: Scenario,
    /// Version of what the target and the scenario mean; numbers of different versions are not compared.
    pub definition_version: u32,
    /// What one item is: `caption`, `image`, `job`.
    pub item: String,
    /// The figures to quote and to follow over time, the most important first.
    pub headlines: Vec<Headline>,
    /// What was asked and answered.
    pub queries: Queries,
    /// Time per query; `None` where queries have no latency that anybody waits for (offline, sweep).
    pub latency: Option<QueryLatency>,
    /// Items per second over the measured part of the run; `None` for a sweep.
    pub throughput: Option<Throughput>,
    /// Arrivals and the bound on their latency; server only.
    pub server: Option<Server>,
    /// The table of batch sizes and threads; sweep only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sweep: Vec<SweepCell>,
    /// Where the time of a query goes, with the arithmetic behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// What this machine can do at most, measured in the same run.
    pub ceilings: Option<Ceilings>,
    /// Most memory the process held, in bytes, model included.
    pub peak_memory_bytes: Option<u64>,
    /// Seconds until the target could take its first query.
    pub load_seconds: Option<f64>,
    /// What the harness itself costs.
    pub overhead: Overhead,
    /// Whether the numbers count.
    pub validity: Validity,
}

impl BenchResults {
    /// The combination of a sweep that its `throughput` is of.
    pub fn fastest(&self) -> Option<&SweepCell> {
        let speed = |cell: &SweepCell| cell.items_per_second.value.unwrap_or(0.0);
        self.sweep.iter().max_by(|a, b| speed(a).total_cmp(&speed(b)))
    }
}

/// What can be benchmarked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BenchTarget {
    /// Captions in, embeddings out.
    #[default]
    Encoder,
    /// Images in, captions out.
    Captioner,
    /// Whole `fgd score` processes.
    Score,
}

/// How queries are issued, in the sense of MLPerf LoadGen (Reddi et al. 2020, arXiv:1911.02549).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// The next query when the last one is done.
    #[default]
    Single,
    /// All items at once, pass after pass.
    Offline,
    /// Poisson arrivals.
    Server,
    /// Every batch size with every number of threads.
    Sweep,
}

impl BenchTarget {
    /// The word on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::Captioner => "captioner",
            Self::Score => "score",
        }
    }
}

impl Scenario {
    /// The word on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Offline => "offline",
            Self::Server => "server",
            Self::Sweep => "sweep",
        }
    }
}

/// A figure to quote and to follow over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// Stable name: `throughput`, `tokens_per_second`, `latency_p50`, `latency_p90`, `latency_p99`,
    /// `highest_rate`, `peak_memory`, `load_time`.
    pub name: String,
    /// Unit: `captions/s`, `tokens/s`, `s`, `bytes`, …
    pub unit: String,
    /// Whether a higher value is better.
    pub higher_is_better: bool,
    /// The number with its 99% bounds: how far a repetition may be off by chance.
    #[serde(flatten, with = "bounds")]
    pub measured: Measure,
}

/// What was asked and answered in the measured part of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Queries {
    /// Queries that were measured, failed ones included.
    pub issued: u64,
    /// Queries that failed; their latency counts for nothing.
    pub failed: u64,
    /// What the first failed queries said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
    /// Queries before the measurement, to warm up.
    pub warm_up: u64,
    /// Items in a query; in the server scenario the most that are served together, in a sweep those of the largest batch.
    pub items_per_query: u64,
    /// Items answered.
    pub items: u64,
    /// Tokens behind these items: read by an encoder, generated by a captioner; `None` where there are none.
    pub tokens: Option<u64>,
    /// Seconds the measured part took.
    pub seconds: f64,
}

/// How long queries took: from the call, or in the server scenario from the scheduled arrival.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QueryLatency {
    /// The fastest query.
    pub min: f64,
    /// The mean.
    pub mean: f64,
    /// The slowest query.
    pub max: f64,
    /// Percentiles with bounds by order statistics.
    pub percentiles: Vec<Percentile>,
    /// Times as many samples as independent ones would have said the same (1: they are independent), of the percentile where it is most.
    pub design_effect: f64,
    /// The latency curve: share of queries and the seconds within which so many were answered.
    pub curve: Vec<(f64, f64)>,
}

/// One percentile of the latencies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentile {
    /// Which one, from 0 to 100.
    pub percentile: f64,
    /// Seconds.
    #[serde(flatten, with = "bounds")]
    pub seconds: Measure,
}

/// Work done per second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// Items per second.
    #[serde(with = "bounds")]
    pub items_per_second: Measure,
    /// Tokens per second; `None` where items have no tokens.
    #[serde(default, with = "bounds::optional")]
    pub tokens_per_second: Option<Measure>,
}

/// Arrivals and the bound on their latency.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// The bound on the 99th percentile, in seconds.
    pub bound_seconds: f64,
    /// Seed of the arrivals.
    pub seed: u64,
    /// Queries per second that were asked for with `--rate`; `None` where the highest was searched for.
    pub given_rate: Option<f64>,
    /// The highest rate shown to keep the bound, up to the lowest rate that was not; `None` with a given rate.
    #[serde(default, with = "bounds::optional")]
    pub highest_rate: Option<Measure>,
    /// Every rate that was tried, in order; the last one is the run behind the latencies.
    pub points: Vec<ServerPoint>,
}

/// One rate of arrivals that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerPoint {
    /// Arrivals per second.
    pub rate: f64,
    /// Queries that arrived.
    pub queries: u64,
    /// Queries answered per second.
    pub answered_per_second: f64,
    /// The 99th percentile of the latency from the scheduled arrival.
    #[serde(with = "bounds")]
    pub p99_seconds: Measure,
    /// What it shows.
    pub outcome: ServerOutcome,
}

/// What a rate of arrivals shows about the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerOutcome {
    /// The upper bound of the 99th percentile is within the bound.
    Kept,
    /// The lower bound of the 99th percentile is beyond it.
    Missed,
    /// The bound lies between the two: more queries would tell.
    Undecided,
    /// Queries arrived faster than they were answered; the run was cut short.
    Overloaded,
}

/// One combination of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SweepCell {
    /// Items per query.
    pub batch: u64,
    /// Threads.
    pub threads: u64,
    /// Queries measured.
    pub queries: u64,
    /// Items per second.
    #[serde(with = "bounds")]
    pub items_per_second: Measure,
    /// Tokens per second; `None` where items have no tokens.
    pub tokens_per_second: Option<f64>,
    /// Median seconds per query.
    #[serde(with = "bounds")]
    pub p50_seconds: Measure,
}

/// What the harness itself costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Overhead {
    /// Seconds per query of the same loop around a target that does nothing.
    pub seconds_per_query: f64,
    /// 99th percentile of how late the harness woke up for an arrival, in seconds; server only.
    pub late_p99_seconds: Option<f64>,
}

/// Whether the numbers count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validity {
    /// Whether they do: exactly when there is no reason against it.
    pub valid: bool,
    /// Why not.
    pub reasons: Vec<Remark>,
    /// What a reader should know although the run counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Remark>,
}

/// Something that speaks against a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// What is wrong, in a sentence.
    pub reason: String,
    /// What to change, in a sentence.
    pub change: String,
}
