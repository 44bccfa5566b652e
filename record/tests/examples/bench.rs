//! Records of benchmarks: one per scenario, one of them INVALID.

use fgd_record::*;
use serde_json::json;

use super::record;

fn bounded(value: f64, share: f64) -> Measure {
    Measure {
        low: Some(value * (1.0 - share)),
        high: Some(value * (1.0 + share)),
        ..Measure::exact(value)
    }
}

fn headline(name: &str, unit: &str, higher_is_better: bool, measured: Measure) -> Headline {
    Headline { name: name.into(), unit: unit.into(), higher_is_better, measured }
}

fn bench(results: BenchResults) -> Record {
    let mut record = record(Results::Bench(Box::new(results)), "unused");
    record.inputs.clear();
    record.settings = [("duration".to_string(), json!(10.0))].into();
    record.timings = [("load".to_string(), 0.21), ("bench".to_string(), 12.5)].into();
    record
}

/// What all examples share.
fn results() -> BenchResults {
    BenchResults {
        definition_version: 1,
        item: "caption".into(),
        queries: Queries {
            issued: 1024,
            warm_up: 52,
            items_per_query: 1,
            items: 1024,
            tokens: Some(25_395),
            seconds: 10.4,
            ..Queries::default()
        },
        ceilings: Some(Ceilings {
            fma_gflop_per_second: 171.2,
            gemm_gflop_per_second: 148.9,
            read_gb_per_second: 21.4,
        }),
        peak_memory_bytes: Some(184_549_376),
        load_seconds: Some(0.21),
        overhead: Overhead { seconds_per_query: 4.1e-7, late_p99_seconds: None },
        validity: Validity { valid: true, ..Validity::default() },
        ..BenchResults::default()
    }
}

fn latency(scale: f64) -> QueryLatency {
    let p99 = 0.0171 * scale;
    QueryLatency {
        min: 0.0071 * scale,
        mean: 0.0101 * scale,
        max: 0.0312 * scale,
        percentiles: vec![
            Percentile { percentile: 50.0, seconds: bounded(0.0098 * scale, 0.004) },
            Percentile { percentile: 90.0, seconds: bounded(0.0123 * scale, 0.011) },
            Percentile {
                percentile: 99.0,
                seconds: Measure {
                    low: Some(p99 * 0.94),
                    reason: Some(
                        "no upper bound from 301 independent queries: 528 would give one".into(),
                    ),
                    ..Measure::exact(p99)
                },
            },
            Percentile {
                percentile: 99.9,
                seconds: Measure::missing("1,024 queries are too few: 1,000 must be beside it"),
            },
        ],
        design_effect: 3.4,
        curve: [
            (0.0, 0.0071),
            (0.5, 0.0098),
            (0.75, 0.0108),
            (0.9, 0.0123),
            (0.99, 0.0171),
            (0.999, 0.0255),
            (1.0, 0.0312),
        ]
        .map(|(share, seconds)| (share, seconds * scale))
        .into(),
    }
}

fn stage(
    name: &str,
    unit: &str,
    count: u64,
    seconds: f64,
    share: f64,
    gflop: f64,
    bytes: f64,
) -> Stage {
    let seconds_per_unit = seconds / count as f64;
    let speed = gflop / seconds_per_unit;
    let attainable = (gflop * 1e9 / bytes * 21.4).min(171.2);
    Stage {
        name: name.into(),
        unit: unit.into(),
        count,
        seconds,
        share,
        seconds_per_unit,
        gflop_per_unit: Some(gflop),
        bytes_per_unit: Some(bytes),
        gflop_per_second: Some(speed),
        gb_per_second: Some(bytes / 1e9 / seconds_per_unit),
        attainable_gflop_per_second: Some(attainable),
        bound_by: Some(if attainable < 171.2 { BoundBy::Memory } else { BoundBy::Arithmetic }),
    }
}

/// The encoder, one caption after the other.
pub fn single() -> Record {
    bench(BenchResults {
        headlines: vec![
            headline("latency_p50", "s", false, bounded(0.0098, 0.004)),
            headline("latency_p90", "s", false, bounded(0.0123, 0.011)),
            headline("throughput", "captions/s", true, bounded(98.5, 0.008)),
            headline("peak_memory", "bytes", false, Measure::exact(184_549_376.0)),
            headline("load_time", "s", false, Measure::exact(0.21)),
        ],
        latency: Some(latency(1.0)),
        throughput: Some(Throughput {
            items_per_second: bounded(98.5, 0.008),
            tokens_per_second: Some(bounded(2442.0, 0.009)),
        }),
        stages: vec![stage("encode", "caption", 1024, 10.3, 0.99, 1.054, 8.5e7)],
        ..results()
    })
}

