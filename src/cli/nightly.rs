//! `fgd nightly`: a suite, night after night, and whether it got worse.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use clap::builder::FalseyValueParser;
use fgd_record::{Record, Results};
use fgd_store::terminal::visible;

use super::exit::{Exit, usage};
use super::files::ResultArgs;
use super::job::exit_of;
use super::output::{Output, Sink, complain};
use crate::jobs::apart::keep_apart;
use crate::jobs::{JobError, Session};
use crate::nightly::history::exchange;
use crate::nightly::place::NightFolder;
use crate::nightly::suite::{EXAMPLE, EXAMPLE_FILES};
use crate::nightly::{NightlyError, Workspace, acceptance, night, preview, site, status, trend};

/// Arguments of `fgd nightly`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented suite file to begin with, and captions that it runs on as it stands.
    Init {
        /// The file; an existing one is left alone.
        #[arg(default_value = "suite.toml", value_name = "SUITE.toml")]
        suite: PathBuf,
    },
    /// Run the suite; exit 3 on a regression, 5 where something failed. A killed run goes on where it was.
    Run {
        /// The suite file.
        #[arg(value_name = "SUITE.toml")]
        suite: PathBuf,
        /// Begin a new night even where one is unfinished.
        #[arg(long, env = "FGD_FRESH", value_parser = FalseyValueParser::new())]
        fresh: bool,
        /// Say what would be done, and do nothing; exit 5 where something would fail.
        #[arg(long, env = "FGD_DRY_RUN", value_parser = FalseyValueParser::new())]
        dry_run: bool,
        #[command(flatten)]
        result: ResultArgs,
    },
    /// Show how the suite stands: who runs, what is unfinished, what the last night came to; exits as that night did, less what has been
    /// accepted since.
    Status {
        /// The suite file.
        #[arg(value_name = "SUITE.toml")]
        suite: PathBuf,
    },
    /// Write the site of the last night again, with all of the history.
    Report {
        /// The suite file.
        #[arg(value_name = "SUITE.toml")]
        suite: PathBuf,
        #[command(flatten)]
        result: ResultArgs,
    },
    /// Accept what stands as a regression or has moved: it is the level to hold from now on.
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
    /// Write the history to a file: .jsonl, .parquet or .csv.
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
        Command::Run { suite, dry_run: true, .. } => dry_run(suite, session),
        Command::Run { suite, fresh, dry_run: false, result } => {
            keep_apart([&**suite], [result.output.as_deref()])?;
            let sink = result.open()?;
            let workspace = open(suite)?;
            let record = night::run(&workspace, *fresh, session).map_err(JobError::from)?;
            let exit = exit_of(&record);
            tell(&record, exit, output);
            output.say(format!("the report is in {}", workspace.site.join("index.html").display()));
            result.write(sink, &record, output)?;
            Ok(exit)
        }
        Command::Status { suite } => {
            let workspace = look(suite)?;
            let status = status::status(&workspace).map_err(JobError::from)?;
            print_lines(status.lines(&workspace))?;
            Ok(status.last.as_ref().map_or(Exit::Success, exit_of))
        }
        Command::Report { suite, result } => {
            keep_apart([&**suite], [result.output.as_deref()])?;
            let sink = result.open()?;
            let (record, index) = report(&look(suite)?)?;
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
            let workspace = look(suite)?;
            keep_apart([&**suite, &workspace.history_file()], [Some(&**to)])?;
            let sink = Sink::open(Some(to.as_path()))?;
            let history = workspace.read_history()?;
            let (bytes, rows) = exchange::export(&history, &workspace.suite.name, format)?;
            sink.write(&bytes)?;
            output.say(format!("{rows} figures written to {}", to.display()));
            Ok(Exit::Success)
        }
        Command::Import { suite, file } => {
            exchange::format_to_import(file).map_err(|error| usage(error.to_string()))?;
            let workspace = open(suite)?;
            let read = exchange::import(&mut workspace.history()?, file)?;
            output.say(format!("{} figures read from {}", read.figures, file.display()));
            if read.replaced > 0 {
                output.say(format!("{} of them took the place of other values", read.replaced));
            }
            Ok(Exit::Success)
        }
    }
}

fn dry_run(suite: &Path, session: &Session) -> anyhow::Result<Exit> {
    let workspace = look(suite)?;
    let steps = preview::preview(&workspace, &session.settings).map_err(JobError::from)?;
    let mut lines = Vec::new();
    if let Some(night) = preview::unfinished(&workspace).and_then(|folder| folder.night()) {
        lines.push(format!(
            "goes on with the night of {}: what is done there is kept",
            night.started
        ));
    }
    lines.extend(steps.iter().map(|step| format!("{}: {}", step.step, step.outlook)));
    print_lines(lines)?;
    let fails = steps.iter().any(|step| step.fails);
    Ok(if fails { Exit::NotValid } else { Exit::Success })
}

fn print_lines(lines: Vec<String>) -> anyhow::Result<()> {
    let lines: Vec<String> = lines.iter().map(|line| format!("{}\n", visible(line))).collect();
    Sink::open(None)?.write(lines.concat().as_bytes())
}

/// The night in a line on stderr. One that is not as it should be says so under --quiet too: cron mails what a job
/// prints, and knows nothing of exit codes.
fn tell(record: &Record, exit: Exit, output: &Output) {
    let Results::Nightly(results) = &record.results else {
        return;
    };
    let line = format!("nightly {}: {}", results.suite, results.headline());
    match exit {
        Exit::Success => output.say(line),
        _ => complain(line),
    }
}

fn init(path: &Path, output: &Output) -> anyhow::Result<Exit> {
    if path.exists() {
        return Err(usage(format!(
            "{}: exists already and is left alone; give another name",
            path.display()
        )));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    for (name, text) in EXAMPLE_FILES {
        let file = folder.join(name);
        if file.exists() {
            output.say(format!("{}: exists already and is left alone", file.display()));
            continue;
        }
        let place = file.parent().unwrap_or(folder);
        std::fs::create_dir_all(place)
            .with_context(|| format!("{}: cannot be made a folder", place.display()))?;
        Sink::open(Some(&file))?.write(text.as_bytes())?;
    }
    Sink::open(Some(path))?.write(EXAMPLE.as_bytes())?;
    output.say(format!(
        "{}: runs as it stands, on captions that came with it; change what it names. Next: fgd nightly run {0}",
        path.display()
    ));
    Ok(Exit::Success)
}

fn open(path: &Path) -> Result<Workspace, JobError> {
    Ok(Workspace::open(path)?)
}

fn look(path: &Path) -> Result<Workspace, JobError> {
    Ok(Workspace::look(path)?)
}

/// The last finished night with the trends of all nights.
fn report(workspace: &Workspace) -> Result<(Record, PathBuf), NightlyError> {
    let Some(last) = NightFolder::last_finished(&workspace.state) else {
        return Err(NightlyError::Nothing(
            "no night is finished yet: fgd nightly run comes first".into(),
        ));
    };
    let (mut record, others) = site::read(workspace, &last)?;
    acceptance::mark(workspace, &mut record)?;
    let history = workspace.read_history()?;
    let nights = history.nights(&workspace.suite.name)?;
    let pasts = history.pasts(&workspace.suite.name, &nights)?;
    let trends = trend::all(&pasts, &nights, &workspace.suite.gates);
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
        let named = if selection.systems.is_empty() && selection.metrics.is_empty() {
            ""
        } else {
            " of that name"
        };
        return Err(usage(format!(
            "nothing{named} stands as a regression or has moved; `fgd nightly status` shows what does"
        )));
    }
    Ok(Exit::Success)
}
