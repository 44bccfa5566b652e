//! `fgd leaderboard`: many submissions, ranked with what their differences leave open.

use super::encoder::EncoderArgs;
use super::exit::{Exit, invalid, usage};
use super::files::{CaptionArgs, ReportArgs, ResultArgs};
use super::findings;
use super::inputs::{Named, ReferenceColumns, input, named, references_sha256, stem};
use super::metrics::MetricArgs;
use super::output::{Output, Sink};
use crate::captions;
use crate::eval::assemble::{AssembleError, Assembled, assemble};
use crate::eval::embedder::Embedder;
use crate::eval::leaderboard::{Entry, Parts, RankedBy, pseudo_values, rank};
use crate::eval::metrics::Choice;
use crate::eval::provenance;
use crate::eval::score::{PerCaption, score};
use crate::eval::slices::slice;
use crate::eval::split::{self, SplitBy, USAGE};
use crate::eval::system::System;
use crate::host;
use clap::builder::FalseyValueParser;
use fgd_reports::record::{self, Input, Record, Rejected, Results, SCHEMA_VERSION, SetMeasure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Findings of a rejected submission that the record keeps; the rest is counted.
const FINDINGS_KEPT: usize = 20;

/// Arguments of `fgd leaderboard`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The submissions: files of captions, or .npy embeddings, each with an optional name.
    #[arg(required = true, value_name = "[NAME=]SUBMISSION")]
    submissions: Vec<String>,
    /// The references: captions or .npy embeddings of the same images, or of others with --unpaired.
    #[arg(short, long, value_name = "FILE", env = "FGD_REFERENCES")]
    references: PathBuf,
    #[command(flatten)]
    columns: ReferenceColumns,
    /// The references are of other images: rank by the distance of the sets, fgd_set with its bias removed.
    #[arg(long, env = "FGD_UNPAIRED", value_parser = FalseyValueParser::new())]
    unpaired: bool,
    /// Split the images in a public and a private part: public=SHARE draws them by --seed, COLUMN names a
    /// column of the references that says Public or Private. A column `Usage` is used by itself.
    #[arg(long, value_name = "public=SHARE|COLUMN", env = "FGD_SPLIT")]
    split: Option<String>,
    #[command(flatten)]
    metrics: MetricArgs,
    #[command(flatten)]
    captions: CaptionArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    result: ResultArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// Runs `fgd leaderboard`.
pub fn run(args: &Args, output: &Output) -> anyhow::Result<Exit> {
    let start = Instant::now();
    let host = host::describe();
    let sink = Sink::open(args.result.output.as_deref())?;
    args.report.prepare()?;
    let submissions = named(&args.submissions)?;
    let references = args.columns.open(&args.references, &args.captions)?;
    let of_references = input(
        "references",
        &stem(&args.references),
        &args.references,
        &references,
    )?;
    let parts = parts(args, &references)?;

    let field = score_all(args, &submissions, &references, output)?;
    if field.entries.is_empty() {
        for rejected in &field.rejected {
            eprintln!("{}: {}", rejected.name, rejected.reason);
        }
        return Err(invalid("not one of the submissions can be ranked"));
    }
    let hash = references_sha256(&references, &of_references);
    let encoder = field.embedder.as_ref().map(Embedder::info);
    let comparability = provenance::comparability(encoder.as_ref(), hash);
    let ranked_by = match args.unpaired {
        true => RankedBy::Set,
        false => RankedBy::Paired,
    };
    let mut results = rank(field.entries, ranked_by, parts.as_ref(), &comparability.key)?;
    results.rejected = field.rejected;

    let mut inputs = field.inputs;
    inputs.push(of_references);
    let tool = provenance::tool();
    let signature = provenance::signature(&tool, encoder.as_ref(), &inputs, &comparability);
    let rejected = results.rejected.len();
    let record = Record {
        schema_version: SCHEMA_VERSION,
        created: provenance::now(),
        signature,
        tool,
        host,
        encoder,
        checkpoint: None,
        inputs,
        settings: settings(args),
        comparability,
        findings: field.findings,
        results: Results::Leaderboard(Box::new(results)),
        timings: BTreeMap::from([("total".to_owned(), start.elapsed().as_secs_f64())]),
    };
    args.result.write(sink, &record, output)?;
    args.report.write(std::slice::from_ref(&record), output)?;
    if rejected > 0 {
        output.say(format!(
            "{rejected} of {} submissions could not be ranked",
            submissions.len()
        ));
    }
    Ok(Exit::Success)
}

/// What became of the submissions.
#[derive(Default)]
struct Field {
    entries: Vec<Entry>,
    rejected: Vec<Rejected>,
    inputs: Vec<Input>,
    findings: Vec<record::Finding>,
    embedder: Option<Embedder>,
    /// The images of the first submission, sorted, where references are of other images.
    ids: Option<Vec<String>>,
}

impl Field {
    /// The order of a submission's captions by image, or why its images are not those of the others: what two
    /// submissions share cancels only image by image.
    fn of_the_same_images(&mut self, assembled: &Assembled) -> Result<Vec<usize>, String> {
        let rows: Vec<String>;
        let ids = match &assembled.set.texts {
            Some(texts) => &texts.ids,
            // Embeddings carry no ids: row by row, which any width of number sorts.
            None => {
                rows = (0..assembled.set.len())
                    .map(|row| format!("{row:020}"))
                    .collect();
                &rows
            }
        };
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by(|&a, &b| ids[a].cmp(&ids[b]));
        let sorted: Vec<String> = order.iter().map(|&at| ids[at].clone()).collect();
        let first = self.ids.get_or_insert_with(|| sorted.clone());
        if *first == sorted {
            Ok(order)
        } else {
            Err("its images are not those of the first submission; only submissions of the same images can be ranked".into())
        }
    }
}

/// The set distance as a mean over captions, in this order, and references.
fn unpaired_parts(set: &SetMeasure, per_caption: &PerCaption, order: &[usize]) -> Option<Vec<f64>> {
    let influence = per_caption.influence.as_ref()?;
    let candidates: Vec<f64> = order.iter().map(|&at| influence[at]).collect();
    let references = per_caption.reference_influence.as_ref()?;
    Some(pseudo_values(
        set.corrected.or(set.value)?,
        &candidates,
        references,
    ))
}

/// Scores one submission after the other; only numbers are kept of each.
fn score_all(
    args: &Args,
    submissions: &[Named],
    references: &System,
    output: &Output,
) -> anyhow::Result<Field> {
    let choice = args.metrics.choice();
    let scratch = tempfile::tempdir()?;
    let bar = output.bar(submissions.len() as u64, "scoring");
    let mut field = Field::default();
    for submission in submissions {
        match score_one(
            args,
            submission,
            references,
            &choice,
            scratch.path(),
            output,
            &mut field,
        )? {
            Ok(entry) => field.entries.push(entry),
            Err(rejected) => field.rejected.push(rejected),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(field)
}

/// Scores a submission, or says why it is not ranked. Only what is not the submission's fault is an error.
fn score_one(
    args: &Args,
    submission: &Named,
    references: &System,
    choice: &Choice,
    scratch: &Path,
    output: &Output,
    field: &mut Field,
) -> anyhow::Result<Result<Entry, Rejected>> {
    let reject = |reason: String| {
        Ok(Err(Rejected {
            name: submission.name.clone(),
            reason,
            findings: Vec::new(),
        }))
    };
    let system = match System::open(&submission.path, &args.captions.options()) {
        Ok(system) => system,
        Err(error) => return reject(error.to_string()),
    };
    let mut embedder = field.embedder.take();
    let mut open = || match embedder.take() {
        Some(embedder) => Ok(embedder),
        None => args
            .encoder
            .open_shared(scratch, output)
            .map_err(AssembleError::Encoder),
    };
    let assembled = assemble(&system, references, args.unpaired, &mut open, &|_| {});
    let (assembled, used) = match assembled {
        Ok(assembled) => assembled,
        Err(AssembleError::Invalid { findings: found }) => {
            field.embedder = embedder;
            let errors = findings::errors(&found);
            let mut kept = findings::for_record(&found, &submission.name);
            kept.retain(|finding| finding.severity == record::Severity::Error);
            kept.truncate(FINDINGS_KEPT);
            return Ok(Err(Rejected {
                name: submission.name.clone(),
                reason: format!(
                    "{errors} {} in the file",
                    if errors == 1 { "error" } else { "errors" }
                ),
                findings: kept,
            }));
        }
        Err(AssembleError::Mismatch(message)) => {
            field.embedder = embedder;
            return reject(message);
        }
        Err(AssembleError::Encoder(error)) => return Err(error),
        Err(error) => return Err(error.into()),
    };
    field.embedder = used;
    // Embeddings that are not finite, or have no direction, are this submission's fault alone.
    let mut scored = match score(&assembled.set, choice) {
        Ok(scored) => scored,
        Err(error) => return reject(error.to_string()),
    };
    let per_caption = std::mem::take(&mut scored.per_caption);
    let parts = match args.unpaired {
        false => per_caption.distance,
        true => match field.of_the_same_images(&assembled) {
            Ok(order) => unpaired_parts(&scored.results.fgd_set, &per_caption, &order),
            Err(reason) => return reject(reason),
        },
    };
    let Some(parts) = parts else {
        return reject("it has no distance to rank by".into());
    };
    for column in &args.metrics.slice {
        let (System::Captions(submission), System::Captions(references)) = (&system, references)
        else {
            return Err(usage("--slice needs captions on both sides"));
        };
        let slice = slice(&assembled, submission, references, column, choice)
            .map_err(|error| usage(error.to_string()))?;
        scored.results.slices.push(slice);
    }
    field.inputs.push(input(
        "submission",
        &submission.name,
        &submission.path,
        &system,
    )?);
    let notes = findings::for_record(&assembled.findings, &submission.name);
    field.findings.extend(notes.into_iter().take(FINDINGS_KEPT));
    Ok(Ok(Entry {
        name: submission.name.clone(),
        scores: scored.results,
        parts,
    }))
}

/// The split that was asked for, or that the references bring along.
fn parts(args: &Args, references: &System) -> anyhow::Result<Option<Parts>> {
    if args.unpaired {
        return match &args.split {
            Some(_) => Err(usage(
                "--split needs references of the same images; leave out --unpaired",
            )),
            None => Ok(None),
        };
    }
    let by = match &args.split {
        Some(text) => Some(SplitBy::parse(text).map_err(|error| usage(error.to_string()))?),
        None => match references {
            System::Captions(file) if split::has_usage(file) => Some(SplitBy::Column(USAGE.into())),
            _ => None,
        },
    };
    let Some(by) = by else { return Ok(None) };
    let public = match (&by, references) {
        (SplitBy::Share(share), System::Captions(file)) => {
            let images = captions::group(file);
            split::by_seed(
                images.ids.iter().map(String::as_str),
                *share,
                args.metrics.seed,
            )
        }
        (SplitBy::Share(share), System::Embeddings { embeddings, .. }) => {
            let rows: Vec<String> = (0..embeddings.nrows()).map(|row| row.to_string()).collect();
            split::by_seed(rows.iter().map(String::as_str), *share, args.metrics.seed)
        }
        (SplitBy::Column(column), System::Captions(file)) => {
            split::by_column(file, &captions::group(file), column)
        }
        _ => return Err(usage("--split COLUMN needs references that are captions")),
    };
    let public = public.map_err(|error| usage(error.to_string()))?;
    Ok(Some(match by {
        SplitBy::Share(_) => Parts {
            source: "seed".into(),
            seed: Some(args.metrics.seed),
            public,
        },
        SplitBy::Column(column) => Parts {
            source: column,
            seed: None,
            public,
        },
    }))
}

fn settings(args: &Args) -> BTreeMap<String, serde_json::Value> {
    let mut settings = BTreeMap::from(args.metrics.settings());
    settings.insert("unpaired".to_owned(), args.unpaired.into());
    settings.insert("split".to_owned(), args.split.clone().into());
    settings
}
