//! `fgd select` and `fgd ensemble`: one of several captions of each image, out of files that have them.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;

use super::encoder::EncoderArgs;
use super::exit::{Exit, usage};
use super::files::{CaptionArgs, FormatArgs, ReportArgs};
use super::findings;
use super::inputs::{ReferenceColumns, named};
use super::metrics::MetricArgs;
use super::output::{Output, Sink, written_as};
use crate::jobs::Session;
use crate::jobs::select::{self, By, Choosing, Request};

/// Arguments of both.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The captions, each file with an optional name: files of systems, or samples that fgd caption --samples drew.
    /// A file may lack images and may have several captions of one.
    #[arg(required = true, value_name = "[NAME=]FILE")]
    systems: Vec<String>,
    /// Where the chosen captions go: columns image_id and caption.
    #[arg(short, long, value_name = "FILE.csv", env = "FGD_OUTPUT")]
    output: PathBuf,
    /// How a caption is chosen: mbr by default; of several files with references of the same images mbr-weighted.
    #[arg(long, value_enum, env = "FGD_BY")]
    by: Option<By>,
    /// The metric of a medoid: any with a value per caption, such as cider_d, rouge_l or fgd_paired.
    #[arg(long, value_name = "METRIC", default_value = "cider_d", env = "FGD_MEDOID_METRIC")]
    medoid_metric: String,
    /// Write the oracle's captions although they are an upper bound and no submission.
    #[arg(long, env = "FGD_YES_THIS_IS_AN_ORACLE", value_parser = FalseyValueParser::new())]
    yes_this_is_an_oracle: bool,
    /// References of all or some of the images: what the choice is worth, and what weights are learned from.
    #[arg(short, long, value_name = "FILE", env = "FGD_REFERENCES")]
    references: Option<PathBuf>,
    #[command(flatten)]
    columns: ReferenceColumns,
    /// The references are of other images: only the sets are compared.
    #[arg(long, env = "FGD_UNPAIRED", value_parser = FalseyValueParser::new())]
    unpaired: bool,
    /// A second encoder, which had no part in the choice, to score it with.
    #[arg(long, value_name = "ID|DIR", env = "FGD_JUDGE")]
    judge: Option<String>,
    /// Bootstrap replicates behind every interval of a difference, 100 at least.
    #[arg(long, value_name = "N", default_value_t = 1000, env = "FGD_REPLICATES")]
    replicates: usize,
    #[command(flatten)]
    metrics: MetricArgs,
    #[command(flatten)]
    captions: CaptionArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    result: FormatArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// Runs `fgd ensemble`: of several files.
pub fn ensemble(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    if args.systems.len() < 2 {
        return Err(usage(
            "an ensemble needs two files or more; `fgd select` chooses among the captions of one",
        ));
    }
    run(args, output, session)
}

/// Runs `fgd select`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    written_as(&args.output, "captions are", &["csv"])?;
    args.report.prepare()?;
    let request = Request {
        systems: named(&args.systems),
        output: args.output,
        choosing: args.by.map(|by| Choosing { by, metric: args.medoid_metric }),
        yes_this_is_an_oracle: args.yes_this_is_an_oracle,
        references: args.references.map(|path| args.columns.of(path)),
        unpaired: args.unpaired,
        judge: args.judge,
        replicates: args.replicates,
        reading: args.captions.options(),
        encoding: args.encoder.encoding(),
        measuring: args.metrics.measuring(),
    };
    let record = select::run(&request, session)?;
    let text = args.result.render(&record, output.color(), output);
    Sink::Stdout.write(text.as_bytes())?;
    args.report.write(std::slice::from_ref(&record), output)?;
    findings::print_of(&record, args.result.is_on_screen(), output);
    Ok(Exit::Success)
}
