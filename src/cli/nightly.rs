//! `fgd nightly`: a suite, night after night, and whether it got worse.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use clap::builder::FalseyValueParser;
use fgd_record::{NightlyVerdict, Record, Results};

use super::exit::{Exit, usage};
use super::files::ResultArgs;
use super::output::{Output, Sink};
use crate::jobs::{JobError, Session};
use crate::nightly::history::exchange;
use crate::nightly::place::NightFolder;
use crate::nightly::suite::EXAMPLE;
use crate::nightly::{NightlyError, Workspace, acceptance, night, site, trend};

/// Arguments of `fgd nightly`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented suite file to begin with.
    Init {
        /// The file; an existing one is left alone.
        #[arg(default_value = "suite.toml", value_name = "SUITE.toml")]
        suite: PathBuf,
    },
    /// Run the suite; exit 3 on a regression. A killed run goes on where it was.
    Run {
        /// The suite file.
        #[arg(value_name = "SUITE.toml")]
        suite: PathBuf,
        /// Begin a new night even where one is unfinished.
        #[arg(long, env = "FGD_FRESH", value_parser = FalseyValueParser::new())]
        fresh: bool,
        #[command(flatten)]
        result: ResultArgs,
    },
    /// Write the site of the last night again, with all of the history.
    Report {
        /// The suite file.
        #[arg(value_name = "SUITE.toml")]
        suite: PathBuf,
        #[command(flatten)]
        result: ResultArgs,
    },
    /// Accept what stands as a regression: it is the level to hold from now on.
    Accept {
        /// The suite file.
        #[arg(value_name = "SUITE.toml")]
        suite: PathBuf,
        /// These systems and benchmarks only, separated by commas.
        #[arg(long, value_delimiter = ',', value_name = "NAME", env = "FGD_SYSTEM")]
        system: Vec<String>,
        /// These metrics and figures only, separated by commas.
        #[arg(long, value_delimiter = ',', value_name = "NAME", env = "FGD_METRIC")]
        metric: Vec<String>,
        /// Why, for the history.
        #[arg(long, value_name = "TEXT", default_value = "", env = "FGD_NOTE")]
        note: String,
    },
    /// Write the history to a file: .jsonl or .parquet.
    Export {
        /// The suite file.
        #[arg(value_name = "SUITE.toml")]
        suite: PathBuf,
        /// The file.
        #[arg(short, long, value_name = "FILE", env = "FGD_OUTPUT")]
        output: PathBuf,
    },
    /// Read a file of `export` into the history: all of it or nothing.
    Import {
        /// The suite file.
        #[arg(value_name = "SUITE.toml")]
        suite: PathBuf,
        /// The file, .jsonl or .parquet.
        file: PathBuf,
    },
}

/// Runs `fgd nightly`.
pub fn run(args: &Args, output: &Output, session: &Session) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Init { suite } => init(suite, output),
        Command::Run { suite, fresh, result } => {
            let sink = Sink::open(result.output.as_deref())?;
            let workspace = open(suite)?;
            let record = night::run(&workspace, *fresh, session).map_err(JobError::from)?;
            output.say(format!("the report is in {}", workspace.site.join("index.html").display()));
            result.write(sink, &record, output)?;
            Ok(exit_of(&workspace, &record))
        }
        Command::Report { suite, result } => {
            let sink = Sink::open(result.output.as_deref())?;
            let workspace = open(suite)?;
            let (record, index) = report(&workspace)?;
            output.say(format!("the report is in {}", index.display()));
            result.write(sink, &record, output)?;
            Ok(Exit::Success)
        }
        Command::Accept { suite, system, metric, note } => {
            let selection = acceptance::Selection {
                systems: system.clone(),
                metrics: metric.clone(),
                note: note.clone(),
            };
            accept(&open(suite)?, &selection, output)
        }
        Command::Export { suite, output: to } => {
            let format = exchange::format_of(to).map_err(|error| usage(error.to_string()))?;
            let sink = Sink::open(Some(to.as_path()))?;
            let workspace = open(suite)?;
            let (bytes, rows) =
                exchange::export(&workspace.history()?, &workspace.suite.name, format)?;
            sink.write(&bytes)?;
            output.say(format!("{rows} figures written to {}", to.display()));
            Ok(Exit::Success)
        }
        Command::Import { suite, file } => {
            let workspace = open(suite)?;
            let rows = exchange::import(&mut workspace.history()?, file)?;
            output.say(format!("{rows} figures read from {}", file.display()));
            Ok(Exit::Success)
        }
    }
}

fn init(path: &Path, output: &Output) -> anyhow::Result<Exit> {
    if path.exists() {
        return Err(usage(format!(
            "{}: exists already and is left alone; give another name",
            path.display()
        )));
    }
    Sink::open(Some(path))?.write(EXAMPLE.as_bytes())?;
    output.say(format!("{}: change what it names, then fgd nightly run {0}", path.display()));
    Ok(Exit::Success)
}

fn open(path: &Path) -> Result<Workspace, JobError> {
    Ok(Workspace::open(path)?)
}

fn exit_of(workspace: &Workspace, record: &Record) -> Exit {
    let Results::Nightly(results) = &record.results else {
        return Exit::Failure;
    };
    let is_invalid =
        results.findings.iter().any(|finding| finding.verdict == NightlyVerdict::Invalid);
    match results.verdict {
        NightlyVerdict::Regressed => Exit::Regression,
        _ if is_invalid && workspace.suite.gates.fail_on_invalid => Exit::NotValid,
        _ => Exit::Success,
    }
}

/// The last finished night with the trends of all nights.
fn report(workspace: &Workspace) -> Result<(Record, PathBuf), NightlyError> {
    let last = NightFolder::all(&workspace.state)
        .into_iter()
        .rfind(|night| night.is_finished() && night.record().is_file());
    let Some(last) = last else {
        return Err(NightlyError::Nothing(
            "no night is finished yet: fgd nightly run comes first".into(),
        ));
    };
    let (record, others) = site::read(workspace, &last)?;
    let history = workspace.history()?;
    let nights = history.nights(&workspace.suite.name)?;
    let pasts = history.pasts(&workspace.suite.name, &nights)?;
    let trends = trend::all(&pasts, &nights, &workspace.suite.gates.speed.rule());
    let index = site::write(workspace, &last, &record, trends, &others)?;
    Ok((record, index))
}

fn accept(
    workspace: &Workspace,
    selection: &acceptance::Selection,
    output: &Output,
) -> anyhow::Result<Exit> {
    let levels = acceptance::accept(workspace, selection)?;
    for level in &levels {
        output.say(format!(
            "{} {}: accepted from the night of {} on",
            level.system, level.metric, level.since
        ));
    }
    if levels.is_empty() {
        return Err(usage(
            "nothing of that name stands as a regression; `fgd nightly report` shows what does",
        ));
    }
    Ok(Exit::Success)
}
