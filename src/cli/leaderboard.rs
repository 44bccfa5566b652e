//! `fgd leaderboard`: many submissions, ranked with what their differences leave open.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;

use super::encoder::EncoderArgs;
use super::exit::Exit;
use super::files::{CaptionArgs, KeepingArgs, ReportArgs, ResultArgs};
use super::images::PictureArgs;
use super::inputs::{ReferenceColumns, named, with_folders};
use super::metrics::SampleArgs;
use super::output::{Output, Sink};
use crate::jobs::Session;
use crate::jobs::apart::Apart;
use crate::jobs::leaderboard::{self, Boards, Request};

/// Arguments of `fgd leaderboard`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The submissions: files of captions, or .npy embeddings, each with an optional name; or folders of such files.
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
    /// Keep sums only, in integers: the same bits in any order and from any number of machines, as `fgd score --exact`; neighbours are
    /// compared in fgd_set too.
    #[arg(long, env = "FGD_EXACT", value_parser = FalseyValueParser::new())]
    exact: bool,
    /// Split the images in a public and a private part, by which ranks go: public=SHARE draws them by --seed, COLUMN names a
    /// column of the references that says Public or Private. A column `Usage` is used by itself; rows that it says are Ignored
    /// are left out.
    #[arg(long, value_name = "public=SHARE|COLUMN", env = "FGD_SPLIT")]
    split: Option<String>,
    /// Show the public part of the split only, in everything that is written: ranks, numbers and pages are those of the
    /// public images, as if there were no others.
    #[arg(long, env = "FGD_PUBLIC_ONLY", value_parser = FalseyValueParser::new())]
    public_only: bool,
    /// With --public-only: write the record of all images, private part included, to this file as JSON. `fgd report` makes
    /// tables and a site of it when the contest is over.
    #[arg(long, value_name = "FILE", requires = "public_only", env = "FGD_PRIVATE_RECORD")]
    private_record: Option<PathBuf>,
    #[command(flatten)]
    metrics: SampleArgs,
    #[command(flatten)]
    captions: CaptionArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    result: ResultArgs,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    keeping: KeepingArgs,
    #[command(flatten)]
    pictures: PictureArgs,
}

/// Runs `fgd leaderboard`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    let request = Request {
        submissions: named(&with_folders(&args.submissions, &args.references, output)?),
        references: args.columns.of(args.references),
        unpaired: args.unpaired,
        exact: args.exact,
        split: args.split,
        public_only: args.public_only,
        reading: args.captions.options(),
        encoding: args.encoder.encoding(),
        measuring: args.metrics.measuring(),
        // Its references are as a rule those that a contest hides: they are shown only where that is asked for.
        keeping: args.keeping.keeping(false),
        images: args.pictures.images.clone(),
        image_root: args.pictures.image_root.clone(),
    };
    let private = args.private_record.as_deref();
    request.keep_apart([args.result.output.as_deref(), args.report.place(), private])?;
    let sink = args.result.open()?;
    args.report.prepare()?;
    let private = private.map(|path| Sink::open(Some(path))).transpose()?;
    let Boards { whole, public } = leaderboard::boards(&request, session)?;
    if let Some(private) = private {
        private.write(whole.to_json().as_bytes())?;
    }
    let record = public.unwrap_or(whole);
    args.result.write(sink, &record, output)?;
    args.report.write_with(std::slice::from_ref(&record), args.pictures.place(), output)?;
    Ok(Exit::Success)
}
