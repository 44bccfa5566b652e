//! `fgd moments` and `fgd merge`: mean and covariance of captions or embeddings, and the whole from its shards.

use std::io::Cursor;
use std::path::PathBuf;

use fgd_metrics::moments::Moments;
use fgd_store::arrays;

use super::encoder::EncoderArgs;
use super::exit::{Exit, usage};
use super::files::CaptionArgs;
use super::output::{Output, Sink};
use crate::jobs::Session;
use crate::jobs::moments::{self, Request, Shard};

/// Arguments of `fgd moments`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Caption files, or .npy files of embeddings.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where the moments go: a .npz file with mu, sigma (ddof 1) and n.
    #[arg(short, long, value_name = "FILE.npz", env = "FGD_OUTPUT")]
    output: PathBuf,
    /// Take only the I-th of N parts of every file (I counts from 1), for work on several machines.
    #[arg(long, value_name = "I/N", env = "FGD_SHARD")]
    shard: Option<Shard>,
    #[command(flatten)]
    captions: CaptionArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
}

/// Arguments of `fgd merge`.
#[derive(Debug, clap::Args)]
pub struct MergeArgs {
    /// Moments of the shards: .npz files with mu, sigma and n.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where the merged moments go.
    #[arg(short, long, value_name = "FILE.npz", env = "FGD_OUTPUT")]
    output: PathBuf,
}

/// Runs `fgd moments`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    if args.output.extension().is_none_or(|extension| extension != "npz") {
        return Err(usage(format!(
            "{}: moments are written as .npz; name the output FILE.npz",
            args.output.display()
        )));
    }
    let sink = Sink::open(Some(&args.output))?;
    let request = Request {
        files: args.files,
        shard: args.shard.unwrap_or_default(),
        reading: args.captions.options(),
        encoding: args.encoder.encoding(),
    };
    let total = moments::run(&request, session)?;
    write(&total, sink)?;
    output.say(format!("moments of {} embeddings of {} dimensions", total.n(), total.dim()));
    Ok(Exit::Success)
}

/// Runs `fgd merge`.
pub fn merge(args: &MergeArgs, output: &Output) -> anyhow::Result<Exit> {
    let sink = Sink::open(Some(&args.output))?;
    let total = moments::merge(&args.files)?;
    write(&total, sink)?;
    output.say(format!("moments of {} embeddings", total.n()));
    Ok(Exit::Success)
}

fn write(moments: &Moments, sink: Sink) -> anyhow::Result<()> {
    let mut bytes = Cursor::new(Vec::new());
    let (mu, sigma) = (moments.mean(), moments.covariance(1)?);
    arrays::write_moments(&mut bytes, mu.view(), sigma.view(), moments.n())?;
    sink.write(bytes.get_ref())
}
