//! `fgd report`: saved records, rendered again. Nothing is computed.

use std::path::{Path, PathBuf};

use anyhow::Context;
use fgd_record::Record;

use super::exit::{Exit, usage};
use super::files::{ReportArgs, ResultArgs, ResultFormat};
use super::output::Output;

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
    /// The images, a directory or a CSV file with a column image_id and optionally path: a site then shows those of which a record
    /// has a small picture in a larger one.
    #[arg(long, value_name = "DIR|LIST.csv", env = "FGD_IMAGES")]
    images: Option<PathBuf>,
    /// Where the paths (or ids) of LIST.csv start; its own directory by default.
    #[arg(long, value_name = "DIR", env = "FGD_IMAGE_ROOT")]
    image_root: Option<PathBuf>,
}

/// Runs `fgd report`.
pub fn run(args: &Args, output: &Output) -> anyhow::Result<Exit> {
    let tables = matches!(args.result.format(), ResultFormat::Text | ResultFormat::Md);
    if args.records.len() > 1 && !tables && args.report.place().is_none() {
        return Err(usage(
            "--format json and csv hold one record: give one, or --format text or md, or --report FILE.html|DIR",
        ));
    }
    let records = args.records.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    // A report alone needs no table, unless a place for one was given.
    let only_report = args.report.place().is_some() && args.result.output.is_none();
    let sink = args.result.open()?;
    args.report.prepare()?;
    let images = args.images.as_deref().map(|images| (images, args.image_root.as_deref()));
    args.report.write_with(&records, images, output)?;
    if args.result.is_page() {
        sink.write(fgd_reports::site::page(&records)?.as_bytes())?;
    } else if !only_report {
        let texts: Vec<String> =
            records.iter().map(|record| args.result.render(record, output)).collect();
        sink.write(texts.join("\n").as_bytes())?;
    }
    Ok(Exit::Success)
}

/// Reads a saved record.
pub fn read(path: &Path) -> anyhow::Result<Record> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{}: cannot be read", path.display()))?;
    Record::from_json(&text).map_err(|error| {
        usage(format!("{}: {error}; records are what --format json writes", path.display()))
    })
}
