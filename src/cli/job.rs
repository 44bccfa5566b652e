//! `fgd job`: any job from plain data. A night starts its steps with it, `fgd bench score` its jobs, and any other
//! program what it likes.

use std::path::PathBuf;

use anyhow::Context;
use fgd_record::{NightlyVerdict, Record, Results};

use super::exit::{Exit, usage};
use super::output::Sink;
use crate::jobs::Session;
use crate::jobs::apart::{Apart, keep_apart};
use crate::jobs::request::Request;
use crate::nightly::process;
use crate::toml_file::in_words;

/// Arguments of `fgd job`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: a file with

  {\"job\": \"score\", \"submission\": \"good.csv\", \"references\": {\"path\": \"references.csv\"}}

does what `fgd score good.csv --references references.csv --format json` does, and

  {\"job\": \"compare\", \"systems\": [{\"name\": \"base\", \"path\": \"base.csv\"}, {\"name\": \"new\", \"path\": \"new.csv\"}],
   \"references\": {\"path\": \"references.csv\"}, \"measuring\": {\"metrics\": [\"mmd\"]}}

what `fgd compare base=base.csv new=new.csv …` does. The jobs are score, sums, board, compare, leaderboard, agreement, caption, select,
curate, bench and train. Fields have the names of the flags with underscores, and their defaults.
A request says all that decides its record: variables that stand for flags, such as FGD_ENCODER, change nothing in it.")]
pub struct Args {
    /// The request as JSON.
    #[arg(value_name = "REQUEST.json")]
    request: PathBuf,
    /// Write the record to a file instead of stdout.
    #[arg(short, long, value_name = "FILE", env = "FGD_OUTPUT")]
    output: Option<PathBuf>,
    /// Begin when standard input says so, and end with the process that started this one: how a night runs its steps.
    #[arg(long, hide = true)]
    attached: bool,
}

/// Runs `fgd job`; the exit code is that of the job's own command.
pub fn run(args: &Args, session: &mut Session) -> anyhow::Result<Exit> {
    if args.attached {
        process::wait_for_start().context("fgd job --attached")?;
    }
    let path = args.request.display();
    let text = std::fs::read(&args.request).with_context(|| format!("{path}: cannot be read"))?;
    let request: Request = serde_json::from_slice(&text).map_err(|error| {
        let wrong = in_words(&error.to_string());
        usage(format!("{path}: is no request: {wrong}; see fgd job --help"))
    })?;
    keep_apart(
        [&*args.request],
        request.outputs().into_iter().chain(args.output.as_deref()).map(Some),
    )?;
    request.keep_apart([args.output.as_deref()])?;
    let sink = Sink::open(args.output.as_deref())?;
    let record = request.run(session)?;
    sink.write(record.to_json().as_bytes())?;
    Ok(exit_of(&record))
}

/// What a record means for a script.
pub fn exit_of(record: &Record) -> Exit {
    match &record.results {
        Results::Bench(results) if !results.validity.valid => Exit::NotValid,
        Results::Compare(results) if results.gates.iter().any(|g| g.passed != Some(true)) => {
            Exit::Regression
        }
        Results::Nightly(results) if results.verdict == NightlyVerdict::Regressed => {
            Exit::Regression
        }
        Results::Nightly(results) if results.has_failed() => Exit::NotValid,
        _ => Exit::Success,
    }
}
