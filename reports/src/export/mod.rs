//! Records in the formats of other programs: the Hugging Face Hub, Bencher, pull requests and READMEs.

mod adapter_card;
mod badge;
mod bencher;
mod card;
mod chart;
mod comment;
mod hub;

use fgd_record::{Measure, ScoreResults};

pub use adapter_card::adapter_card;
pub use badge::badge;
pub use bencher::bmf;
pub use card::card;
pub use chart::{chart, chart_png};
pub use comment::{comment, mark};
pub use hub::{Dataset, eval_results, model_card};

/// Why a record has no place in another program's format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The format describes one kind of thing and the record holds another.
    #[error("{format} cannot hold a record of `fgd {kind}`: give {instead}")]
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
    /// The record has no picture.
    #[error("a record of `fgd {kind}` without a picture has no chart to export")]
    NoChart {
        /// The record's kind.
        kind: &'static str,
    },
    /// The card that is there cannot be written into.
    #[error("the model card that is there is left alone: {0}")]
    Card(&'static str),
    /// The number to export is missing.
    #[error("the record has no {metric} to export: {reason}")]
    Missing {
        /// The metric.
        metric: &'static str,
        /// Why it is missing.
        reason: String,
    },
}

/// A number of a system with its name.
struct NamedMeasure<'a> {
    name: &'a str,
    label: &'a str,
    measure: Measure,
}

/// The numbers of a system that are there, the set distance with its bias removed.
fn numbers(scores: &ScoreResults) -> impl Iterator<Item = NamedMeasure<'_>> {
    let set = ("fgd_set", "fgd_set, bias removed", scores.fgd_set.without_bias());
    let further = scores.metrics.iter();
    let further = further
        .map(|(name, metric)| (name.as_str(), metric.label.as_str(), metric.measure.clone()));
    [
        ("fgd_paired", "fgd_paired", scores.fgd_paired.clone()),
        ("mean_cosine", "mean_cosine", scores.mean_cosine.clone()),
        set,
    ]
    .into_iter()
    .chain(further)
    .map(|(name, label, measure)| NamedMeasure { name, label, measure })
    .filter(|number| number.measure.value.is_some())
}
