//! Bencher Metric Format: one benchmark per system, one measure per metric.
//!
//! Source: Bencher's reference, "Bencher Metric Format (BMF)": an object of benchmarks, each an
//! object of measures with `value` and, where known, `lower_value` and `upper_value`. Names of
//! benchmarks have at most 1,024 characters, those of measures at most 64. `latency` (nanoseconds)
//! and `throughput` (operations per second) are the measures that Bencher itself defines.

use super::{numbers, systems};
use crate::document::visible;
use fgd_record::{BenchResults, CaptionResults, Record, Results};
use serde_json::{Map, Value, json};

/// The record as BMF, pretty, with a final newline. Numbers that are missing are left out.
pub fn bmf(record: &Record) -> String {
    let mut benchmarks = Map::new();
    for (name, scores) in systems(record) {
        let mut measures = Map::new();
        for number in scores.map(numbers).unwrap_or_default() {
            let mut metric = json!({ "value": number.value });
            if let Some([low, high]) = number.ci95 {
                metric["lower_value"] = json!(low);
                metric["upper_value"] = json!(high);
            }
            measures.insert(slug(number.name), metric);
        }
        if let Some(captioning) = captioning(record, &name) {
            speed(captioning, &mut measures);
        }
        let name: String = visible(&name).chars().take(1024).collect();
        benchmarks.insert(name, Value::Object(measures));
    }
    if let Results::Bench(results) = &record.results {
        let name: String = benchmark_name(record, results).chars().take(1024).collect();
        benchmarks.insert(name, Value::Object(bench(results)));
    }
    let mut text = serde_json::to_string_pretty(&benchmarks)
        .expect("a map with string keys and finite numbers has a JSON text");
    text.push('\n');
    text
}

/// Target, model and scenario: what Bencher follows under one name.
fn benchmark_name(record: &Record, results: &BenchResults) -> String {
    let (target, scenario) = (results.target.name(), results.scenario.name());
    visible(&format!("{target} {} {scenario}", record.system_name()))
}

/// The headlines of a benchmark; times in nanoseconds, as Bencher's own measures are.
fn bench(results: &BenchResults) -> Map<String, Value> {
    let mut measures = Map::new();
    for headline in &results.headlines {
        let factor = if headline.unit == "s" { 1e9 } else { 1.0 };
        let Some(value) = headline.measured.value else {
            continue;
        };
        let mut metric = json!({ "value": value * factor });
        for (key, bound) in [
            ("lower_value", headline.measured.low),
            ("upper_value", headline.measured.high),
        ] {
            if let Some(bound) = bound {
                metric[key] = json!(bound * factor);
            }
        }
        measures.insert(slug(&headline.name), metric);
    }
    measures
}

fn captioning<'a>(record: &'a Record, name: &str) -> Option<&'a CaptionResults> {
    match &record.results {
        Results::Compare(results) => {
            let system = results.systems.iter().find(|s| s.name == name)?;
            system.captioning.as_ref()
        }
        Results::Caption(results) => Some(results),
        _ => None,
    }
}

fn speed(captioning: &CaptionResults, measures: &mut Map<String, Value>) {
    if let Some(rate) = captioning.images_per_second.value {
        measures.insert("throughput".into(), json!({ "value": rate }));
    }
    if let Some(ms) = &captioning.caption_ms {
        measures.insert("latency".into(), json!({ "value": 1e6 * ms.p50 }));
    }
}

/// The name of a measure as Bencher writes it: lower-case letters, digits and hyphens.
fn slug(name: &str) -> String {
    name.chars()
        .map(|c| match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => c,
            _ => '-',
        })
        .take(64)
        .collect()
}
