//! Do metrics agree with people? Judgements of captions that the user brings, beside what each metric says of these captions.
//!
//! Every judged caption stands for an image of its own, with the references of its image. A caption that is itself a reference is left
//! out, unless it is asked for: every metric knows it.

mod judged;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fgd_captions::{self as captions, Known, ReadOptions, Severity};
use fgd_metrics::agreement::{self, Agreement};
use fgd_metrics::estimate::Estimate;
use fgd_metrics::metric::{Definition, Direction, FGD_PAIRED};
use fgd_record::{AgreementResults, Measure, MetricAgreement, Record, Results};
use serde::{Deserialize, Serialize};

use super::apart::Apart;
use super::embedding::Embedding;
use super::options::{Encoding, Measuring, References};
use super::provenance::{self, Origin};
use super::scoring::findings::for_record;
use super::scoring::numbers::{self, measured};
use super::scoring::set::EvalSet;
use super::scoring::system::{System, stem};
use super::validate::read_valid;
use super::{JobError, Session};
use crate::host;
use judged::{Judged, rating_columns};

/// Groups of metrics that say something of a single caption.
const OF_CAPTIONS: [&str; 4] = ["bleu", "rouge", "meteor", "cider"];

/// What `fgd agreement` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// A caption file with an image id, a caption and judgements in each row.
    pub judgements: PathBuf,
    /// The references of these images, captions.
    pub references: References,
    /// The columns of the judgements, higher is better; the only further column, where none is named.
    #[serde(default)]
    pub rating: Vec<String>,
    /// Whether judged captions stay that are themselves references of their image.
    #[serde(default)]
    pub keep_references: bool,
    /// Bootstrap replicates behind every interval and test.
    #[serde(default = "replicates")]
    pub replicates: usize,
    /// How caption files are read.
    #[serde(default)]
    pub reading: ReadOptions,
    /// How captions are embedded.
    #[serde(default)]
    pub encoding: Encoding,
    /// Which metrics.
    #[serde(default)]
    pub measuring: Measuring,
}

impl Apart for Request {
    fn inputs(&self) -> Vec<&Path> {
        vec![&self.judgements, &self.references.path]
    }
}

fn replicates() -> usize {
    1_000
}

/// Measures the agreement.
///
/// # Errors
/// Files that cannot be read, captions without judgement or references, metrics of sets, an encoder that cannot be had.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    let start = Instant::now();
    let host = host::describe();
    request.encoding.check()?;
    let choice = of_captions(&request.measuring)?.choice()?;
    let (mut file, mut notes) = read_valid(&request.judgements, &request.reading)?;
    let system = System::open_references(&request.references, &request.reading)?;
    let System::Captions(references) = &system else {
        return Err(JobError::usage("--references: judgements need references that are captions"));
    };
    let columns = rating_columns(&file, &request.rating)?;
    notes.retain(|note| !file.findings.contains(note));
    captions::settle(&mut file, references, Known::All);
    if let Some(open) = file.findings.iter().find(|f| f.severity == Severity::Error) {
        return Err(JobError::usage(format!("{}: {open}", file.path.display())));
    }
    let alignment = captions::align(&file, references);
    let judged = Judged::of(&file, references, &alignment, &columns, request.keep_references)?;
    if judged.images < 2 {
        let judged_images = if judged.images == 0 { "no image" } else { "one image alone" };
        let left_out = match judged.left_out {
            0 => String::new(),
            n => format!(" besides {n} that are references (--keep-references keeps them)"),
        };
        return Err(JobError::usage(format!(
            "{}: {judged_images} has judged captions{left_out}; intervals draw images: give judgements of several",
            file.path.display()
        )));
    }
    notes.extend(file.findings.iter().cloned());
    notes.extend(alignment.findings.iter().filter(|f| f.severity == Severity::Note).cloned());
    let input =
        system.input("references", &stem(&request.references.path), &request.references.path)?;
    let references_sha256 = system.references_sha256(&input);
    let judgements = System::Captions(file.clone()).input(
        "judgements",
        &stem(&request.judgements),
        &request.judgements,
    )?;

    let rows = judged.candidates.len() + judged.references.iter().map(Vec::len).sum::<usize>();
    let mut embedding = Embedding::new(session, &request.encoding, rows as u64);
    let set = judged.set(&file, references, &mut embedding)?;
    let encoder = embedding.encoder();
    drop(embedding);
    let scores = scores(&set, &choice)?;
    let of_metrics: Vec<&[f64]> = scores.iter().map(|(_, scores)| scores.as_slice()).collect();
    let found = agreement::agreement(
        &judged.judgements,
        &of_metrics,
        request.replicates,
        request.measuring.seed,
    )?;
    let results = AgreementResults {
        images: judged.images as u64,
        captions: judged.candidates.len() as u64,
        judgements: judged.judgements.rating.len() as u64,
        left_out: judged.left_out as u64,
        ratings: columns,
        metrics: scores.iter().zip(&found).map(|((of, _), found)| entry(of, found)).collect(),
    };
    let mut settings = request.measuring.settings();
    settings.insert("rating".to_owned(), results.ratings.clone().into());
    settings.insert("replicates".to_owned(), request.replicates.into());
    settings.insert("keep_references".to_owned(), request.keep_references.into());
    Ok(provenance::record(
        Origin {
            host,
            comparability: provenance::comparability(encoder.as_ref(), references_sha256),
            encoder,
            checkpoint: None,
            inputs: vec![judgements, input],
            settings,
            findings: for_record(&notes, "judgements"),
            timings: BTreeMap::from([("total".to_owned(), start.elapsed().as_secs_f64())]),
        },
        Results::Agreement(Box::new(results)),
    ))
}

