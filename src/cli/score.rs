//! `fgd score`: the main job. How good is this submission, and which captions hurt?

use super::encoder::EncoderArgs;
use super::exit::{Exit, invalid, usage};
use super::files::{CaptionArgs, ResultArgs};
use super::output::{Output, Sink};
use super::{findings, validate};
use crate::captions::{self, CaptionFile, ReadOptions};
use crate::eval::assemble::{AssembleError, assemble};
use crate::eval::metrics::{Choice, Group};
use crate::eval::score::{Scored, score, worst};
use crate::eval::slices::slice;
use crate::eval::system::{System, SystemError};
use crate::eval::{moments_only, per_caption, provenance};
use crate::host;
use anyhow::Context;
use fgd_reports::record::{Finding, Input, Record, Results, SCHEMA_VERSION, ScoreResults};
use fgd_reports::{Style, render};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Arguments of `fgd score`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The submission: captions, .npy embeddings, or .npz moments.
    submission: PathBuf,
    /// The references: captions, .npy embeddings, or .npz moments.
    #[arg(short, long, value_name = "FILE", env = "FGD_REFERENCES")]
    references: PathBuf,
    /// Compare the two sets as wholes; for references of other images.
    #[arg(long, env = "FGD_UNPAIRED", value_parser = clap::builder::FalseyValueParser::new())]
    unpaired: bool,
    /// Write one row per image: .csv, .parquet or .jsonl.
    #[arg(long, value_name = "FILE", env = "FGD_PER_CAPTION")]
    per_caption: Option<PathBuf>,
    /// Show the N captions that hurt most.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_WORST")]
    worst: usize,
    /// Column of the reference file that holds the image ids, where --id-column does not say it.
    #[arg(long, value_name = "NAME", env = "FGD_REFERENCE_ID_COLUMN")]
    reference_id_column: Option<String>,
    /// Column of the reference file that holds the captions, where --caption-column does not say it.
    #[arg(long, value_name = "NAME", env = "FGD_REFERENCE_CAPTION_COLUMN")]
    reference_caption_column: Option<String>,
    /// Further metrics, separated by commas.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "LIST",
        env = "FGD_METRICS"
    )]
    metrics: Vec<Group>,
    /// Report every number per group of images: a column of the files, `ocr` or `length`.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN", env = "FGD_SLICE")]
    slice: Vec<String>,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_SEED")]
    seed: u64,
    #[command(flatten)]
    captions: CaptionArgs,
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
    if let Some(path) = &args.per_caption {
        captions::check_table_path(path).map_err(|error| usage(error.to_string()))?;
    }
    let submission = open_submission(&args.submission, &args.captions.options())?;
    let references = open_references(args)?;
    let mut timings = BTreeMap::from([("read".to_owned(), start.elapsed().as_secs_f64())]);

    let job = match (&submission, &references) {
        (System::Moments { .. }, _) | (_, System::Moments { .. }) => {
            of_moments(args, &submission, &references, output, &mut timings)?
        }
        _ => of_rows(args, &submission, &references, output, &mut timings)?,
    };
    timings.insert("total".into(), start.elapsed().as_secs_f64());

    let inputs = vec![
        input("submission", &args.submission, &submission)?,
        input("references", &args.references, &references)?,
    ];
    let comparability = provenance::comparability(
        job.encoder.as_ref(),
        references_sha256(&references, &inputs[1]),
    );
    let tool = provenance::tool();
    let record = Record {
        schema_version: SCHEMA_VERSION,
        created: provenance::now(),
        signature: provenance::signature(&tool, job.encoder.as_ref(), &inputs, &comparability),
        tool,
        host,
        encoder: job.encoder,
        checkpoint: None,
        inputs,
        settings: settings(args),
        comparability,
        findings: job.findings,
        results: Results::Score(Box::new(job.results)),
        timings,
    };
    let style = Style {
        color: args.result.output.is_none() && output.color(),
        width: output.width(),
    };
    sink.write(render(&record, args.result.format.into(), &style).as_bytes())?;
    Ok(Exit::Success)
}

/// What the two kinds of jobs have in common.
struct Job {
    results: ScoreResults,
    findings: Vec<Finding>,
    encoder: Option<fgd_reports::record::EncoderInfo>,
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
    let mut open = || {
        args.encoder
            .open(output)
            .map_err(|error| AssembleError::Encoder(error))
    };
    let assembled = assemble(submission, references, args.unpaired, &mut open, &|done| {
        bar.inc(done as u64)
    });
    bar.finish_and_clear();
    let (assembled, embedder) = assembled.map_err(|error| refuse(error, args, output))?;
    findings::print(&assembled.findings, &args.submission, false, output);
    timings.insert("embed".into(), start.elapsed().as_secs_f64());

