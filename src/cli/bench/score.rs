//! `fgd bench score`: whole jobs, from the command to the record.

use super::record::{Origin, finish, items_sha256};
use super::running::{RunningArgs, Subject};
use crate::bench::score::ScoreTarget;
use crate::cli::encoder::EncoderArgs;
use crate::cli::exit::Exit;
use crate::cli::files::{CaptionArgs, ReportArgs, ResultArgs};
use crate::cli::inputs::{ReferenceColumns, input, open_submission, stem};
use crate::cli::output::{Output, Sink};
use crate::eval::system::System;
use crate::host;
use anyhow::Context;
use clap::builder::FalseyValueParser;
use fgd_reports::record::BenchTarget;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `fgd bench score`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The submission, as of `fgd score`.
    submission: PathBuf,
    /// The references, as of `fgd score`.
    #[arg(short, long, value_name = "FILE", env = "FGD_REFERENCES")]
    references: PathBuf,
    /// Compare the two sets as wholes.
    #[arg(long, env = "FGD_UNPAIRED", value_parser = FalseyValueParser::new())]
    unpaired: bool,
    #[command(flatten)]
    running: RunningArgs,
    #[command(flatten)]
    columns: ReferenceColumns,
    #[command(flatten)]
    captions: CaptionArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    result: ResultArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// Runs `fgd bench score`.
pub fn run(args: &Args, output: &Output) -> anyhow::Result<Exit> {
    let begin = Instant::now();
    let host = host::describe();
    let sink = Sink::open(args.result.output.as_deref())?;
    let samples_file = args.running.open_samples()?;
    args.report.prepare()?;
    args.running.check(1)?;
    let submission = open_submission(&args.submission, &args.captions.options())?;
    let references = args.columns.open(&args.references, &args.captions)?;
    let has_captions = [&submission, &references]
        .iter()
        .any(|system| matches!(system, System::Captions(_)));
    let encoder = match has_captions {
        true => Some(args.encoder.open_uncached(output)?.info()),
        false => None,
    };
    let inputs = vec![
        input(
            "submission",
            &stem(&args.submission),
            &args.submission,
            &submission,
        )?,
        input(
            "references",
            &stem(&args.references),
            &args.references,
            &references,
        )?,
    ];
    // A job of its own holds its own files.
    drop((submission, references));

    let program = std::env::current_exe().context("the path of this program is not known")?;
    let mut target = ScoreTarget::new(program, arguments(args), rayon::current_num_threads());
    let peak = target.peak_memory();
    let subject = Subject {
        target: BenchTarget::Score,
        item: "job",
        min_queries: 10,
        bound: 60.0,
        batch_sizes: &[1],
        load_seconds: None,
        peak_memory: &|| peak.lock().ok().and_then(|peak| *peak),
        has_ceilings: false,
    };
    let running = Instant::now();
    let results = args
        .running
        .run(&mut target, &subject, &host, samples_file, output)?;
    let mut settings = args.running.settings(&subject, 1);
    settings.insert("unpaired".into(), args.unpaired.into());
    settings.insert("no-cache".into(), args.encoder.no_cache.into());
    let origin = Origin {
        host,
        encoder,
        checkpoint: None,
        items_sha256: items_sha256(inputs.iter().map(|input| input.sha256.as_bytes())),
        inputs,
        settings,
        timings: BTreeMap::from([
            ("bench".to_owned(), running.elapsed().as_secs_f64()),
            ("total".to_owned(), begin.elapsed().as_secs_f64()),
        ]),
    };
    finish(results, origin, sink, &args.result, &args.report, output)
}

/// The command line of a job.
fn arguments(args: &Args) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec!["score".into(), (&args.submission).into()];
    let mut flag = |name: &str, value: Option<OsString>| {
        if let Some(value) = value {
            line.push(name.into());
            line.push(value);
        }
    };
    let text = |value: &Option<String>| value.as_ref().map(OsString::from);
    flag("--references", Some((&args.references).into()));
    flag("--encoder", Some((&args.encoder.encoder).into()));
    flag("--engine", Some(args.encoder.engine.name().into()));
    flag("--device", Some((&args.encoder.device).into()));
    flag(
        "--max-length",
        args.encoder.max_length.map(|n| n.to_string().into()),
    );
    flag("--id-column", text(&args.captions.id_column));
    flag("--caption-column", text(&args.captions.caption_column));
    flag(
        "--max-bytes",
        Some(args.captions.max_bytes.to_string().into()),
    );
    let format = args.captions.input_format.and_then(|format| {
        use clap::ValueEnum;
        Some(format.to_possible_value()?.get_name().into())
    });
    flag("--input-format", format);
    let (id, caption) = args.columns.names();
    flag("--reference-id-column", text(id));
    flag("--reference-caption-column", text(caption));
    if args.unpaired {
        line.push("--unpaired".into());
    }
    if args.encoder.no_cache {
        line.push("--no-cache".into());
    }
    line
}
