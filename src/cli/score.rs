//! `fgd score`: the main job. How good is this submission, and which captions hurt?

use std::path::PathBuf;

use clap::builder::FalseyValueParser;

use super::exit::Exit;
use super::files::ResultArgs;
use super::findings;
use super::metrics::MetricArgs;
use super::output::Output;
use super::pair::PairArgs;
use crate::jobs::Session;
use crate::jobs::score::{self, Request};

/// Arguments of `fgd score`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pair: PairArgs,
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
    metrics: MetricArgs,
    #[command(flatten)]
    result: ResultArgs,
}

/// Runs `fgd score`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    let sink = args.result.open()?;
    let request = Request {
        per_caption: args.per_caption,
        worst: args.worst,
        hide_references: args.hide_references,
        measuring: args.metrics.measuring(),
        ..args.pair.request()
    };
    let record = score::run(&request, session)?;
    findings::print_of(&record, output);
    args.result.write(sink, &record, output)?;
    Ok(Exit::Success)
}
