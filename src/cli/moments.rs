//! `fgd moments` and `fgd merge`: mean and covariance of captions or embeddings, and the whole from its shards.

use std::io::Cursor;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use fgd_store::arrays::{self, ArrayKind};

use super::encoder::EncoderArgs;
use super::exit::{Exit, usage};
use super::files::CaptionArgs;
use super::output::{Output, Sink};
use crate::jobs::apart::keep_apart;
use crate::jobs::moments::{self, Request, Summed, Sums};
use crate::jobs::shard::Shard;
use crate::jobs::{JobError, Session};

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
    /// Sum in integers, so that shards merge to the same bits however they were cut and in whatever order they meet; for
    /// embeddings within ±1, such as those of unit length.
    #[arg(long, env = "FGD_EXACT", value_parser = FalseyValueParser::new())]
    exact: bool,
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
    if ArrayKind::of(&args.output) != Some(ArrayKind::Moments) {
        return Err(usage(format!(
            "{}: moments are written as .npz; name the output FILE.npz",
            args.output.display()
        )));
    }
    keep_apart(args.files.iter().map(|file| &**file), [Some(&*args.output)])?;
    let sink = Sink::open(Some(&args.output))?;
    let request = Request {
        files: args.files,
        shard: args.shard.unwrap_or_default(),
        exact: args.exact,
        reading: args.captions.options(),
        encoding: args.encoder.encoding(),
    };
    let total = moments::run(&request, session)?;
    let (n, d) = write(&total, &request.files, sink)?;
    output.say(format!("moments of {n} embeddings of {d} dimensions"));
    Ok(Exit::Success)
}

/// Runs `fgd merge`.
pub fn merge(args: &MergeArgs, output: &Output) -> anyhow::Result<Exit> {
    keep_apart(args.files.iter().map(|file| &**file), [Some(&*args.output)])?;
    let sink = Sink::open(Some(&args.output))?;
    let total = moments::merge(&args.files)?;
    let (n, _) = write(&total, &args.files, sink)?;
    let exact = if matches!(total.sums, Sums::Exact(_)) { ", summed exactly" } else { "" };
    output.say(format!("moments of {n} embeddings{exact}"));
    if let Some(missing) = moments::missing_in_words(&total.parts) {
        output.say(missing);
    }
    Ok(Exit::Success)
}

/// Writes the sums of the files; how many embeddings of how many dimensions they are of.
fn write(summed: &Summed, files: &[PathBuf], sink: Sink) -> anyhow::Result<(u64, usize)> {
    let names = || files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
    let moments = summed.for_file();
    let moments = moments.map_err(|error| JobError::because(names().join(", "), error))?;
    let mut bytes = Cursor::new(Vec::new());
    arrays::write_moments(&mut bytes, &moments)?;
    sink.write(bytes.get_ref())?;
    Ok((moments.n.unwrap_or_default(), moments.mu.len()))
}
