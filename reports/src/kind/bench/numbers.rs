//! A benchmark's numbers, one per row, with their 99% bounds.

use fgd_record::{BenchResults, Measure, Record};

use crate::document::number::plural;
use crate::document::{Tidy, Value, plain};

const HEADER: [&str; 10] =
    ["system", "target", "scenario", "part", "name", "value", "low99", "high99", "unit", "reason"];

/// All numbers; what was not measured has no row.
pub fn rows(record: &Record, results: &BenchResults) -> Tidy {
    let mut rows = Vec::new();
    let system = record.system_name();
    let start = [system.as_str(), results.target.name(), results.scenario.name()];
    let mut push = |part: &str, name: &str, measure: &Measure, unit: &str| {
        let texts = start.into_iter().chain([part, name]).map(Value::from);
        let numbers = [measure.value, measure.low, measure.high].map(Value::from);
        let end = [unit.into(), (&measure.reason).into()];
        rows.push(texts.chain(numbers).chain(end).collect());
    };
    for headline in &results.headlines {
        push("headline", &headline.name, &headline.measured, &headline.unit);
    }
    if let Some(latency) = &results.latency {
        push("latency", "min", &plain(latency.min), "s");
        push("latency", "mean", &plain(latency.mean), "s");
        push("latency", "max", &plain(latency.max), "s");
        for percentile in &latency.percentiles {
            let name = format!("p{}", percentile.percentile);
            push("latency", &name, &percentile.seconds, "s");
        }
    }
    if let Some(server) = &results.server {
        push("server", "bound", &plain(server.bound_seconds), "s");
        for (at, point) in server.points.iter().enumerate() {
            let part = format!("arrivals {}", at + 1);
            push(&part, "rate", &plain(point.rate), "queries/s");
            push(&part, "answered", &plain(point.answered_per_second), "queries/s");
            push(&part, "p99", &point.p99_seconds, "s");
        }
    }
    let per_second = format!("{}/s", plural(&results.item));
    for cell in &results.sweep {
        let part = format!("{} threads, batch {}", cell.threads, cell.batch);
        push(&part, "throughput", &cell.items_per_second, &per_second);
        if cell.tokens_per_second.is_some() {
            push(&part, "tokens_per_second", &plain(cell.tokens_per_second), "tokens/s");
        }
        push(&part, "p50", &cell.p50_seconds, "s");
    }
    for stage in &results.stages {
        let part = format!("stage {}", stage.name);
        let per_unit = format!("s/{}", stage.unit);
        for (name, value, unit) in [
            ("share", Some(stage.share), ""),
            ("seconds_per_unit", Some(stage.seconds_per_unit), &per_unit),
            ("gflop_per_unit", stage.gflop_per_unit, "GFLOP"),
            ("gflop_per_second", stage.gflop_per_second, "GFLOP/s"),
            ("gb_per_second", stage.gb_per_second, "GB/s"),
            ("share_of_ceiling", stage.share_of_ceiling(), ""),
        ] {
            if value.is_some() {
                push(&part, name, &plain(value), unit);
            }
        }
    }
    if let Some(ceilings) = &results.ceilings {
        push("ceiling", "fma", &plain(ceilings.fma_gflop_per_second), "GFLOP/s");
        push("ceiling", "gemm", &plain(ceilings.gemm_gflop_per_second), "GFLOP/s");
        push("ceiling", "read", &plain(ceilings.read_gb_per_second), "GB/s");
    }
    let (queries, overhead) = (&results.queries, &results.overhead);
    push("run", "queries", &plain(queries.issued as f64), "");
    push("run", "failed", &plain(queries.failed as f64), "");
    push("run", "seconds", &plain(queries.seconds), "s");
    push("run", "overhead", &plain(overhead.seconds_per_query), "s/query");
    if overhead.late_p99_seconds.is_some() {
        push("run", "late_p99", &plain(overhead.late_p99_seconds), "s");
    }
    let valid = f64::from(u8::from(results.validity.valid));
    push("run", "valid", &plain(valid), "");
    Tidy { header: &HEADER, rows }
}
