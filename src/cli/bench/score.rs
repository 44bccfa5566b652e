//! `fgd bench score`: whole jobs, from the command to the record.

use super::record::{Origin, finish, items_sha256};
use super::running::{RunningArgs, Subject};
use crate::bench::score::ScoreTarget;
use crate::cli::exit::Exit;
use crate::cli::files::{ReportArgs, ResultArgs};
use crate::cli::output::{Output, Sink};
use crate::cli::pair::PairArgs;
use crate::jobs::host;
use crate::jobs::provenance;
use crate::jobs::scoring::system::System;
use anyhow::Context;
use fgd_record::BenchTarget;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Instant;

/// Arguments of `fgd bench score`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pair: PairArgs,
    #[command(flatten)]
    running: RunningArgs,
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
    let submission = System::open_submission(&args.pair.submission, &args.pair.captions.options())?;
    let references = System::open(&args.pair.references, &args.pair.captions.options())?;
    let inputs = [
        submission.input("submission", "submission", &args.pair.submission)?,
        references.input("references", "references", &args.pair.references)?,
    ];
    let has_captions = [&submission, &references]
        .iter()
        .any(|system| matches!(system, System::Captions(_)));
    let encoder = match has_captions {
        true => Some(provenance::encoder_info(
            &args.pair.encoder.open_uncached(output)?,
        )),
        false => None,
    };
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
    settings.insert("unpaired".into(), args.pair.unpaired.into());
    settings.insert("no-cache".into(), args.pair.encoder.no_cache.into());
    let origin = Origin {
        host,
        encoder,
        checkpoint: None,
        items_sha256: items_sha256(inputs.iter().map(|input| input.sha256.as_bytes())),
        inputs: inputs.into(),
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
    let mut line: Vec<OsString> = vec!["score".into(), (&args.pair.submission).into()];
    let mut flag = |name: &str, value: Option<OsString>| {
        if let Some(value) = value {
            line.push(name.into());
            line.push(value);
        }
    };
    let text = |value: &Option<String>| value.as_ref().map(OsString::from);
    flag("--references", Some((&args.pair.references).into()));
    flag("--encoder", Some((&args.pair.encoder.encoder).into()));
    flag("--engine", Some(args.pair.encoder.engine.name().into()));
    flag("--device", Some((&args.pair.encoder.device).into()));
    flag(
        "--max-length",
        args.pair.encoder.max_length.map(|n| n.to_string().into()),
    );
    flag("--id-column", text(&args.pair.captions.id_column));
    flag("--caption-column", text(&args.pair.captions.caption_column));
    flag(
        "--max-bytes",
        Some(args.pair.captions.max_bytes.to_string().into()),
    );
    let format = args.pair.captions.input_format.and_then(|format| {
        use clap::ValueEnum;
        Some(format.to_possible_value()?.get_name().into())
    });
    flag("--input-format", format);
    if args.pair.unpaired {
        line.push("--unpaired".into());
    }
    if args.pair.encoder.no_cache {
        line.push("--no-cache".into());
    }
    line
}
