//! `fgd bench`: how fast the encoder, the captioner or a whole score is, under which load, and how sure that is.

mod captioner;
mod encoder;
mod record;
mod running;
mod score;

use super::exit::Exit;
use super::output::Output;
use crate::jobs::Session;

/// Arguments of `fgd bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    target: Target,
}

/// What is benchmarked.
#[derive(Debug, clap::Subcommand)]
enum Target {
    /// Captions in, embeddings out.
    Encoder(encoder::Args),
    /// Images in, captions out, split into the parts of the model.
    Captioner(captioner::Args),
    /// Whole `fgd score` jobs, each a process of its own.
    Score(score::Args),
}

/// Runs `fgd bench`.
pub fn run(args: &Args, output: &Output, session: &Session) -> anyhow::Result<Exit> {
    match &args.target {
        Target::Encoder(args) => encoder::run(args, output),
        Target::Captioner(args) => captioner::run(args, output, session),
        Target::Score(args) => score::run(args, output),
    }
}
