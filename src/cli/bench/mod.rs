//! `fgd bench`: how fast the encoder, the captioner or a whole score is, under which load, and how sure that is.

mod captioner;
mod encoder;
mod load;
mod score;

use super::exit::Exit;
use super::files::{ReportArgs, ResultArgs};
use super::job::exit_of;
use super::output::Output;
use crate::jobs::Session;
use crate::jobs::apart::Apart;
use crate::jobs::bench;

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

/// Where the results of every target go.
#[derive(Debug, clap::Args)]
struct DestinationArgs {
    #[command(flatten)]
    result: ResultArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// Runs `fgd bench`; exit code 5 where the run does not count.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    let (request, to) = match args.target {
        Target::Encoder(args) => args.split(),
        Target::Captioner(args) => args.split(),
        Target::Score(args) => args.split(),
    };
    request.keep_apart([to.result.output.as_deref(), to.report.place()])?;
    let sink = to.result.open()?;
    to.report.prepare()?;
    let record = bench::run(&request, session)?;
    to.result.write(sink, &record, output)?;
    to.report.write(std::slice::from_ref(&record), output)?;
    Ok(exit_of(&record))
}
