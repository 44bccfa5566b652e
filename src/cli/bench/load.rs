//! The flags of the load, which all targets share.

use std::path::PathBuf;

use clap::ValueEnum;
use fgd_record::Scenario;

use crate::bench::load::Load;

/// How queries are issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScenarioArg {
    /// The next query when the last is done: latency.
    Single,
    /// All items at once, pass after pass: throughput.
    Offline,
    /// Queries arrive at random: the highest rate that keeps a bound on the latency.
    Server,
    /// Every batch size with every number of threads.
    Sweep,
}

/// How the target is asked, and for how long.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Benchmark")]
pub struct LoadArgs {
    /// How queries are issued.
    #[arg(long, value_enum, default_value_t = ScenarioArg::Single, env = "FGD_SCENARIO")]
    scenario: ScenarioArg,
    /// Seconds to measure at least; of a sweep, per cell. 10 by default, 1 per cell of a sweep.
    #[arg(long, value_name = "S", env = "FGD_DURATION")]
    duration: Option<f64>,
    /// Queries to measure at least: 2,048 of an encoder, 64 of a captioner, 10 of a score by default; of offline, passes (5); of a sweep,
    /// per cell (3); of a search for the rate, per rate (528, and up to nine times as many where those do not decide).
    #[arg(long, value_name = "N", env = "FGD_MIN_QUERIES")]
    min_queries: Option<u64>,
    /// Seconds after which a run ends whatever is missing; it is then INVALID. Of a sweep, per cell; of a search for the rate, for all rates.
    #[arg(long, value_name = "S", default_value_t = 600.0, env = "FGD_MAX_DURATION")]
    max_duration: f64,
    /// Seconds of queries before the measurement; a tenth of the duration by default.
    #[arg(long, value_name = "S", env = "FGD_WARM_UP")]
    warm_up: Option<f64>,
    /// Items per query; of a server, how many that wait are served together (1, or 32 for a server).
    #[arg(long, value_name = "N", env = "FGD_BATCH_SIZE")]
    batch_size: Option<usize>,
    /// Server: queries per second; without it the highest rate that keeps the bound is searched for.
    #[arg(long, value_name = "R", env = "FGD_RATE")]
    rate: Option<f64>,
    /// Server: seconds within which 99% of the queries are to be answered; 0.1 of an encoder, else 60 by default.
    #[arg(long, value_name = "S", env = "FGD_LATENCY_BOUND")]
    latency_bound: Option<f64>,
    /// Sweep: the batch sizes; 1,4,16,64,256 of an encoder, 1,2,4,8 of a captioner, 1 of a score by default.
    #[arg(long, value_name = "LIST", value_delimiter = ',', env = "FGD_BATCH_SIZES")]
    batch_sizes: Vec<usize>,
    /// Sweep: the numbers of threads; all from 1, doubling, by default.
    #[arg(long, value_name = "LIST", value_delimiter = ',', env = "FGD_THREAD_COUNTS")]
    thread_counts: Vec<usize>,
    /// Seed of made-up items, of their order and of the arrivals.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_SEED")]
    seed: u64,
    /// Write every query with its times to this CSV file.
    #[arg(long, value_name = "FILE", env = "FGD_QUERIES")]
    queries: Option<PathBuf>,
}

impl LoadArgs {
    /// The load that the flags describe.
    pub fn load(self) -> Load {
        Load {
            scenario: match self.scenario {
                ScenarioArg::Single => Scenario::Single,
                ScenarioArg::Offline => Scenario::Offline,
                ScenarioArg::Server => Scenario::Server,
                ScenarioArg::Sweep => Scenario::Sweep,
            },
            duration: self.duration,
            min_queries: self.min_queries,
            max_duration: self.max_duration,
            warm_up: self.warm_up,
            batch_size: self.batch_size,
            rate: self.rate,
            latency_bound: self.latency_bound,
            batch_sizes: self.batch_sizes,
            thread_counts: self.thread_counts,
            seed: self.seed,
            queries: self.queries,
        }
    }
}
