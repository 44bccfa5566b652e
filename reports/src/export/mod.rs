//! Records in the formats of other programs: the Hugging Face Hub and Bencher.

mod bencher;
mod hub;

pub use bencher::bmf;
pub use hub::{Benchmark, eval_results, model_card};

use fgd_record::{Record, Results, ScoreResults};

/// Why a record has no place in another program's format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The format describes one kind of thing and the record holds another.
    #[error("{format} can not hold a record of `fgd {kind}`: give {instead}")]
    Kind {
        /// The format.
        format: &'static str,
        /// The record's kind.
        kind: &'static str,
        /// What would do.
        instead: &'static str,
    },
    /// The Hub would rank the number beside those of gte-small.
    #[error(
        "these are not numbers of thenlper/gte-small but of {encoder}: the Hub would rank them beside FGD; score again with the default encoder"
    )]
    NotFgd {
        /// The encoder.
        encoder: String,
    },
    /// The number to export is missing.
    #[error("the record has no {metric} to export: {reason}")]
    Missing {
        /// The metric.
        metric: &'static str,
        /// Why it is missing.
        reason: String,
    },
}

/// A number with its name and 95% interval.
struct Number<'a> {
    name: &'a str,
    label: &'a str,
    value: f64,
    se: Option<f64>,
    ci95: Option<[f64; 2]>,
}

/// The numbers of a system that are there, the set distance with its bias removed.
fn numbers(scores: &ScoreResults) -> Vec<Number<'_>> {
    let set = &scores.fgd_set;
    let measures = [
        ("fgd_paired", &scores.fgd_paired),
        ("mean_cosine", &scores.mean_cosine),
    ];
    let measures = measures.into_iter().filter_map(|(name, measure)| {
        Some(Number {
            name,
            label: name,
            value: measure.value?,
            se: measure.se,
            ci95: measure.ci95,
        })
    });
    let set = set.corrected.map(|value| Number {
        name: "fgd_set",
        label: "fgd_set, bias removed",
        value,
        se: set.se,
        ci95: set.ci95,
    });
    let further = scores.metrics.iter().filter_map(|(name, metric)| {
        Some(Number {
            name,
            label: &metric.label,
            value: metric.measure.value?,
            se: metric.measure.se,
            ci95: metric.measure.ci95,
        })
    });
    measures.chain(set).chain(further).collect()
}

/// The systems of a record with their scores, where they have any.
fn systems(record: &Record) -> Vec<(String, Option<&ScoreResults>)> {
    match &record.results {
        Results::Score(scores) => vec![(record.system_name(), Some(&**scores))],
        Results::Compare(results) => results
            .systems
            .iter()
            .map(|system| (system.name.clone(), Some(&system.scores)))
            .collect(),
        Results::Leaderboard(results) => results
            .standings
            .iter()
            .map(|standing| (standing.name.clone(), Some(&standing.scores)))
            .collect(),
        Results::Caption(_) => vec![(record.system_name(), None)],
        Results::Bench(_) | Results::Nightly(_) => Vec::new(),
    }
}
