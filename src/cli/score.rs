//! `fgd score`: the main job. How good is this submission, and which captions hurt?

use std::path::PathBuf;

use clap::builder::FalseyValueParser;

use super::exit::Exit;
use super::files::{KeepingArgs, ReportArgs, ResultArgs};
use super::findings;
use super::images::PictureArgs;
use super::metrics::SampleArgs;
use super::output::Output;
use super::pair::PairArgs;
use crate::jobs::Session;
use crate::jobs::apart::Apart;
use crate::jobs::score::{self, Request};

/// Arguments of `fgd score`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pair: PairArgs,
    /// Keep sums only, in integers: memory does not grow with the captions, and the numbers are the same to the bit in any order
    /// and from any number of machines.
    #[arg(long, env = "FGD_EXACT", value_parser = FalseyValueParser::new())]
    exact: bool,
    /// Write one row per image: .csv, .parquet or .jsonl.
    #[arg(long, value_name = "FILE", env = "FGD_PER_CAPTION")]
    per_caption: Option<PathBuf>,
    /// Show the N captions that hurt most.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_WORST")]
    worst: usize,
    /// Leave the texts of the references out of everything that is written: a record of hidden references can be shown.
    #[arg(long, env = "FGD_HIDE_REFERENCES", value_parser = FalseyValueParser::new())]
    hide_references: bool,
    #[command(flatten)]
    metrics: SampleArgs,
    #[command(flatten)]
    result: ResultArgs,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    pictures: PictureArgs,
    #[command(flatten)]
    keeping: KeepingArgs,
}

/// Runs `fgd score`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    let request = Request {
        exact: args.exact,
        per_caption: args.per_caption,
        worst: args.worst,
        hide_references: args.hide_references,
        measuring: args.metrics.measuring(),
        keeping: (args.keeping)
            .keeping(!args.exact && (args.report.place().is_some() || args.result.is_page())),
        images: args.pictures.images.clone(),
        image_root: args.pictures.image_root.clone(),
        ..args.pair.request()
    };
    request.keep_apart([args.result.output.as_deref(), args.report.place()])?;
    let sink = args.result.open()?;
    args.report.prepare()?;
    let record = score::run(&request, session)?;
    args.result.write(sink, &record, output)?;
    args.report.write_with(std::slice::from_ref(&record), args.pictures.place(), output)?;
    findings::print_of(&record, args.result.is_on_screen(), output);
    Ok(Exit::Success)
}
