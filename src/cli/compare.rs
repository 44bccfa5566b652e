//! `fgd compare`: several systems on the same images, and whether they differ.

use std::path::{Path, PathBuf};

use clap::builder::FalseyValueParser;
use fgd_record::Results;

use super::captioning::CaptioningArgs;
use super::encoder::EncoderArgs;
use super::exit::Exit;
use super::files::{CaptionArgs, KeepingArgs, ReportArgs, ResultArgs};
use super::findings;
use super::images::PictureArgs;
use super::inputs::{ReferenceColumns, named};
use super::job::exit_of;
use super::metrics::SampleArgs;
use super::output::{Output, complain};
use crate::jobs::Session;
use crate::jobs::apart::Apart;
use crate::jobs::compare::{self, Request};
use crate::jobs::select::Choosing;

/// Arguments of `fgd compare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The systems, each with an optional name; the first is the baseline. A system is a file of captions, .npy
    /// embeddings, .npz moments, a saved record of `fgd score` (.json), or a checkpoint that captions the images on
    /// the way: a directory or hub id, or CHECKPOINT+ADAPTER, with an optional @mbrN (the one of N samples that is
    /// nearest their mean) or @KEY=VALUE,... (decoded otherwise, such as @num_beams=5).
    #[arg(required = true, value_name = "[NAME=]SYSTEM")]
    systems: Vec<String>,
    /// The references: captions, .npy embeddings or .npz moments of the same images. Only saved records do without.
    #[arg(short, long, value_name = "FILE", env = "FGD_REFERENCES")]
    references: Option<PathBuf>,
    #[command(flatten)]
    columns: ReferenceColumns,
    #[command(flatten)]
    pictures: PictureArgs,
    /// Where checkpoints' captions, journals and records are kept: the same command goes on from there. By default
    /// beside the report, in REPORT.work, or else in fgd-compare.work.
    #[arg(long, value_name = "DIR", env = "FGD_WORK")]
    work: Option<PathBuf>,
    /// End with exit code 3 unless this holds, such as fgd_paired<=base+0.002, fgd_set<0.01 or
    /// tuned.cider_d>=base; `base` is the first system unless one is called that. Repeatable; separated by
    /// semicolons in the environment.
    #[arg(long, value_delimiter = ';', value_name = "CONDITION", env = "FGD_GATE")]
    gate: Vec<String>,
    /// Show the N images on which the systems differ most.
    #[arg(long, value_name = "N", default_value_t = 10, env = "FGD_CONTRASTS")]
    contrasts: usize,
    /// Leave the texts of the references out of everything that is written: a report on hidden references can be shown.
    #[arg(long, env = "FGD_HIDE_REFERENCES", value_parser = FalseyValueParser::new())]
    hide_references: bool,
    /// Bootstrap replicates behind every interval of a difference, 100 at least.
    #[arg(long, value_name = "N", default_value_t = 1000, env = "FGD_REPLICATES")]
    replicates: usize,
    #[command(flatten)]
    metrics: SampleArgs,
    #[command(flatten)]
    captions: CaptionArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    captioning: CaptioningArgs,
    #[command(flatten)]
    result: ResultArgs,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    keeping: KeepingArgs,
}

/// Runs `fgd compare`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    let request = Request {
        systems: named(&args.systems),
        references: args.references.map(|path| args.columns.of(path)),
        images: args.pictures.images.clone(),
        image_root: args.pictures.image_root.clone(),
        work: args.work.unwrap_or_else(|| work_folder(args.report.place())),
        gate: args.gate,
        contrasts: args.contrasts,
        hide_references: args.hide_references,
        replicates: args.replicates,
        against_first: false,
        captioning: args.captioning.captioning(args.metrics.seed()),
        choosing: Choosing::default(),
        reading: args.captions.options(),
        encoding: args.encoder.encoding(),
        measuring: args.metrics.measuring(),
        keeping: args.keeping.keeping(args.report.place().is_some() || args.result.is_page()),
    };
    request.keep_apart([args.result.output.as_deref(), args.report.place()])?;
    let sink = args.result.open()?;
    args.report.prepare()?;
    let record = compare::run(&request, session)?;
    args.result.write(sink, &record, output)?;
    args.report.write_with(std::slice::from_ref(&record), args.pictures.place(), output)?;
    findings::print_of(&record, args.result.is_on_screen(), output);
    let Results::Compare(results) = &record.results else {
        return Ok(Exit::Failure);
    };
    for gate in results.gates.iter().filter(|gate| gate.passed != Some(true)) {
        complain(format!("gate crossed: {}: {}", gate.condition, gate.explanation));
    }
    Ok(exit_of(&record))
}

/// Beside the report, so that the same command goes on after an interruption.
fn work_folder(report: Option<&Path>) -> PathBuf {
    match report {
        Some(report) => {
            let mut name = report.file_name().unwrap_or_default().to_owned();
            name.push(".work");
            report.with_file_name(name)
        }
        None => Request::default().work,
    }
}
