//! `fgd bench encoder`.

use super::record::{Origin, finish, items_sha256};
use super::running::{RunningArgs, Subject, own_memory};
use crate::bench::encoder::EncoderTarget;
use crate::bench::workload;
use crate::cli::encoder::EncoderArgs;
use crate::cli::exit::{Exit, usage};
use crate::cli::files::{CaptionArgs, ReportArgs, ResultArgs};
use crate::cli::inputs::stem;
use crate::cli::output::{Output, Sink};
use crate::jobs::host;
use crate::jobs::provenance;
use fgd_captions as captions;
use fgd_record::{BenchTarget, Input};
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `fgd bench encoder`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Captions to embed; made up from the seed by default.
    #[arg(long, value_name = "FILE", env = "FGD_CAPTIONS")]
    captions: Option<PathBuf>,
    /// Distinct captions that queries are made of: the first of the file, or so many made up (2048 by default).
    #[arg(long, value_name = "N", env = "FGD_ITEMS")]
    items: Option<usize>,
    #[command(flatten)]
    running: RunningArgs,
    #[command(flatten)]
    files: CaptionArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    result: ResultArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// Captions that are made up where the flags say no number.
const MADE_UP: usize = 2048;

/// Runs `fgd bench encoder`.
pub fn run(args: &Args, output: &Output) -> anyhow::Result<Exit> {
    let begin = Instant::now();
    let host = host::describe();
    let sink = Sink::open(args.result.output.as_deref())?;
    let samples_file = args.running.open_samples()?;
    args.report.prepare()?;
    let (captions, inputs) = captions(args)?;
    args.running.check(captions.len())?;
    let items_sha256 = items_sha256(captions.iter().map(|caption| caption.as_bytes()));

    let embedder = args.encoder.open_uncached(output)?;
    let loading = Instant::now();
    let encoder = embedder.load()?;
    let load_seconds = loading.elapsed().as_secs_f64();
    let mut target = EncoderTarget::new(encoder, captions)?;
    let subject = Subject {
        target: BenchTarget::Encoder,
        item: "caption",
        min_queries: 2048,
        bound: 0.1,
        batch_sizes: &[1, 4, 16, 64, 256],
        load_seconds: Some(load_seconds),
        peak_memory: &own_memory,
        has_ceilings: args.encoder.device == "cpu",
    };
    let running = Instant::now();
    let results = args
        .running
        .run(&mut target, &subject, &host, samples_file, output)?;
    let origin = Origin {
        host,
        encoder: Some(provenance::encoder_info(&embedder)),
        checkpoint: None,
        inputs,
        settings: args.running.settings(&subject, target.captions().len()),
        items_sha256,
        timings: BTreeMap::from([
            ("load".to_owned(), load_seconds),
            ("bench".to_owned(), running.elapsed().as_secs_f64()),
            ("total".to_owned(), begin.elapsed().as_secs_f64()),
        ]),
    };
    finish(results, origin, sink, &args.result, &args.report, output)
}

/// The distinct captions, and the file they come from.
fn captions(args: &Args) -> anyhow::Result<(Vec<String>, Vec<Input>)> {
    if args.items == Some(0) {
        return Err(usage("--items 0: a query needs something to ask about"));
    }
    let Some(path) = &args.captions else {
        let captions = workload::captions(args.items.unwrap_or(MADE_UP), args.running.seed);
        return Ok((distinct(captions), Vec::new()));
    };
    let file = captions::read(path, &args.files.options())?;
    let input = Input {
        role: "captions".into(),
        name: stem(path),
        path: path.display().to_string(),
        sha256: file.sha256,
        rows: file.captions.len() as u64,
    };
    let mut captions = distinct(
        file.captions
            .into_iter()
            .map(|caption| caption.text)
            .collect(),
    );
    captions.truncate(args.items.unwrap_or(usize::MAX));
    if captions.is_empty() {
        return Err(usage(format!(
            "{}: holds no caption to embed",
            path.display()
        )));
    }
    Ok((captions, vec![input]))
}

/// Equal captions are encoded once, which would look like speed.
fn distinct(captions: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    captions
        .into_iter()
        .filter(|caption| seen.insert(caption.clone()))
        .collect()
}
