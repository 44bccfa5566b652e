//! `fgd agreement`: do metrics agree with people who judged captions?

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use fgd_metrics::metric::Group;

use super::encoder::EncoderArgs;
use super::exit::Exit;
use super::files::{CaptionArgs, ReportArgs, ResultArgs};
use super::findings;
use super::inputs::ReferenceColumns;
use super::metrics::known_groups;
use super::output::Output;
use crate::jobs::Session;
use crate::jobs::agreement::{self, Request};
use crate::jobs::apart::Apart;
use crate::jobs::options::Measuring;

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
    /// Further metrics that say something of a single caption, separated by commas: bleu, rouge, meteor, cider, or all of these.
    /// fgd_paired is always there.
    #[arg(
        long,
        value_parser = known_groups(),
        hide_possible_values = true,
        value_delimiter = ',',
        value_name = "LIST",
        env = "FGD_METRICS"
    )]
    metrics: Vec<Group>,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_SEED")]
    seed: u64,
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
    let request = Request {
        judgements: args.judgements,
        references: args.columns.of(args.references),
        rating: args.rating,
        keep_references: args.keep_references,
        replicates: args.replicates,
        reading: args.captions.options(),
        encoding: args.encoder.encoding(),
        measuring: Measuring {
            metrics: args.metrics.iter().map(|group| group.name.to_owned()).collect(),
            seed: args.seed,
            ..Measuring::default()
        },
    };
    request.keep_apart([args.result.output.as_deref(), args.report.place()])?;
    let sink = args.result.open()?;
    args.report.prepare()?;
    let record = agreement::run(&request, session)?;
    args.result.write(sink, &record, output)?;
    args.report.write(std::slice::from_ref(&record), output)?;
    findings::print_of(&record, args.result.is_on_screen(), output);
    Ok(Exit::Success)
}
