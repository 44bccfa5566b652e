//! From what a scenario saw to the results of a record.

use fgd_record::{
    BenchResults, BenchTarget, Ceilings, Headline, Host, Measure, Overhead, Queries, Remark,
    Scenario, Server, SweepCell, Throughput,
};

use super::percentiles::latency;
use super::queries::Limits;
use super::rates::per_second;
use super::roofline::stages;
use super::samples::{Sample, Samples};
use super::{DEFINITION_VERSION, validity};

/// A finished run with all that was measured around it.
pub struct Run<'a> {
    /// What was benchmarked.
    pub target: BenchTarget,
    /// How it was asked.
    pub scenario: Scenario,
    /// What one item is called.
    pub item: &'a str,
    /// Items per query; in a server the most that are served together. A sweep's are those of its cells.
    pub items_per_query: usize,
    /// The queries.
    pub samples: &'a Samples,
    /// Arrivals, in a server.
    pub server: Option<Server>,
    /// Why a search for a server's rate found none.
    pub unsettled: Option<Remark>,
    /// Cells, in a sweep.
    pub sweep: Vec<SweepCell>,
    /// What the machine allows, where it was measured.
    pub ceilings: Option<Ceilings>,
    /// Most memory held, in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// Seconds until the first query could be taken.
    pub load_seconds: Option<f64>,
    /// Seconds per query of the harness itself.
    pub overhead: f64,
    /// What was asked for.
    pub limits: &'a Limits,
    /// The machine.
    pub host: &'a Host,
}

/// The results of a run, judged.
pub fn results(run: Run) -> BenchResults {
    let samples = run.samples;
    let largest = run.sweep.iter().map(|cell| cell.batch).max();
    let is_sweep = run.scenario == Scenario::Sweep;
    let has_latency = matches!(run.scenario, Scenario::Single | Scenario::Server);
    let mut results = BenchResults {
        target: run.target,
        scenario: run.scenario,
        definition_version: DEFINITION_VERSION,
        item: run.item.into(),
        headlines: Vec::new(),
        queries: Queries {
            issued: samples.all.len() as u64,
            failed: samples.failed(),
            failures: samples.failures.clone(),
            warm_up: samples.warm_up,
            items_per_query: largest.unwrap_or(run.items_per_query as u64),
            items: samples.items(),
            tokens: samples.tokens(),
            seconds: samples.seconds,
        },
        latency: if has_latency { latency(&samples.latencies()) } else { None },
        throughput: throughput(run.scenario, samples),
        server: run.server,
        sweep: run.sweep,
        stages: match is_sweep {
            true => Vec::new(),
            false => stages(&samples.work, samples.busy_seconds(), run.ceilings.as_ref()),
        },
        ceilings: run.ceilings,
        peak_memory_bytes: run.peak_memory_bytes,
        load_seconds: run.load_seconds,
        overhead: Overhead {
            seconds_per_query: run.overhead,
            late_p99_seconds: late(&samples.late),
        },
        validity: Default::default(),
    };
    results.headlines = headlines(&results);
    results.validity = validity::judge(&results, samples, run.unsettled, run.limits, run.host);
    results
}

/// Work per second. A server's is that of its arrivals, which were not sampled but scheduled.
fn throughput(scenario: Scenario, samples: &Samples) -> Option<Throughput> {
    let rate = |amount: fn(&Sample) -> u64| match scenario {
        Scenario::Server => {
            let amount: u64 = samples.answered().map(amount).sum();
            Measure::exact(amount as f64 / samples.seconds)
        }
        _ => per_second(&samples.all, amount),
    };
    (scenario != Scenario::Sweep).then(|| Throughput {
        items_per_second: rate(|sample| sample.items),
        tokens_per_second: samples.has_tokens.then(|| rate(|sample| sample.tokens)),
    })
}

/// The figures to quote, by scenario; then those of any run.
fn headlines(results: &BenchResults) -> Vec<Headline> {
    let mut headlines = Vec::new();
    let mut add = |name: &str, unit: &str, higher_is_better: bool, measured: &Measure| {
        headlines.push(Headline {
            name: name.into(),
            unit: unit.into(),
            higher_is_better,
            measured: measured.clone(),
        });
    };
    if let Some(highest) = results.server.as_ref().and_then(|server| server.highest_rate.as_ref()) {
        add("highest_rate", "queries/s", true, highest);
    }
    let per_second = format!("{}s/s", results.item);
    if let Some(latency) = &results.latency {
        for percentile in latency.percentiles.iter().filter(|p| p.percentile <= 99.0) {
            let name = format!("latency_p{}", percentile.percentile);
            add(&name, "s", false, &percentile.seconds);
        }
    }
    let throughput = results.throughput.as_ref();
    if let Some(throughput) = throughput.filter(|_| results.scenario != Scenario::Server) {
        add("throughput", &per_second, true, &throughput.items_per_second);
        if let Some(tokens) = &throughput.tokens_per_second {
            add("tokens_per_second", "tokens/s", true, tokens);
        }
    }
    if let Some(best) = results.fastest() {
        add("throughput", &per_second, true, &best.items_per_second);
    }
    if let Some(bytes) = results.peak_memory_bytes {
        add("peak_memory", "bytes", false, &Measure::exact(bytes as f64));
    }
    if let Some(seconds) = results.load_seconds {
        add("load_time", "s", false, &Measure::exact(seconds));
    }
    headlines
}

/// How late the harness woke up for nearly all arrivals.
fn late(late: &[f64]) -> Option<f64> {
    let mut sorted = late.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() as f64 * 0.99).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}
