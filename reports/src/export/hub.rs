//! The Hugging Face Hub: `model-index` metadata of a model card, and `.eval_results/*.yaml`.
//!
//! Sources: `modelcard.md` and `docs/hub/eval-results.md` of the repository huggingface/hub-docs.
//! There `model-index` needs `task.type`, `dataset.type`, `dataset.name`, `metrics[].type` and
//! `metrics[].value`; an entry of `.eval_results` needs `dataset.id`, `dataset.task_id` and `value`,
//! and is still called work in progress. Every string is written in double quotes with JSON's
//! escapes, which YAML 1.2 reads the same.

use std::fmt::Write;

use fgd_record::{Record, Results, ScoreResults};

use super::{ExportError, NamedMeasure, numbers};
use crate::document::visible;
use crate::kind;

/// The Hub's task for captions of images.
const TASK: &str = "image-to-text";

/// What the images and references are called on the Hub.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dataset {
    /// Id of the dataset, such as `org/name`; for a dataset that is not on the Hub any name will do.
    pub id: String,
    /// Name for people; the id where there is none.
    pub name: Option<String>,
    /// Id of the task in the dataset's `eval.yaml`; `default` where there is none.
    pub task_id: Option<String>,
    /// Split of the dataset, such as `test`.
    pub split: Option<String>,
    /// Commit of the dataset.
    pub revision: Option<String>,
}

/// The front matter of a model card, between `---` lines, with one entry per system of a score or
/// compare record. Numbers of another encoder are named as such.
///
/// # Errors
/// [`ExportError::Kind`] for a record of another kind.
pub fn model_card(record: &Record, dataset: &Dataset) -> Result<String, ExportError> {
    if !matches!(record.results, Results::Score(_) | Results::Compare(_)) {
        return Err(ExportError::Kind {
            format: "model-index",
            kind: record.results.kind(),
            instead: "a score or compare record",
        });
    }
    let mut yaml = String::from("---\nmodel-index:\n");
    for system in kind::of(record).subjects(record) {
        if let Some(scores) = system.scores {
            push_model(&mut yaml, record, dataset, &system.name, scores);
        }
    }
    yaml.push_str("---\n");
    Ok(yaml)
}

fn push_model(
    yaml: &mut String,
    record: &Record,
    dataset: &Dataset,
    name: &str,
    scores: &ScoreResults,
) {
    let mut line = |indent: usize, text: String| {
        // Writing to a String can not fail.
        let _ = writeln!(yaml, "{:indent$}{text}", "");
    };
    line(0, format!("- name: {}", quoted(name)));
    line(2, "results:".into());
    line(2, "- task:".into());
    line(6, format!("type: {TASK}"));
    line(4, "dataset:".into());
    line(6, format!("type: {}", quoted(&dataset.id)));
    let dataset_name = dataset.name.as_ref().unwrap_or(&dataset.id);
    line(6, format!("name: {}", quoted(dataset_name)));
    if let Some(split) = &dataset.split {
        line(6, format!("split: {}", quoted(split)));
    }
    if let Some(revision) = &dataset.revision {
        line(6, format!("revision: {}", quoted(revision)));
    }
    line(4, "metrics:".into());
    for number in numbers(scores) {
        line(4, format!("- type: {}", quoted(number.name)));
        let measure = &number.measure;
        line(6, format!("value: {}", measure.value.unwrap_or_default()));
        line(6, format!("name: {}", quoted(&label(record, &number))));
        line(6, "args:".into());
        if scores.n > 0 {
            line(8, format!("n: {}", scores.n));
        }
        if let Some(se) = measure.se {
            line(8, format!("se: {se}"));
        }
        if let Some([low, high]) = measure.interval() {
            line(8, format!("ci95: [{low}, {high}]"));
        }
        line(8, format!("signature: {}", quoted(&record.signature)));
    }
}

/// The name of a metric for people; it says so where a distance is not FGD.
fn label(record: &Record, number: &NamedMeasure<'_>) -> String {
    let is_of_embeddings = number.name.starts_with("fgd_") || number.name == "mean_cosine";
    let whose = if is_of_embeddings { whose(record) } else { String::new() };
    format!("{}{whose}", number.label)
}

/// What stands behind the name of a distance that is not FGD.
pub(super) fn whose(record: &Record) -> String {
    match &record.encoder {
        Some(encoder) if encoder.is_gte_small => String::new(),
        Some(encoder) => format!(" (NOT FGD: encoder {})", encoder.id),
        None => " (encoder unknown)".to_owned(),
    }
}

/// A file for `.eval_results/`: `fgd_paired` of a score record.
///
/// The Hub puts it on the dataset's leaderboard, so numbers of another encoder are refused.
///
/// # Errors
/// [`ExportError::Kind`] for another kind of record, [`ExportError::NotFgd`] for another encoder, and
/// [`ExportError::Missing`] where there is no `fgd_paired`.
pub fn eval_results(record: &Record, dataset: &Dataset) -> Result<String, ExportError> {
    let Results::Score(scores) = &record.results else {
        return Err(ExportError::Kind {
            format: ".eval_results",
            kind: record.results.kind(),
            instead: "a score record",
        });
    };
    let encoder = record.encoder.as_ref();
    if !encoder.is_some_and(|encoder| encoder.is_gte_small) {
        let encoder = encoder.map_or("an unknown encoder".into(), |encoder| encoder.id.clone());
        return Err(ExportError::NotFgd { encoder });
    }
    let paired = &scores.fgd_paired;
    let Some(value) = paired.value else {
        return Err(ExportError::Missing {
            metric: "fgd_paired",
            reason: (paired.reason.clone()).unwrap_or_else(|| "no reason is given".into()),
        });
    };
    let interval = match paired.interval() {
        Some([low, high]) => format!(", 95% interval {low} to {high}"),
        None => String::new(),
    };
    let notes = format!("fgd_paired, lower is better{interval}; {}", record.signature);
    let task = dataset.task_id.as_deref().unwrap_or("default");
    let mut yaml =
        format!("- dataset:\n    id: {}\n    task_id: {}\n", quoted(&dataset.id), quoted(task));
    if let Some(revision) = &dataset.revision {
        yaml.push_str(&format!("    revision: {}\n", quoted(revision)));
    }
    yaml.push_str(&format!(
        "  value: {value}\n  date: {}\n  notes: {}\n",
        quoted(&record.created),
        quoted(&notes)
    ));
    Ok(yaml)
}

/// A string in double quotes that YAML reads back the same, control characters made visible.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(visible(text)).to_string()
}
