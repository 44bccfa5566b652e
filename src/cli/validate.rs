//! `fgd validate`: is this submission fit to be scored?

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::FalseyValueParser;
use fgd_captions::Role;
use fgd_record::words::counted;
use fgd_store::terminal::visible;

use super::exit::Exit;
use super::files::CaptionArgs;
use super::findings::{self, Shown};
use super::output::{Sink, written_as};
use crate::jobs::JobError;
use crate::jobs::apart::keep_apart;
use crate::jobs::validate::{self, Request, Validation};

/// Arguments of `fgd validate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The submission: CSV, TSV, JSON, JSONL, COCO results, Parquet or XLSX, possibly gzipped; - reads stdin.
    submission: PathBuf,
    /// A file with the image ids that are wanted, such as sample_submission.csv or test.csv.
    #[arg(long, value_name = "FILE", env = "FGD_TEMPLATE")]
    template: Option<PathBuf>,
    /// List every note; otherwise a few of each kind.
    #[arg(long, env = "FGD_ALL", value_parser = FalseyValueParser::new())]
    all: bool,
    /// Form of the list; of a file the one of its extension, else text.
    #[arg(long, value_enum, env = "FGD_FORMAT")]
    format: Option<ListFormat>,
    /// Write the list to a file instead of the terminal.
    #[arg(short, long, value_name = "FILE", env = "FGD_OUTPUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    captions: CaptionArgs,
    /// What the captions are: it decides between columns such as prediction and reference.
    #[arg(long, value_enum, default_value_t, env = "FGD_ROLE")]
    role: Role,
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
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let inputs = [Some(&args.submission), args.template.as_ref()];
    keep_apart(inputs.into_iter().flatten().map(|path| &**path), [args.output.as_deref()])?;
    if let Some(output) = &args.output {
        written_as(output, "a list of findings is", &["txt", "log", "json"])?;
    }
    let sink = Sink::open(args.output.as_deref())?;
    let request = Request {
        submission: args.submission,
        template: args.template,
        reading: args.captions.options(),
        role: args.role,
    };
    let is_json =
        |path: &Path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let by_name = match args.output.as_deref().is_some_and(is_json) {
        true => ListFormat::Json,
        false => ListFormat::Text,
    };
    let format = args.format.unwrap_or(by_name);
    let found = match validate::run(&request) {
        Err(JobError::Invalid { message, .. }) if format == ListFormat::Json => {
            Validation::unreadable(&request, message)
        }
        found => found?,
    };
    match format {
        ListFormat::Text => {
            let shown = if args.all { Shown::ALL } else { Shown::ERRORS };
            let (errors, notes) = findings::lines(&found.findings, &request.submission, shown);
            let summary = format!(
                "{}: {}, {}, {}, {}; read as {}",
                found.submission,
                if found.valid { "valid" } else { "INVALID" },
                counted(found.captions as u64, "caption"),
                counted(found.errors, "error"),
                counted(found.notes, "note"),
                found.format,
            );
            let lines = errors.into_iter().chain(notes).chain([summary]);
            let text: String = lines.map(|line| format!("{}\n", visible(&line))).collect();
            sink.write(text.as_bytes())?;
        }
        ListFormat::Json => {
            let document = fgd_record::json::inert(serde_json::to_string_pretty(&found)?);
            sink.write(format!("{document}\n").as_bytes())?;
        }
    }
    Ok(if found.valid { Exit::Success } else { Exit::InvalidSubmission })
}
