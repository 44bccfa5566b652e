//! `fgd score`: the main job. How good is this submission, and which captions hurt?

use super::encoder::EncoderArgs;
use super::exit::{Exit, invalid, usage};
use super::files::ResultArgs;
use super::findings;
use super::inputs::{references_sha256, rows};
use super::metrics::MetricArgs;
use super::output::{Output, Sink};
use super::pair::{Pair, PairArgs};
use crate::jobs::host;
use crate::jobs::provenance::{self, Origin};
use crate::jobs::scoring::assemble::{AssembleError, assemble};
use crate::jobs::scoring::numbers::{Scored, score, worst};
use crate::jobs::scoring::slices::slice;
use crate::jobs::scoring::system::System;
use crate::jobs::scoring::{moments_only, per_caption};
use fgd_captions::{self as captions, TableFile};
use fgd_record::{Finding, Results, ScoreResults};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `fgd score`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pair: PairArgs,
    /// Write one row per image: .csv, .parquet or .jsonl.
    #[arg(long, value_name = "FILE", env = "FGD_PER_CAPTION")]
    per_caption: Option<PathBuf>,
    /// Show the N captions that hurt most.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_WORST")]
    worst: usize,
    #[command(flatten)]
    metrics: MetricArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    result: ResultArgs,
}

/// Runs `fgd score`.
pub fn run(args: &Args, output: &Output) -> anyhow::Result<Exit> {
    let start = Instant::now();
    let host = host::describe();
    let sink = Sink::open(args.result.output.as_deref())?;
    let table_file = args.per_caption.as_deref().map(TableFile::create);
    let table_file = table_file
        .transpose()
        .map_err(|error| usage(error.to_string()))?;
    let Pair {
        submission,
        references,
        inputs,
    } = args.pair.open()?;
    let mut timings = BTreeMap::from([("read".to_owned(), start.elapsed().as_secs_f64())]);

    let job = match (&submission, &references) {
        (System::Moments { .. }, _) | (_, System::Moments { .. }) => {
            of_moments(args, &submission, &references, output, &mut timings)?
        }
        _ => of_rows(args, &submission, &references, output, &mut timings)?,
    };
    timings.insert("total".into(), start.elapsed().as_secs_f64());

    let comparability = provenance::comparability(
        job.encoder.as_ref(),
        references_sha256(&references, &inputs[1]),
    );
    let record = provenance::record(
        Origin {
            host,
            encoder: job.encoder,
            checkpoint: None,
            inputs: inputs.into(),
            settings: settings(args),
            comparability,
            findings: job.findings,
            timings,
        },
        Results::Score(Box::new(job.results)),
    );
    args.result.write(sink, &record, output)?;
    Ok(Exit::Success)
}

/// What the two kinds of jobs have in common.
struct Job {
    results: ScoreResults,
    findings: Vec<Finding>,
    encoder: Option<fgd_record::EncoderInfo>,
}

fn of_rows(
    args: &Args,
    submission: &System,
    references: &System,
    output: &Output,
    timings: &mut BTreeMap<String, f64>,
) -> anyhow::Result<Job> {
    let start = Instant::now();
    let total = rows(submission) + rows(references);
    let bar = output.bar(total, "embedding");
    let mut open = || args.encoder.open(output).map_err(AssembleError::Encoder);
    let assembled = assemble(
        submission,
        references,
        args.pair.unpaired,
        &mut open,
        &|done| bar.inc(done as u64),
    );
    bar.finish_and_clear();
    let (assembled, embedder) = assembled.map_err(|error| refuse(error, args, output))?;
    findings::print(&assembled.findings, &args.pair.submission, false, output);
    timings.insert("embed".into(), start.elapsed().as_secs_f64());

    let start = Instant::now();
    let choice = args.metrics.choice();
    let Scored {
        mut results,
        per_caption,
    } = score(&assembled.set, &choice)?;
    results.worst = worst(&assembled.set, &per_caption, args.worst);
    for column in &args.metrics.slice {
        let (System::Captions(submission), System::Captions(references)) = (submission, references)
        else {
            return Err(usage("--slice needs captions on both sides"));
        };
        let slice = slice(&assembled, submission, references, column, &choice)
            .map_err(|error| usage(error.to_string()))?;
        results.slices.push(slice);
    }
    timings.insert("score".into(), start.elapsed().as_secs_f64());
    if let Some(file) = table_file {
        file.write(&per_caption::table(&assembled.set, &per_caption))?;
    }
    if let Some(embedder) = &embedder {
        output.say(format!(
            "{} captions encoded, {} found in the cache",
            embedder.encoded(),
            total - (embedder.encoded() as u64).min(total)
        ));
    }
    Ok(Job {
        results,
        findings: findings::for_record(&assembled.findings, "submission"),
        encoder: embedder.as_ref().map(provenance::encoder_info),
    })
}

fn of_moments(
    args: &Args,
    submission: &System,
    references: &System,
    output: &Output,
    timings: &mut BTreeMap<String, f64>,
) -> anyhow::Result<Job> {
    let needs_rows = args.per_caption.is_some()
        || args.worst > 0
        || !args.metrics.metrics.is_empty()
        || !args.metrics.slice.is_empty();
    if needs_rows {
        return Err(usage(
            "--per-caption, --worst, --metrics and --slice need captions or embeddings on both sides: \
             moments have no rows",
        ));
    }
    let start = Instant::now();
    let mut found = Vec::new();
    if let System::Captions(file) = submission {
        found = file.findings.clone();
        found.extend(captions::lint(file));
        if !captions::is_valid(&found) {
            findings::print(&found, &file.path, true, output);
            return Err(invalid(format!(
                "{}: has errors; mend them and score it again",
                file.path.display()
            )));
        }
    }
    let mut embedder = None;
    let mut side = |system: &System| {
        moments_only::moments_of(system, &mut |texts: &[&str]| {
            let bar = output.bar(texts.len() as u64, "embedding");
            let mut opened = args.encoder.open(output)?;
            let rows = opened.embed(texts, &|done| bar.inc(done as u64))?;
            bar.finish_and_clear();
            embedder = Some(opened);
            Ok(rows)
        })
    };
    let candidates = side(submission)?;
    let references = side(references)?;
    timings.insert("embed".into(), start.elapsed().as_secs_f64());
    let start = Instant::now();
    let results = moments_only::score(&candidates, &references)?;
    timings.insert("score".into(), start.elapsed().as_secs_f64());
    Ok(Job {
        results,
        findings: findings::for_record(&found, "submission"),
        encoder: embedder.as_ref().map(provenance::encoder_info),
    })
}

fn refuse(error: AssembleError, args: &Args, output: &Output) -> anyhow::Error {
    match error {
        AssembleError::Invalid { findings: found } => {
            findings::print(&found, &args.pair.submission, true, output);
            invalid(format!(
                "{}: {}",
                args.pair.submission.display(),
                AssembleError::Invalid { findings: found }
            ))
        }
        AssembleError::Mismatch(message) => usage(message),
        AssembleError::Encoder(error) => error,
        error => error.into(),
    }
}

fn settings(args: &Args) -> BTreeMap<String, serde_json::Value> {
    let mut settings = BTreeMap::from(args.metrics.settings());
    settings.insert("unpaired".to_owned(), args.pair.unpaired.into());
    settings
}
