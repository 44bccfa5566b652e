//! The flags that all targets share, and the run they describe.

use crate::bench::results::{Run, results};
use crate::bench::search::search;
use crate::bench::server::{self, Service};
use crate::bench::sweep::{Grid, sweep};
use crate::bench::{Harness, Limits, Samples, Target, WallClock, ceilings, interrupted, queries};
use crate::cli::exit::usage;
use crate::cli::output::{Output, Sink};
use crate::jobs::host;
use clap::ValueEnum;
use fgd_record::{BenchResults, BenchTarget, Host, Scenario, Server};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How queries are issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScenarioArg {
    /// The next query when the last is done: latency.
    Single,
    /// All items at once, pass after pass: throughput.
    Offline,
    /// Queries arrive at random: the highest rate that keeps a bound on the latency.
    Server,
    /// Every batch size with every number of threads.
    Sweep,
}

impl From<ScenarioArg> for Scenario {
    fn from(scenario: ScenarioArg) -> Self {
        match scenario {
            ScenarioArg::Single => Self::Single,
            ScenarioArg::Offline => Self::Offline,
            ScenarioArg::Server => Self::Server,
            ScenarioArg::Sweep => Self::Sweep,
        }
    }
}

/// How the target is asked, and for how long.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Benchmark")]
pub struct RunningArgs {
    /// How queries are issued.
    #[arg(long, value_enum, default_value_t = ScenarioArg::Single, env = "FGD_SCENARIO")]
    pub scenario: ScenarioArg,
    /// Seconds to measure at least; of a sweep, per cell. 10 by default, 1 per cell of a sweep.
    #[arg(long, value_name = "S", env = "FGD_DURATION")]
    duration: Option<f64>,
    /// Queries to measure at least; of offline, passes; of a sweep, per cell.
    #[arg(long, value_name = "N", env = "FGD_MIN_QUERIES")]
    min_queries: Option<u64>,
    /// Seconds after which a run ends whatever is missing; it is then INVALID.
    #[arg(
        long,
        value_name = "S",
        default_value_t = 600.0,
        env = "FGD_MAX_DURATION"
    )]
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
    /// Server: seconds within which 99% of the queries are to be answered.
    #[arg(long, value_name = "S", env = "FGD_LATENCY_BOUND")]
    latency_bound: Option<f64>,
    /// Sweep: the batch sizes.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        env = "FGD_BATCH_SIZES"
    )]
    batch_sizes: Vec<usize>,
    /// Sweep: the numbers of threads; all from 1, doubling, by default.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        env = "FGD_THREAD_COUNTS"
    )]
    thread_counts: Vec<usize>,
    /// Seed of made-up items, of their order and of the arrivals.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_SEED")]
    pub seed: u64,
    /// Write every query with its times to this CSV file.
    #[arg(long, value_name = "FILE", env = "FGD_SAMPLES")]
    samples: Option<PathBuf>,
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

