//! The scenario `sweep`: every batch size with every number of threads, each cell a short run of single queries.

use fgd_record::{Measure, SweepCell};

use super::percentiles::latency;
use super::queries::{Harness, single};
use super::rates::per_second;
use super::samples::Samples;
use super::target::Target;
use crate::threads;

/// What a sweep goes through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Items per query.
    pub batches: Vec<usize>,
    /// Threads.
    pub threads: Vec<usize>,
}

/// Why a sweep could not run.
#[derive(Debug, thiserror::Error)]
#[error("{threads} threads cannot be started: {source}")]
pub struct SweepError {
    threads: usize,
    source: rayon::ThreadPoolBuildError,
}

/// Runs all cells; answers the table, and the queries of all cells for the count of failures.
pub fn sweep(
    target: &mut dyn Target,
    grid: &Grid,
    harness: &Harness,
) -> Result<(Vec<SweepCell>, Samples), SweepError> {
    let mut cells = Vec::new();
    let mut together = Samples::default();
    for &threads in &grid.threads {
        target.use_threads(threads);
        let pool = threads::pool(threads).map_err(|source| SweepError { threads, source })?;
        for &batch in &grid.batches {
            let done = cells.len() as f64;
            let all = (grid.batches.len() * grid.threads.len()) as f64;
            let progress = |share: f64| (harness.progress)((done + share) / all);
            let within = Harness { progress: &progress, ..*harness };
            let samples = pool.install(|| single(target, batch, &within));
            cells.push(cell(batch, threads, &samples));
            together.join(samples);
            if together.interrupted {
                return Ok((cells, together));
            }
        }
    }
    Ok((cells, together))
}

fn cell(batch: usize, threads: usize, samples: &Samples) -> SweepCell {
    let median = latency(&samples.latencies())
        .and_then(|latency| latency.percentiles.into_iter().next())
        .map_or_else(|| Measure::missing("no query was answered"), |p50| p50.seconds);
    let tokens = samples.tokens().map(|tokens| tokens as f64 / samples.seconds.max(1e-9));
    SweepCell {
        batch: batch as u64,
        threads: threads as u64,
        queries: samples.all.len() as u64,
        items_per_second: per_second(&samples.all, |sample| sample.items),
        tokens_per_second: tokens,
        p50_seconds: median,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::simulation::{SimulatedClock, SimulatedTarget, harness, limits};

    #[test]
    fn every_cell_is_measured() {
        let clock = SimulatedClock::default();
        // A fixed cost per query and one per item: larger batches are faster.
        let mut target = SimulatedTarget::new(&clock, |items| 0.010 + 0.001 * items as f64);
        let grid = Grid { batches: vec![1, 10], threads: vec![1, 2] };
        let (cells, all) = sweep(&mut target, &grid, &harness(&clock, limits(1.0, 20))).unwrap();
        assert_eq!(cells.len(), 4);
        let rate = |at: usize| cells[at].items_per_second.value.unwrap();
        assert!((rate(0) - 1.0 / 0.011).abs() < 1e-6);
        assert!((rate(1) - 10.0 / 0.020).abs() < 1e-6);
        assert_eq!(cells[3].threads, 2);
        assert_eq!(all.all.len() as u64, cells.iter().map(|cell| cell.queries).sum::<u64>());
    }
}
