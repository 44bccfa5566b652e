//! `fgd leaderboard`: many submissions, ranked with what their differences leave open.

mod field;

use super::encoder::EncoderArgs;
use super::exit::{Exit, invalid, usage};
use super::files::{CaptionArgs, ReportArgs, ResultArgs};
use super::inputs::{ReferenceColumns, input, named, references_sha256, stem};
use super::metrics::MetricArgs;
use super::output::{Output, Sink};
use crate::jobs::host;
use crate::jobs::leaderboard::rank::{Parts, RankedBy, rank};
use crate::jobs::leaderboard::split::{self, SplitBy, USAGE};
use crate::jobs::provenance::{self, Origin};
use crate::jobs::scoring::system::System;
use clap::builder::FalseyValueParser;
use fgd_captions as captions;
use fgd_record::Results;
use field::Field;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

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

    let field = Field::score(args, &submissions, &references, output)?;
    if field.entries.is_empty() {
        for rejected in &field.rejected {
            eprintln!("{}: {}", rejected.name, rejected.reason);
        }
        return Err(invalid("not one of the submissions can be ranked"));
    }
    let hash = references_sha256(&references, &of_references);
    let encoder = field.encoder;
    let comparability = provenance::comparability(encoder.as_ref(), hash);
    let ranked_by = match args.unpaired {
        true => RankedBy::Set,
        false => RankedBy::Paired,
    };
    let mut results = rank(field.entries, ranked_by, parts.as_ref(), &comparability.key)?;
    results.rejected = field.rejected;

    let mut inputs = field.inputs;
    inputs.push(of_references);
    let rejected = results.rejected.len();
    let record = provenance::record(
        Origin {
            host,
            encoder: encoder,
            checkpoint: None,
            inputs,
            settings: settings(args),
            comparability,
            findings: field.findings,
            timings: BTreeMap::from([("total".to_owned(), start.elapsed().as_secs_f64())]),
        },
        Results::Leaderboard(Box::new(results)),
    );
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
