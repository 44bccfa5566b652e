//! `fgd validate`: is this submission fit to be scored?

use super::exit::{Exit, invalid};
use super::files::CaptionArgs;
use super::findings;
use super::output::{Output, Sink};
use clap::ValueEnum;
use clap::builder::FalseyValueParser;
use fgd_captions::{self as captions, Finding, ReadError, ReadProblem};
use std::path::PathBuf;

/// Arguments of `fgd validate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The submission: CSV, TSV, JSON, JSONL, COCO results or Parquet, possibly gzipped.
    submission: PathBuf,
    /// A file with the image ids that are wanted, such as sample_submission.csv or test.csv.
    #[arg(long, value_name = "FILE", env = "FGD_TEMPLATE")]
    template: Option<PathBuf>,
    /// List every note; otherwise a few of each kind.
    #[arg(long, env = "FGD_ALL", value_parser = FalseyValueParser::new())]
    all: bool,
    /// Form of the list.
    #[arg(long, value_enum, default_value_t = ListFormat::Text, env = "FGD_FORMAT")]
    format: ListFormat,
    /// Write the list to a file instead of the terminal.
    #[arg(short, long, value_name = "FILE", env = "FGD_OUTPUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    captions: CaptionArgs,
}

/// Form of the list of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// Sentences.
    Text,
    /// A JSON document.
    Json,
}

/// Runs `fgd validate`.
pub fn run(args: &Args, output: &Output) -> anyhow::Result<Exit> {
    let sink = Sink::open(args.output.as_deref())?;
    let options = args.captions.options();
    let file = captions::read(&args.submission, &options).map_err(unreadable)?;
    let mut found: Vec<Finding> = file.findings.clone();
    found.extend(captions::lint(&file));
    if let Some(template) = &args.template {
        let template = captions::read_template(template, &options)?;
        // A file without rows lacks every image; saying so once is enough.
        if !file.captions.is_empty() {
            found.extend(captions::check_template(&file, &template));
        }
    }
    let errors = findings::errors(&found);
    let notes = found.len() - errors;
    let summary = format!(
        "{}: {}, {} captions, {errors} {}, {notes} {}",
        args.submission.display(),
        if errors == 0 { "valid" } else { "INVALID" },
        file.captions.len(),
        if errors == 1 { "error" } else { "errors" },
        if notes == 1 { "note" } else { "notes" },
    );
    match args.format {
        ListFormat::Text => {
            findings::print(&found, &args.submission, args.all, output);
            sink.write(format!("{summary}\n").as_bytes())?;
        }
        ListFormat::Json => {
            let document = serde_json::json!({
                "submission": args.submission.display().to_string(),
                "sha256": file.sha256,
                "captions": file.captions.len(),
                "valid": errors == 0,
                "errors": errors,
                "notes": notes,
                "findings": findings::for_record(&found, "submission"),
            });
            sink.write(format!("{document:#}\n").as_bytes())?;
        }
    }
    Ok(if errors == 0 {
        Exit::Success
    } else {
        Exit::InvalidSubmission
    })
}

/// A submission that cannot be read is an invalid one, unless the machine is to blame.
pub fn unreadable(error: ReadError) -> anyhow::Error {
    if matches!(error.problem, ReadProblem::Io(_) | ReadProblem::Missing) {
        error.into()
    } else {
        invalid(error.to_string())
    }
}
