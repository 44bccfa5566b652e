//! The command line: one file per subcommand, the output policy and the exit codes.
//!
//! Every flag has a twin in the environment, `FGD_` and its name. Data goes to stdout or `-o`,
//! everything else to stderr.

mod agreement;
mod bench;
mod cache;
mod caption;
mod captioning;
mod compare;
mod completions;
mod curate;
mod doctor;
mod embed;
mod encoder;
pub mod exit;
mod export;
mod features;
mod files;
mod findings;
mod hints;
mod images;
mod inputs;
mod interrupt;
mod job;
mod leaderboard;
mod man;
pub mod mapped;
mod merge_adapter;
mod merge_captions;
mod metrics;
mod moments;
mod nightly;
pub mod output;
mod pair;
mod prepare;
mod report;
mod score;
mod select;
mod sweep;
mod train;
mod validate;

use std::ffi::OsString;
use std::sync::Arc;

use clap::builder::FalseyValueParser;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use fgd_store::terminal::visible;

use crate::jobs::{JobError, Session};
use crate::settings::{Program, Settings};
use crate::threads;
use exit::Exit;
use output::{Color, Output};

/// How good are these captions? The Fréchet GTE Distance with its uncertainty.
#[derive(Debug, Parser)]
#[command(name = "fgd", version, about, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every subcommand understands.
#[derive(Debug, clap::Args)]
struct Global {
    /// Threads to use; all cores by default.
    #[arg(long, global = true, value_name = "N", env = "FGD_THREADS")]
    threads: Option<usize>,
    /// Write nothing to stderr but errors.
    #[arg(short, long, global = true, env = "FGD_QUIET", value_parser = FalseyValueParser::new())]
    quiet: bool,
    /// Say more of what is done: stages, inputs and times; twice for settings, hashes and downloads too. FGD_LOG instead takes
    /// filters such as fgd=debug.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, env = "FGD_VERBOSE")]
    verbose: u8,
    /// When to use colours.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", env = "FGD_COLOR")]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a submission; every problem is listed with row and id.
    Validate(validate::Args),
    /// Score a submission against references.
    Score(score::Args),
    /// Caption images with a BLIP-2 checkpoint; a killed run goes on where it was.
    Caption(caption::Args),
    /// Choose one of several captions of each image, by meaning.
    Select(select::Args),
    /// Choose of each image the caption of the system that agrees best with the others.
    Ensemble(select::Args),
    /// Try settings of decoding on validation images; which of them is better beyond chance?
    Sweep(sweep::Args),
    /// Keep what a checkpoint's frozen part sees in images, for training.
    Features(features::Args),
    /// Choose what to train on: no doubles, no harmful captions, few synthetic ones.
    Curate(curate::Args),
    /// Fine-tune a checkpoint with LoRA; a killed run goes on to the bit.
    Train(Box<train::Args>),
    /// Merge a LoRA adapter into its checkpoint.
    MergeAdapter(merge_adapter::Args),
    /// Compare systems on the same images: do they differ, and where?
    Compare(compare::Args),
    /// Rank many submissions, with the ranks that their differences leave open.
    Leaderboard(leaderboard::Args),
    /// Hold metrics against judgements of people: rank correlation with its uncertainty.
    Agreement(agreement::Args),
    /// Measure speed: latency, throughput, the highest rate that keeps a bound, and what is left to gain.
    Bench(bench::Args),
    /// Run a suite every night and tell noise from regression.
    Nightly(nightly::Args),
    /// Do any job from a request in JSON, and write its record.
    Job(job::Args),
    /// Render saved records again: tables, or a site.
    Report(report::Args),
    /// Write a saved record in the format of another program.
    Export(export::Args),
    /// Embed captions into a .npy file.
    Embed(embed::Args),
    /// Compute mean and covariance of captions or embeddings into a .npz file.
    Moments(moments::Args),
    /// Merge the moments of shards.
    Merge(moments::MergeArgs),
    /// Join the captions of shards, once they are whole and disjoint.
    MergeCaptions(merge_captions::Args),
    /// Cut the captions of a score into files that fgd-cluster sums on many machines.
    Prepare(prepare::Args),
    /// Show or clear the embedding cache.
    Cache(cache::Args),
    /// Show what this machine and this build offer, and how fast they are.
    Doctor(doctor::Args),
    /// Print a completion script for a shell.
    Completions(completions::Args),
    /// Write the manual pages.
    Man(man::Args),
}

impl Command {
    /// Whether it runs kernels, so that a wrong `FGD_SIMD` is an error.
    fn computes(&self) -> bool {
        !matches!(
            self,
            Command::Validate(_)
                | Command::Report(_)
                | Command::Export(_)
                | Command::MergeCaptions(_)
                | Command::Prepare(_)
                | Command::Cache(_)
                | Command::Completions(_)
                | Command::Man(_)
        )
    }
}

