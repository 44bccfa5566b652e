//! Bencher Metric Format: one benchmark per system, one measure per metric.
//!
//! Source: Bencher's reference, "Bencher Metric Format (BMF)": an object of benchmarks, each an
//! object of measures with `value` and, where known, `lower_value` and `upper_value`. Names of
//! benchmarks have at most 1,024 characters, those of measures at most 64. `latency` (nanoseconds)
//! and `throughput` (operations per second) are the measures that Bencher itself defines.

use fgd_record::{Measure, Record};
use serde_json::{Map, Value, json};

use super::{ExportError, numbers};
use crate::document::{plain, visible};
use crate::kind;

/// The record as BMF, pretty, with a final newline. Numbers that are missing are left out.
///
/// # Errors
/// [`ExportError::Kind`] where the record has no number of a system.
pub fn bmf(record: &Record) -> Result<String, ExportError> {
    let mut benchmarks = Map::new();
    for system in kind::of(record).subjects(record) {
        let mut measures = Map::new();
        for number in system.scores.into_iter().flat_map(numbers) {
            measures.extend(metric(number.name, &number.measure, 1.0));
        }
        if let Some(captioning) = system.captioning {
            let rate = plain(captioning.images_per_second.value);
            measures.extend(metric("throughput", &rate, 1.0));
            let median = plain(captioning.caption_ms.map(|ms| ms.p50));
            measures.extend(metric("latency", &median, 1e6));
        }
        for headline in system.headlines {
            // Bencher's own measures of time are in nanoseconds.
            let factor = if headline.unit == "s" { 1e9 } else { 1.0 };
            measures.extend(metric(&headline.name, &headline.measured, factor));
        }
        let name: String = visible(&system.name).chars().take(1024).collect();
        benchmarks.insert(name, Value::Object(measures));
    }
    if benchmarks.is_empty() {
        return Err(ExportError::Kind {
            format: "Bencher Metric Format",
            kind: record.results.kind(),
            instead: "one with numbers of systems, such as that of a score or a benchmark",
        });
    }
    let mut text = serde_json::to_string_pretty(&benchmarks)
        .expect("a map with string keys and finite numbers has a JSON text");
    text.push('\n');
    Ok(fgd_record::json::inert(text))
}

/// A number in units of which there are `factor`, with the ends of its interval that are known.
fn metric(name: &str, measure: &Measure, factor: f64) -> Option<(String, Value)> {
    let mut metric = json!({ "value": measure.value? * factor });
    for (key, end) in [("lower_value", measure.low), ("upper_value", measure.high)] {
        if let Some(end) = end {
            metric[key] = json!(end * factor);
        }
    }
    Some((slug(name), metric))
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
