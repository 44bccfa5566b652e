//! Ten years of a suite of fifty systems, made up: how long its history takes to open, to judge and to render.
//!
//!     cargo run --release --example nightly_years
//!
//! Each system has two metrics and each of fifty benchmarks two figures: 200 series, 730,000 figures.

use std::collections::BTreeMap;
use std::time::Instant;

use fgd::jobs::provenance::{self, Origin};
use fgd::nightly::history::{Entry, History, Kind, Night, Outcome, Series};
use fgd::nightly::speed::{Runs, cost};
use fgd::nightly::suite::Gates;
use fgd::nightly::trend;
use fgd_metrics::series::{Finding, Rule, Standing, judge};
use fgd_record::{NightlyFinding, NightlyResults, NightlyVerdict, Record, Results};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

const NIGHTS: usize = 3652;
const SYSTEMS: usize = 50;

fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("history.sqlite");
    let clock = Instant::now();
    fill(&file)?;
    println!(
        "made in {:.1} s, {} MB",
        clock.elapsed().as_secs_f64(),
        std::fs::metadata(&file)?.len() >> 20
    );

    let rule = Rule::default();
    let all = Instant::now();
    let history = History::open_file(&file)?;
    println!("open and check   {:6.2} s", all.elapsed().as_secs_f64());
    let clock = Instant::now();
    let nights = history.nights("years")?;
    let pasts = history.pasts("years", &nights)?;
    let figures: usize = pasts.iter().map(|past| past.points.len()).sum();
    println!("read             {:6.2} s ({figures} figures)", clock.elapsed().as_secs_f64());
    let clock = Instant::now();
    let findings: Vec<NightlyFinding> = pasts
        .iter()
        .filter_map(|past| {
            let mut runs = Runs::of(past);
            let tonight = runs.runs.pop()?;
            let judgement = judge(&runs.runs, tonight.value, runs.from, &rule);
            Some(NightlyFinding {
                system: past.series.system.clone(),
                metric: past.series.metric.clone(),
                kind: "speed".into(),
                verdict: match judgement.finding {
                    Finding::Regressed => NightlyVerdict::Regressed,
                    Finding::Improved => NightlyVerdict::Improved,
                    Finding::Unchanged => NightlyVerdict::Unchanged,
                    Finding::InsufficientHistory => NightlyVerdict::InsufficientHistory,
                },
                value: past.points.last()?.value,
                change: judgement.change,
                ..NightlyFinding::default()
            })
        })
        .collect();
    println!(
        "verdicts         {:6.2} s ({} series)",
        clock.elapsed().as_secs_f64(),
        findings.len()
    );
    let clock = Instant::now();
    let results = NightlyResults {
        suite: "years".into(),
        night: nights.last().map(|night| night.started.clone()).unwrap_or_default(),
        findings,
        trends: trend::all(&pasts, &nights, &Gates::default()),
        ..NightlyResults::default()
    };
    let changes: usize = results.trends.iter().map(|trend| trend.changes.len()).sum();
    println!(
        "trends           {:6.2} s ({changes} changes of level)",
        clock.elapsed().as_secs_f64()
    );
    let clock = Instant::now();
    fgd_reports::site::write(&[record(results)], &folder.path().join("site"))?;
    println!("site             {:6.2} s", clock.elapsed().as_secs_f64());
    println!("all              {:6.2} s", all.elapsed().as_secs_f64());
    Ok(())
}

/// A level that changes now and then; of speeds with two percent of noise, qualities have none.
fn fill(file: &std::path::Path) -> anyhow::Result<()> {
    let mut history = History::open_file(file)?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut levels = vec![1.0f64; 4 * SYSTEMS];
    let begin = OffsetDateTime::from_unix_timestamp(1_450_000_000)?;
    for index in 0..NIGHTS {
        let night = Night {
            suite: "years".into(),
            started: (begin + Duration::days(index as i64)).format(&Rfc3339)?,
            version: "0.1.0".into(),
            commit: Some(format!("{index:040x}")),
            host: "0123456789ab".into(),
            cpu: "a made-up processor".into(),
        };
        let entries: Vec<Entry> = levels
            .iter_mut()
            .enumerate()
            .map(|(number, level)| {
                if rng.random_bool(1.0 / 600.0) {
                    *level *= rng.random_range(0.8..1.2);
                }
                // The sum of four uniform deviates, near enough to a normal one.
                let noise: f64 = (0..4).map(|_| rng.random_range(-0.5..0.5)).sum();
                let spread = if is_speed(number) { 0.035 } else { 0.0 };
                entry(number, *level * (1.0 + spread * noise))
            })
            .collect();
        history.record(&night, &entries)?;
    }
    Ok(())
}

fn is_speed(number: usize) -> bool {
    number % 4 > 1
}

fn entry(number: usize, value: f64) -> Entry {
    let (system, figure) = (number / 4, number % 4);
    let metric = ["fgd_paired", "fgd_set", "latency_p50", "throughput"][figure];
    let is_speed = is_speed(number);
    assert!(cost(value, None).is_some(), "made-up figures are positive");
    Entry {
        series: Series {
            suite: "years".into(),
            system: format!("{} {system}", if is_speed { "benchmark" } else { "system" }),
            metric: metric.into(),
            kind: if is_speed { Kind::Speed } else { Kind::Quality },
            definition: "v1".into(),
            host: if is_speed { "0123456789ab".into() } else { String::new() },
            engine: "packed".into(),
            dtype: "f32".into(),
            threads: 2,
            unit: String::new(),
            higher_is_better: Some(metric == "throughput"),
        },
        outcome: Outcome::Measured,
        value: Some(value),
        low: Some(0.99 * value),
        high: Some(1.01 * value),
        first: None,
        standing: Standing::Accepted,
        verdict: NightlyVerdict::Unchanged,
        reason: String::new(),
        inputs: 0,
        record: None,
    }
}

fn record(results: NightlyResults) -> Record {
    let origin = Origin {
        host: fgd::host::describe(),
        encoder: None,
        checkpoint: None,
        inputs: Vec::new(),
        settings: BTreeMap::new(),
        comparability: provenance::comparability(None, "0".repeat(64)),
        findings: Vec::new(),
        timings: BTreeMap::new(),
    };
    provenance::record(origin, Results::Nightly(Box::new(results)))
}
