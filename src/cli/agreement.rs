//! `fgd agreement`: do metrics agree with people who judged captions?

use std::path::PathBuf;

use clap::builder::FalseyValueParser;

use super::encoder::EncoderArgs;
use super::exit::Exit;
use super::files::{CaptionArgs, ReportArgs, ResultArgs};
use super::inputs::ReferenceColumns;
use super::metrics::MetricArgs;
use super::output::Output;
use crate::jobs::Session;
use crate::jobs::agreement::{self, Request};

/// Arguments of `fgd agreement`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Judgements: a caption file with an image id, a caption and one or several ratings in each row, higher is better.
    judgements: PathBuf,
    /// The references of these images, captions. A judged caption that is a reference of its image is left out, unless
    /// --keep-references.
    #[arg(short, long, value_name = "FILE", env = "FGD_REFERENCES")]
    references: PathBuf,
    #[command(flatten)]
    columns: ReferenceColumns,
    /// Columns that hold ratings, separated by commas; each filled cell is a judgement. May be left out where there is only one
    /// further column.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN", env = "FGD_RATING")]
    rating: Vec<String>,
    /// Keep judged captions that are themselves references of their image, as published figures of Flickr8k's crowd do: people and
    /// metrics know them, so every figure is higher.
    #[arg(long, env = "FGD_KEEP_REFERENCES", value_parser = FalseyValueParser::new())]
    keep_references: bool,
    /// Bootstrap replicates behind every interval and test, 100 at least.
    #[arg(long, value_name = "N", default_value_t = 1000, env = "FGD_REPLICATES")]
    replicates: usize,
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

/// Runs `fgd agreement`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    let sink = args.result.open()?;
    args.report.prepare()?;
    let request = Request {
        judgements: args.judgements,
        references: args.columns.of(args.references),
        rating: args.rating,
        keep_references: args.keep_references,
        replicates: args.replicates,
        reading: args.captions.options(),
        encoding: args.encoder.encoding(),
        measuring: args.metrics.measuring(),
    };
    let record = agreement::run(&request, session)?;
    args.result.write(sink, &record, output)?;
    args.report.write(std::slice::from_ref(&record), output)?;
    Ok(Exit::Success)
}
