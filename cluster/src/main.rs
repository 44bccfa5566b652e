//! `fgd-cluster`: exact scores of more captions than one machine embeds in time, on DataFusion Ballista.
//!
//! `fgd prepare` cuts the captions into buckets. A [`score`](mod@score) runs one query of the engine for each bucket, in which executors
//! embed the captions and keep sums, and stores the sums of each bucket as they come; `fgd` makes the record of all of them. A
//! [`leaderboard`](mod@leaderboard) of several submissions does the same, and keeps their distances image by image, which it sums itself.
//! Embeddings never leave an executor, and sums are integers, so any number of executors, any order and any retry give the
//! same bits.

mod control;
mod executor;
mod fingerprint;
mod functions;
mod leaderboard;
mod manifest;
mod network;
mod program;
mod progress;
mod query;
mod scheduler;
mod score;
mod storage;
mod summing;
mod tls;
#[path = "../../src/variables.rs"]
mod variables;

use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Exact scores of a hundred million captions, from any number of machines.
#[derive(Debug, Parser)]
#[command(name = "fgd-cluster", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hand out tasks to executors.
    Scheduler(scheduler::Args),
    /// Embed and sum captions for a scheduler.
    Executor(executor::Args),
    /// Cut a submission and its references into buckets: `fgd prepare` with these arguments.
    Prepare(program::PrepareArgs),
    /// Score buckets; one that was interrupted goes on where it was.
    Score(score::Args),
    /// Rank the submissions of buckets, with tests of their differences; goes on where it was.
    Leaderboard(leaderboard::Args),
    /// Show executors and jobs.
    Status(control::Args),
    /// End all executors and the scheduler; what is under way is lost.
    Stop(control::Args),
}

/// Where the scheduler is.
#[derive(Debug, Clone, clap::Args)]
struct Scheduler {
    /// The scheduler.
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:50050",
        env = "FGD_SCHEDULER"
    )]
    scheduler: String,
}

impl Scheduler {
    fn host_and_port(&self) -> anyhow::Result<(String, u16)> {
        let parts = self.scheduler.rsplit_once(':');
        let parsed = parts.and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
        parsed.with_context(|| format!("--scheduler {}: is no HOST:PORT", self.scheduler))
    }

    /// The address of something it serves.
    fn url(&self, path: &str) -> anyhow::Result<String> {
        let (host, port) = self.host_and_port()?;
        Ok(format!("http://{host}:{port}{path}"))
    }
}

/// Returns when the process is told to end.
async fn ended() {
    let terminated = async {
        #[cfg(unix)]
        if let Ok(mut signal) =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        {
            signal.recv().await;
            return;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("FGD_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,fgd_cluster=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let matches = variables::without_empty_variables(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fgd-cluster: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    fgd_kernels::Level::select(&std::env::var("FGD_SIMD").unwrap_or_default())
        .map_err(|error| anyhow::anyhow!("FGD_SIMD = {error}"))?;
    if let Command::Executor(executor::Args { threads: Some(threads), .. }) = &cli.command {
        rayon::ThreadPoolBuilder::new().num_threads(*threads).build_global()?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = |()| ExitCode::SUCCESS;
    match cli.command {
        Command::Scheduler(args) => runtime.block_on(scheduler::run(args)).map(done),
        Command::Executor(args) => runtime.block_on(executor::run(args)).map(done),
        Command::Prepare(args) => args.run(),
        Command::Score(args) => runtime.block_on(score::run(args)).map(done),
        Command::Leaderboard(args) => runtime.block_on(leaderboard::run(args)).map(done),
        Command::Status(args) => runtime.block_on(control::ask(&args, control::STATUS)).map(done),
        Command::Stop(args) => runtime.block_on(control::ask(&args, control::STOP)).map(done),
    }
}