/// The metrics of single captions among those asked for; `all` means all of them. What an agreement does not go by is refused.
fn of_captions(measuring: &Measuring) -> Result<Measuring, JobError> {
    measuring.refuse(
        &["slice", "cluster", "population"],
        "an agreement is of all judgements, and its intervals draw whole images, yet to come",
    )?;
    let mut metrics: Vec<String> = measuring.metrics.clone();
    if metrics.iter().any(|name| name == "all") {
        metrics = OF_CAPTIONS.map(str::to_owned).to_vec();
    }
    match metrics.iter().find(|name| !OF_CAPTIONS.contains(&name.as_str())) {
        Some(other) => Err(JobError::usage(format!(
            "--metrics {other}: says nothing of a single caption, and people judged single captions; there are {}",
            OF_CAPTIONS.join(", ")
        ))),
        None => Ok(Measuring { metrics, ..measuring.clone() }),
    }
}

/// What each metric says of every caption, higher is better.
fn scores(
    set: &EvalSet,
    choice: &super::scoring::metrics::Choice,
) -> Result<Vec<(Definition, Vec<f64>)>, JobError> {
    let mut all = Vec::new();
    let of_captions = |group: Option<fgd_metrics::metric::Group>| {
        group.is_none_or(|group| OF_CAPTIONS.contains(&group.name))
    };
    for metric in choice.metrics().filter(|metric| of_captions(metric.group())) {
        let definitions = metric.definitions();
        if metric.group().is_none() && definitions[0].name != FGD_PAIRED {
            continue;
        }
        let found = metric.evaluate(&numbers::sample(set, choice.seed))?;
        for (definition, value) in definitions.iter().zip(found.values) {
            let Some(statistics) = value.statistics else {
                continue;
            };
            let sign = if definition.direction == Direction::Lower { -1.0 } else { 1.0 };
            // A caption of which a metric can count nothing has nothing in common with its references.
            let score = |value: f64| if value.is_nan() { 0.0 } else { sign * value };
            all.push((*definition, statistics.per_image().into_iter().map(score).collect()));
        }
    }
    Ok(all)
}

fn entry(definition: &Definition, found: &Agreement) -> MetricAgreement {
    let measure = |found: Estimate| match found.value.is_nan() {
        true => Measure::missing("the metric says the same of every caption"),
        false => measured(found),
    };
    MetricAgreement {
        metric: definition.name.to_owned(),
        label: definition.label.to_owned(),
        tau_b: measure(found.tau_b),
        tau_c: measure(found.tau_c),
        accuracy: found.accuracy.map_or_else(
            || Measure::missing("no image has captions that were judged differently"),
            measure,
        ),
        behind_first: found.behind_first.map(|(apart, _)| measure(apart)),
        p_holm: found.behind_first.map(|(_, p)| p),
    }
}
