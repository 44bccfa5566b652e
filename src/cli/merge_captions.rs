//! `fgd merge-captions`: one file of captions from the shards of a run on several machines.

use std::path::PathBuf;

use super::exit::Exit;
use super::output::{Output, written_as};
use crate::jobs::caption;

/// Arguments of `fgd merge-captions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The captions of all shards, each with its FILE.record.json beside it, as `fgd caption --shard I/N` writes them.
    #[arg(required = true, value_name = "SHARD.csv")]
    files: Vec<PathBuf>,
    /// Where all captions go, in the order of the list of images.
    #[arg(short, long, value_name = "FILE.csv", env = "FGD_OUTPUT")]
    output: PathBuf,
}

/// Runs `fgd merge-captions`.
pub fn run(args: &Args, output: &Output) -> anyhow::Result<Exit> {
    written_as(&args.output, "captions are", &["csv"])?;
    let merged = caption::merge(&args.files, &args.output)?;
    output.say(format!(
        "{} captions of {} images from {} shards",
        merged.captions,
        merged.listed,
        args.files.len()
    ));
    Ok(Exit::Success)
}
