//! `fgd merge-adapter`: a checkpoint of its own out of a checkpoint and an adapter.

use std::path::PathBuf;

use fgd_captioner::weights::merge;

use super::exit::Exit;
use super::output::Output;
use crate::jobs::Session;
use crate::jobs::caption::Checkpoint;

/// Arguments of `fgd merge-adapter`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The checkpoint: a directory, or a hub id with an optional @revision.
    #[arg(long, value_name = "ID|DIR", env = "FGD_CHECKPOINT")]
    checkpoint: String,
    /// The adapter, such as run/best.
    #[arg(long, value_name = "ID|DIR", env = "FGD_ADAPTER")]
    adapter: String,
    /// A new directory. Sums are made in f32 and rounded to the types that the checkpoint has: in 16 bits
    /// captions may differ a little from those with the adapter.
    #[arg(short, long, value_name = "DIR", env = "FGD_OUTPUT")]
    output: PathBuf,
}

/// Runs `fgd merge-adapter`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    let found = Checkpoint::resolve(&args.checkpoint, Some(&args.adapter), session)?;
    let adapter =
        found.adapter.as_ref().map_or_else(|| args.adapter.clone().into(), |a| a.dir.clone());
    let bar = session.progress.begin("merging", "files", 0);
    let changed = merge(&found.base.dir, &adapter, &args.output, &|done, files| {
        bar.set(done as u64, files as u64);
    })?;
    drop(bar);
    output
        .say(format!("{changed} matrices changed; the checkpoint is in {}", args.output.display()));
    Ok(Exit::Success)
}