/// Runs the whole command line inside this process. `program` is what starts `fgd` from outside, for the processes that
/// a command starts; the first of `arguments` is the name it was called by.
pub fn run_from(program: Program, arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed =
        crate::variables::without_empty_variables(Cli::command()).try_get_matches_from(&arguments);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            if let Some(line) = hints::of_unknown_flag(&error, &arguments) {
                output::complain(format!("error: {line}"));
                return Exit::Usage;
            }
            // A closed pipe while help is printed is no failure either. What is wrong quotes the arguments, and they may be names
            // of foreign files.
            let plain = error.render().to_string();
            match error.use_stderr() && plain.lines().any(|line| visible(line) != line) {
                true => plain.lines().for_each(output::complain),
                false => drop(error.print()),
            }
            return if error.use_stderr() { Exit::Usage } else { Exit::Success };
        }
    };
    let output = Output::new(cli.global.quiet, cli.global.color);
    match run(cli, &output, program) {
        Ok(exit) => exit,
        Err(error) => {
            let code = exit::of(&error);
            if let Some(JobError::Invalid { findings, .. }) = error.downcast_ref() {
                for (file, found) in findings {
                    findings::print(found, file, &output);
                }
            }
            if code != Exit::Success {
                output::complain(format!("error: {}", exit::told(&error)));
            }
            if let Some(line) = hints::of_other_images(&error, &arguments) {
                output::complain(line);
            }
            code
        }
    }
}

/// Tells of a panic that nobody caught: a defect of this program, which it survives as any error.
pub fn panicked(panic: &(dyn std::any::Any + Send)) -> Exit {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
    output::complain(format!(
        "error: a defect of fgd ({text}); please report it with the command, and what FGD_LOG=debug RUST_BACKTRACE=1 add"
    ));
    Exit::Failure
}

fn run(cli: Cli, output: &Output, program: Program) -> anyhow::Result<Exit> {
    start_logging(cli.global.verbose);
    if cli.command.computes() {
        fgd_kernels::Level::select(&std::env::var("FGD_SIMD").unwrap_or_default())
            .map_err(|error| exit::usage(format!("FGD_SIMD = {error}")))?;
    }
    match cli.global.threads {
        None => start(cli.command, output, program),
        Some(0) => Err(exit::usage("--threads 0: give at least one thread")),
        Some(threads) if threads > threads::MOST => Err(exit::usage(format!(
            "--threads {threads}: give {} at most; more than one for each processor brings nothing",
            threads::MOST
        ))),
        // A pool of its own: the process may be somebody else's, and its pool too.
        Some(threads) => threads::pool(threads)?.install(|| start(cli.command, output, program)),
    }
}

fn start(command: Command, output: &Output, program: Program) -> anyhow::Result<Exit> {
    let mut session = Session::new(Settings::from_env(program, output.draws_progress()));
    session.progress = Arc::new(*output);
    session.interrupt = interrupt::on_signal();
    let session = &mut session;
    match command {
        Command::Validate(args) => validate::run(args),
        Command::Score(args) => score::run(args, output, session),
        Command::Caption(args) => caption::run(args, output, session),
        Command::Select(args) => select::run(args, output, session),
        Command::Ensemble(args) => select::ensemble(args, output, session),
        Command::Sweep(args) => sweep::run(args, output, session),
        Command::Features(args) => features::run(args, output, session),
        Command::Curate(args) => curate::run(args, output, session),
        Command::Train(args) => train::run(*args, output, session),
        Command::MergeAdapter(args) => merge_adapter::run(args, output, session),
        Command::Compare(args) => compare::run(args, output, session),
        Command::Leaderboard(args) => leaderboard::run(args, output, session),
        Command::Agreement(args) => agreement::run(args, output, session),
        Command::Bench(args) => bench::run(args, output, session),
        Command::Nightly(args) => nightly::run(&args, output, session),
        Command::Job(args) => job::run(&args, session),
        Command::Report(args) => report::run(&args, output),
        Command::Export(args) => export::run(&args, output, &session.settings),
        Command::Embed(args) => embed::run(args, output, session),
        Command::Moments(args) => moments::run(args, output, session),
        Command::Merge(args) => moments::merge(&args, output),
        Command::MergeCaptions(args) => merge_captions::run(&args, output),
        Command::Prepare(args) => prepare::run(args, output, session),
        Command::Cache(args) => cache::run(&args, output, session),
        Command::Doctor(args) => doctor::run(&args, output, session),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

fn start_logging(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "fgd=info,warn",
        _ => "fgd=debug,info",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("FGD_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    // A second start (in a test) keeps the first one's settings.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| output::Log)
        .with_ansi(false)
        .log_internal_errors(false)
        .without_time()
        .with_target(false)
        .try_init();
}