/// The encoder, overloaded.
pub fn server() -> Record {
    let point = |rate: f64, p99: f64, outcome| ServerPoint {
        rate,
        queries: 800,
        answered_per_second: rate.min(142.0),
        p99_seconds: bounded(p99, 0.05),
        outcome,
    };
    bench(BenchResults {
        scenario: Scenario::Server,
        headlines: vec![headline(
            "highest_rate",
            "queries/s",
            true,
            Measure { low: Some(120.0), high: Some(126.0), ..Measure::exact(120.0) },
        )],
        queries: Queries {
            failed: 2,
            failures: vec!["the tokenizer refused <script>alert('x')</script>".into()],
            items_per_query: 32,
            ..results().queries
        },
        latency: Some(latency(4.0)),
        server: Some(Server {
            bound_seconds: 0.1,
            seed: 7,
            given_rate: None,
            highest_rate: Some(bounded(120.0, 0.05)),
            points: vec![
                point(160.0, 2.31, ServerOutcome::Overloaded),
                point(80.0, 0.031, ServerOutcome::Kept),
                point(126.0, 0.13, ServerOutcome::Missed),
                point(120.0, 0.101, ServerOutcome::Undecided),
            ],
        }),
        overhead: Overhead { seconds_per_query: 4.1e-7, late_p99_seconds: Some(7.2e-5) },
        validity: Validity {
            valid: false,
            reasons: vec![
                Remark {
                    reason: "2 of 1,024 queries failed".into(),
                    change: "mend what the first of them says".into(),
                },
                Remark {
                    reason: "the 99th percentile is not shown to be within 100 ms".into(),
                    change: "lower the rate or raise --latency-bound".into(),
                },
            ],
            warnings: vec![Remark {
                reason: "the load average was 3.1 on 2 cores when the run started".into(),
                change: "close other programs".into(),
            }],
        },
        ..results()
    })
}

/// The encoder, every batch with every number of threads.
pub fn sweep() -> Record {
    let cell = |threads: u64, batch: u64, speed: f64| SweepCell {
        batch,
        threads,
        queries: 60,
        items_per_second: bounded(speed, 0.01),
        tokens_per_second: Some(speed * 24.8),
        p50_seconds: bounded(batch as f64 / speed, 0.01),
    };
    bench(BenchResults {
        scenario: Scenario::Sweep,
        queries: Queries {
            issued: 360,
            items_per_query: 64,
            items: 8760,
            tokens: Some(217_248),
            ..results().queries
        },
        headlines: vec![headline("throughput", "captions/s", true, bounded(161.0, 0.01))],
        sweep: vec![
            cell(1, 1, 61.0),
            cell(1, 8, 78.5),
            cell(1, 64, 84.0),
            cell(2, 1, 98.5),
            cell(2, 8, 140.0),
            cell(2, 64, 161.0),
        ],
        ..results()
    })
}

/// The captioner, split into its stages.
pub fn captioner() -> Record {
    let mut record = bench(BenchResults {
        target: BenchTarget::Captioner,
        scenario: Scenario::Offline,
        item: "image".into(),
        headlines: vec![
            headline("throughput", "images/s", true, bounded(0.0213, 0.02)),
            headline("tokens_per_second", "tokens/s", true, bounded(0.64, 0.02)),
            headline("peak_memory", "bytes", false, Measure::exact(1.62e10)),
        ],
        queries: Queries {
            issued: 3,
            warm_up: 1,
            items_per_query: 4,
            items: 12,
            tokens: Some(360),
            seconds: 563.0,
            ..Queries::default()
        },
        throughput: Some(Throughput {
            items_per_second: bounded(0.0213, 0.02),
            tokens_per_second: Some(bounded(0.64, 0.02)),
        }),
        stages: vec![
            Stage {
                name: "decode and resize".into(),
                unit: "image".into(),
                count: 12,
                seconds: 0.35,
                share: 0.0006,
                seconds_per_unit: 0.35 / 12.0,
                ..Stage::default()
            },
            stage("vision", "image", 12, 141.0, 0.25, 526.0, 3.95e9),
            stage("Q-Former", "image", 12, 5.1, 0.009, 15.9, 4.2e8),
            stage("encoder", "image", 12, 30.1, 0.053, 101.0, 4.9e9),
            stage("first token", "image", 12, 11.9, 0.021, 3.2, 6.1e9),
            stage("further token", "token", 348, 372.0, 0.66, 3.2, 6.1e9),
        ],
        ..results()
    });
    record.encoder = None;
    record.checkpoint = Some(CheckpointInfo {
        id: "random-blip2".into(),
        revision: None,
        sha256: "d4".repeat(32),
        adapter: None,
        dtype: "f32".into(),
        device: "cpu".into(),
    });
    record
}