impl RunningArgs {
    /// What can be wrong with the flags is said before anything is loaded. `items` there are to make queries of.
    pub fn check(&self, items: usize) -> anyhow::Result<()> {
        let positive = |flag: &str, value: Option<f64>| match value {
            Some(value) if !(value > 0.0 && value.is_finite()) => {
                Err(usage(format!("{flag} {value}: must be above 0")))
            }
            _ => Ok(()),
        };
        positive("--duration", self.duration)?;
        positive("--max-duration", Some(self.max_duration))?;
        positive("--rate", self.rate)?;
        positive("--latency-bound", self.latency_bound)?;
        if self
            .warm_up
            .is_some_and(|seconds| !(0.0..=1e6).contains(&seconds))
        {
            return Err(usage("--warm-up: give seconds, 0 or more"));
        }
        if self
            .duration
            .is_some_and(|seconds| seconds > self.max_duration)
        {
            return Err(usage(format!(
                "--duration is longer than --max-duration {}: raise that too",
                self.max_duration
            )));
        }
        let is_server = self.scenario == ScenarioArg::Server;
        if !is_server && (self.rate.is_some() || self.latency_bound.is_some()) {
            return Err(usage(
                "--rate and --latency-bound belong to --scenario server",
            ));
        }
        let is_sweep = self.scenario == ScenarioArg::Sweep;
        let has_grid = !self.batch_sizes.is_empty() || !self.thread_counts.is_empty();
        if has_grid && !is_sweep {
            return Err(usage(
                "--batch-sizes and --thread-counts belong to --scenario sweep",
            ));
        }
        if matches!(self.scenario, ScenarioArg::Offline | ScenarioArg::Sweep)
            && self.batch_size.is_some()
        {
            return Err(usage(
                "--batch-size belongs to --scenario single and server",
            ));
        }
        let sizes = self.batch_sizes.iter().chain(&self.batch_size);
        if let Some(size) = sizes
            .copied()
            .find(|size| *size == 0 || (!is_server && *size > items))
        {
            return Err(usage(format!(
                "a query of {size} items: there are {items}, and each is in a query once at most"
            )));
        }
        if self.thread_counts.contains(&0) {
            return Err(usage("--thread-counts: 0 threads do nothing"));
        }
        Ok(())
    }

    /// Opens the file of the samples, if there is to be one.
    pub fn open_samples(&self) -> anyhow::Result<Option<Sink>> {
        self.samples
            .as_deref()
            .map(|path| Sink::open(Some(path)))
            .transpose()
    }

    /// What decides the numbers, by flag name.
    pub fn settings(&self, subject: &Subject, items: usize) -> BTreeMap<String, serde_json::Value> {
        let limits = self.limits(subject);
        let mut settings = BTreeMap::from([
            (
                "scenario".to_owned(),
                Scenario::from(self.scenario).name().into(),
            ),
            (
                "duration".to_owned(),
                limits.min_duration.as_secs_f64().into(),
            ),
            ("min-queries".to_owned(), limits.min_queries.into()),
            ("warm-up".to_owned(), limits.warm_up.as_secs_f64().into()),
            ("seed".to_owned(), self.seed.into()),
            ("items".to_owned(), items.into()),
        ]);
        let mut add =
            |name: &str, value: serde_json::Value| settings.insert(name.to_owned(), value);
        match self.scenario {
            ScenarioArg::Single => {
                add("batch-size", self.batch(subject, items).into());
            }
            ScenarioArg::Offline => {}
            ScenarioArg::Server => {
                add("batch-size", self.batch(subject, items).into());
                add(
                    "latency-bound",
                    self.latency_bound.unwrap_or(subject.bound).into(),
                );
                add("rate", self.rate.into());
            }
            ScenarioArg::Sweep => {
                let grid = self.grid(subject, items);
                add("batch-sizes", grid.batches.into());
                add("thread-counts", grid.threads.into());
            }
        }
        settings
    }

    fn limits(&self, subject: &Subject) -> Limits {
        let (duration, queries) = match self.scenario {
            ScenarioArg::Single | ScenarioArg::Server => (10.0, subject.min_queries),
            ScenarioArg::Offline => (10.0, 5),
            ScenarioArg::Sweep => (1.0, 3),
        };
        let duration = self.duration.unwrap_or(duration);
        Limits {
            warm_up: Duration::from_secs_f64(self.warm_up.unwrap_or(duration / 10.0)),
            min_duration: Duration::from_secs_f64(duration),
            min_queries: self.min_queries.unwrap_or(queries),
            max_duration: Duration::from_secs_f64(self.max_duration),
        }
    }

    fn batch(&self, subject: &Subject, items: usize) -> usize {
        match (self.scenario, self.batch_size) {
            (ScenarioArg::Offline, _) => items,
            (_, Some(size)) => size,
            (ScenarioArg::Server, None) if subject.target != BenchTarget::Score => 32.min(items),
            _ => 1,
        }
    }

