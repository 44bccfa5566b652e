//! `fgd prepare`: the captions of a score cut into files for `fgd-cluster`.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;

use super::exit::Exit;
use super::files::CaptionArgs;
use super::inputs::ReferenceColumns;
use super::output::Output;
use crate::jobs::Session;
use crate::jobs::exact::buckets::{self, Request};
use crate::jobs::options::Measuring;
use crate::jobs::score;

/// Arguments of `fgd prepare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The submission: captions, in a file or in the files of a folder. Scores of several share the embeddings of the references.
    #[arg(required = true, value_name = "SUBMISSION")]
    submissions: Vec<PathBuf>,
    /// The references: captions, one or several of each image, in a file or in the files of a folder, whichever images these hold.
    #[arg(short, long, value_name = "FILE", env = "FGD_REFERENCES")]
    references: PathBuf,
    /// Where the files go: a folder that is not there yet, or is empty.
    #[arg(short, long, value_name = "DIR", env = "FGD_OUTPUT")]
    output: PathBuf,
    /// How many buckets, a multiple of 20; by default of at most some 65,000 pairs each.
    #[arg(long, value_name = "N", env = "FGD_BUCKETS")]
    buckets: Option<usize>,
    /// Report every number by this column too (repeatable); at most 100 values.
    #[arg(long, value_name = "COLUMN", env = "FGD_SLICE", value_delimiter = ',')]
    slice: Vec<String>,
    /// Leave the texts of the references out of the record.
    #[arg(long, env = "FGD_HIDE_REFERENCES", value_parser = FalseyValueParser::new())]
    hide_references: bool,
    #[command(flatten)]
    columns: ReferenceColumns,
    #[command(flatten)]
    captions: CaptionArgs,
}

/// Runs `fgd prepare`.
pub fn run(args: Args, output: &Output, session: &Session) -> anyhow::Result<Exit> {
    let mut submissions = args.submissions.into_iter();
    let request = Request {
        score: score::Request {
            submission: submissions.next().unwrap_or_default(),
            references: args.columns.of(args.references),
            hide_references: args.hide_references,
            reading: args.captions.options(),
            measuring: Measuring { slice: args.slice, ..Measuring::default() },
            ..score::Request::default()
        },
        others: submissions.collect(),
        output: args.output,
        buckets: args.buckets,
    };
    let manifest = buckets::run(&request, session)?;
    output.say(format!("{} pairs in {} buckets", manifest.pairs, manifest.buckets.len()));
    Ok(Exit::Success)
}
