//! `fgd report`: saved records, rendered again. Nothing is computed.

use std::path::PathBuf;

use fgd_record::{Record, Results};

use super::exit::{Exit, usage};
use super::files::{ReportArgs, ResultArgs, ResultFormat};
use super::images::PictureArgs;
use super::output::Output;
use crate::jobs::apart::keep_apart;
use crate::jobs::{JobError, saved};

/// Arguments of `fgd report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Records, as they were saved with --format json or beside the captions of `fgd caption`.
    #[arg(required = true, value_name = "RECORD")]
    records: Vec<PathBuf>,
    #[command(flatten)]
    result: ResultArgs,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    pictures: PictureArgs,
}

/// Runs `fgd report`.
pub fn run(args: &Args, output: &Output) -> anyhow::Result<Exit> {
    let tables = matches!(args.result.format(), ResultFormat::Text | ResultFormat::Md);
    if args.records.len() > 1 && !tables && args.report.place().is_none() {
        return Err(usage(
            "--format json and csv hold one record: give one, or --format text or md, or --report FILE.html|DIR",
        ));
    }
    let written = [args.result.output.as_deref(), args.report.place()];
    keep_apart(args.records.iter().map(|record| &**record), written)?;
    let records = args
        .records
        .iter()
        .map(|path| saved::read(path))
        .collect::<Result<Vec<_>, _>>()
        .map_err(JobError::from)?;
    // A report alone needs no table, unless a place for one was given.
    let only_report = args.report.place().is_some() && args.result.output.is_none();
    let sink = args.result.open()?;
    args.report.prepare()?;
    let pages: Vec<Record> = records.iter().cloned().map(without_links).collect();
    args.report.write_with(&pages, args.pictures.place(), output)?;
    if args.result.is_page() {
        sink.write(fgd_reports::site::page(&pages)?.as_bytes())?;
    } else if !only_report {
        let texts: Vec<String> =
            records.iter().map(|record| args.result.render(record, output)).collect();
        sink.write(texts.join("\n").as_bytes())?;
    }
    Ok(Exit::Success)
}

/// The record for pages that stand elsewhere than the night's own site, beside which the records of its steps lie.
fn without_links(mut record: Record) -> Record {
    if let Results::Nightly(results) = &mut record.results {
        results.steps.iter_mut().for_each(|step| step.record = None);
    }
    record
}