    let start = Instant::now();
    let choice = Choice {
        groups: args.metrics.clone(),
        seed: args.seed,
    };
    let Scored {
        mut results,
        per_caption,
    } = score(&assembled.set, &choice)?;
    results.worst = worst(&assembled.set, &per_caption, args.worst);
    for column in &args.slice {
        let (System::Captions(submission), System::Captions(references)) = (submission, references)
        else {
            return Err(usage("--slice needs captions on both sides"));
        };
        let slice = slice(&assembled, submission, references, column, &choice)
            .map_err(|error| usage(error.to_string()))?;
        results.slices.push(slice);
    }
    timings.insert("score".into(), start.elapsed().as_secs_f64());
    if let Some(path) = &args.per_caption {
        let mut table = per_caption::table(&assembled.set, &per_caption)?;
        captions::write_table(&mut table, path)?;
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
        encoder: embedder.as_ref().map(|embedder| embedder.info()),
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
        || !args.metrics.is_empty()
        || !args.slice.is_empty();
    if needs_rows {
        return Err(usage(
            "--per-caption, --worst, --metrics and --slice need captions or embeddings on both sides: \
             moments have no rows",
        ));
    }
    let start = Instant::now();
    let mut embedder = None;
    let mut found = Vec::new();
    let mut side =
        |system: &System| -> anyhow::Result<(fgd_metrics::moments::Moments, Option<u64>)> {
            Ok(match system {
                System::Moments { moments, n, .. } => ((**moments).clone(), *n),
                System::Embeddings { embeddings, .. } => (
                    fgd_metrics::moments::Moments::from_rows(embeddings.view()),
                    Some(embeddings.nrows() as u64),
                ),
                System::Captions(file) => {
                    found = file.findings.clone();
                    found.extend(captions::lint(file));
                    if !captions::is_valid(&found) {
                        findings::print(&found, &file.path, true, output);
                        return Err(invalid(format!(
                            "{}: has errors; mend them and score it again",
                            file.path.display()
                        )));
                    }
                    let texts: Vec<&str> = file.captions.iter().map(|c| c.text.as_str()).collect();
                    let mut opened = args.encoder.open(output)?;
                    let bar = output.bar(texts.len() as u64, "embedding");
                    let rows = opened.embed(&texts, &|done| bar.inc(done as u64))?;
                    bar.finish_and_clear();
                    embedder = Some(opened);
                    (
                        fgd_metrics::moments::Moments::from_rows(rows.view()),
                        Some(rows.nrows() as u64),
                    )
                }
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
        encoder: embedder.map(|embedder| embedder.info()),
    })
}

fn open_submission(path: &Path, options: &ReadOptions) -> anyhow::Result<System> {
    System::open(path, options).map_err(|error| match error {
        SystemError::Captions(error) => validate::unreadable(error),
        SystemError::Array(error) => invalid(error.to_string()),
    })
}

fn open_references(args: &Args) -> anyhow::Result<System> {
    let mut options = args.captions.options();
    if args.reference_id_column.is_some() {
        options.id_column = args.reference_id_column.clone();
    }
    if args.reference_caption_column.is_some() {
        options.caption_column = args.reference_caption_column.clone();
    }
    let references = System::open(&args.references, &options).context("references")?;
    if let System::Captions(file) = &references {
        let mut found = file.findings.clone();
        found.extend(captions::lint(file));
        let errors = findings::errors(&found);
        // What a participant sees must not show anything of the references, so only the count.
        anyhow::ensure!(
            errors == 0,
            "the references have {errors} {}; `fgd validate` on their file lists them",
            if errors == 1 { "error" } else { "errors" }
        );
    }
    Ok(references)
}

fn refuse(error: AssembleError, args: &Args, output: &Output) -> anyhow::Error {
    match error {
        AssembleError::Invalid { findings: found } => {
            findings::print(&found, &args.submission, true, output);
            invalid(format!(
                "{}: {}",
                args.submission.display(),
                AssembleError::Invalid { findings: found }
            ))
        }
        AssembleError::Mismatch(message) => usage(message),
        AssembleError::Encoder(error) => error,
        error => error.into(),
    }
}

fn rows(system: &System) -> u64 {
    match system {
        System::Captions(file) => file.captions.len() as u64,
        System::Embeddings { embeddings, .. } => embeddings.nrows() as u64,
        System::Moments { n, .. } => n.unwrap_or(0),
    }
}

fn input(role: &str, path: &Path, system: &System) -> anyhow::Result<Input> {
    let sha256 = match system {
        System::Captions(CaptionFile { sha256, .. }) => sha256.clone(),
        _ => crate::hub::sha256(path)?,
    };
    Ok(Input {
        role: role.into(),
        name: path
            .file_stem()
            .map_or_else(|| role.into(), |stem| stem.to_string_lossy().into_owned()),
        path: path.display().to_string(),
        sha256,
        rows: rows(system),
    })
}

fn references_sha256(references: &System, input: &Input) -> String {
    match references {
        System::Captions(file) => provenance::captions_sha256(
            file.captions
                .iter()
                .map(|caption| (caption.id.as_str(), caption.text.as_str())),
        ),
        _ => input.sha256.clone(),
    }
}

fn settings(args: &Args) -> BTreeMap<String, serde_json::Value> {
    BTreeMap::from([
        ("unpaired".to_owned(), args.unpaired.into()),
        ("seed".to_owned(), args.seed.into()),
        ("slice".to_owned(), args.slice.clone().into()),
    ])
}