    fn grid(&self, subject: &Subject, items: usize) -> Grid {
        let or = |given: &[usize], default: Vec<usize>| {
            if given.is_empty() {
                default
            } else {
                given.to_vec()
            }
        };
        let all = rayon::current_num_threads();
        let mut threads: Vec<usize> = std::iter::successors(Some(1), |n| Some(2 * n))
            .take_while(|n| *n < all)
            .collect();
        threads.push(all);
        let batches = subject
            .batch_sizes
            .iter()
            .copied()
            .filter(|size| *size <= items)
            .collect();
        Grid {
            batches: or(&self.batch_sizes, batches),
            threads: or(&self.thread_counts, threads),
        }
    }

    /// Runs the scenario and everything that is measured around it.
    pub fn run(
        &self,
        target: &mut dyn Target,
        subject: &Subject,
        host: &Host,
        samples_file: Option<Sink>,
        output: &Output,
    ) -> anyhow::Result<BenchResults> {
        let items = target.items();
        let limits = self.limits(subject);
        let clock = WallClock::new();
        let overhead = queries::overhead(&clock);
        let bar = output.bar(1000, "measuring");
        let progress = |share: f64| bar.set_position((1000.0 * share) as u64);
        let harness = Harness {
            clock: &clock,
            limits,
            seed: self.seed,
            stop: &interrupted,
            progress: &progress,
        };
        // Listens for Ctrl-C from here on.
        interrupted();
        let batch = self.batch(subject, items);
        let mut server = None;
        let mut cells = Vec::new();
        let samples = match self.scenario {
            ScenarioArg::Single => queries::single(target, batch, &harness),
            ScenarioArg::Offline => queries::offline(target, &harness),
            ScenarioArg::Server => {
                let (samples, found) = self.serve(target, subject, batch, &harness);
                server = Some(found);
                samples
            }
            ScenarioArg::Sweep => {
                let (found, samples) = sweep(target, &self.grid(subject, items), &harness)?;
                cells = found;
                samples
            }
        };
        bar.finish_and_clear();
        // Before the ceilings, whose own memory is not the target's.
        let peak_memory_bytes = (subject.peak_memory)();
        let ceilings = match subject.has_ceilings && self.scenario != ScenarioArg::Sweep {
            true => Some(ceilings::measure(CEILINGS)?),
            false => None,
        };
        if let Some(file) = samples_file {
            write(&samples, file)?;
        }
        Ok(results(Run {
            target: subject.target,
            scenario: self.scenario.into(),
            item: subject.item,
            items_per_query: batch,
            samples: &samples,
            server,
            sweep: cells,
            ceilings,
            peak_memory_bytes,
            load_seconds: subject.load_seconds,
            overhead,
            limits: &limits,
            host,
        }))
    }

    fn serve(
        &self,
        target: &mut dyn Target,
        subject: &Subject,
        batch: usize,
        harness: &Harness,
    ) -> (Samples, Server) {
        let service = Service {
            bound: self.latency_bound.unwrap_or(subject.bound),
            batch,
        };
        let found = match self.rate {
            Some(rate) => server::at_rate(target, rate, &service, harness),
            None => search(target, &service, harness),
        };
        let server = Server {
            bound_seconds: service.bound,
            seed: self.seed,
            given_rate: self.rate,
            highest_rate: found.highest_rate,
            points: found.points,
        };
        (found.samples, server)
    }
}

/// Time for each ceiling.
const CEILINGS: Duration = Duration::from_millis(300);

fn write(samples: &Samples, file: Sink) -> anyhow::Result<()> {
    let mut text = Vec::new();
    samples.write(&mut text)?;
    file.write(&text)
}

/// Most memory that this process has held.
pub fn own_memory() -> Option<u64> {
    host::peak_memory_bytes()
}
