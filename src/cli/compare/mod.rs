//! `fgd compare`: several systems on the same images, and whether they differ.

mod agreement;
mod checkpoints;
mod opened;
mod scored;
mod systems;

use super::captioning::CaptioningArgs;
use super::encoder::EncoderArgs;
use super::exit::{Exit, usage};
use super::files::{CaptionArgs, ReportArgs, ResultArgs};
use super::inputs::{ReferenceColumns, input, named, references_sha256, stem};
use super::metrics::MetricArgs;
use super::output::{Output, Sink};
use crate::jobs::compare::contrasts::contrasts;
use crate::jobs::compare::differences::differences;
use crate::jobs::compare::gate::Gate;
use crate::jobs::host;
use crate::jobs::images::Images;
use crate::jobs::provenance::{self, Origin};
use fgd_metrics::compare::Resampling;
use fgd_record::{self as record, CompareResults, Pairing, Results, ScoreResults};
use opened::Opened;
use scored::{Scored, saved_only, score_all};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `fgd compare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The systems, each with an optional name; the first is the baseline. A system is a file of captions, .npy
    /// embeddings, .npz moments, a saved record of `fgd score` (.json), or a checkpoint that captions the images on
    /// the way: a directory or hub id, or CHECKPOINT+ADAPTER.
    #[arg(required = true, value_name = "[NAME=]SYSTEM")]
    systems: Vec<String>,
    /// The references: captions, .npy embeddings or .npz moments of the same images. Only saved records do without.
    #[arg(short, long, value_name = "FILE", env = "FGD_REFERENCES")]
    references: Option<PathBuf>,
    #[command(flatten)]
    columns: ReferenceColumns,
    /// The images, a directory or a CSV file with a column image_id and optionally path: for checkpoints, and for
    /// thumbnails in the report.
    #[arg(long, value_name = "DIR|LIST.csv", env = "FGD_IMAGES")]
    images: Option<PathBuf>,
    /// Where the paths (or ids) of LIST.csv start; its own directory by default.
    #[arg(long, value_name = "DIR", env = "FGD_IMAGE_ROOT")]
    image_root: Option<PathBuf>,
    /// Where checkpoints' captions, journals and records are kept: the same command goes on from there. By default
    /// beside the report, in REPORT.work, or else in fgd-compare.work.
    #[arg(long, value_name = "DIR", env = "FGD_WORK")]
    work: Option<PathBuf>,
    /// End with exit code 3 unless this holds, such as fgd_paired<=base+0.002, fgd_set<0.01 or
    /// tuned.cider_d>=base; `base` is the first system unless one is called that. Repeatable; separated by
    /// semicolons in the environment.
    #[arg(
        long,
        value_delimiter = ';',
        value_name = "CONDITION",
        env = "FGD_GATE"
    )]
    gate: Vec<String>,
    /// Show the N images on which the systems differ most.
    #[arg(long, value_name = "N", default_value_t = 10, env = "FGD_CONTRASTS")]
    contrasts: usize,
    /// Bootstrap replicates behind every interval of a difference.
    #[arg(long, value_name = "N", default_value_t = 1000, env = "FGD_REPLICATES")]
    replicates: usize,
    #[command(flatten)]
    metrics: MetricArgs,
    #[command(flatten)]
    captions: CaptionArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    captioning: CaptioningArgs,
    #[command(flatten)]
    result: ResultArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// Runs `fgd compare`.
pub fn run(args: &Args, output: &Output) -> anyhow::Result<Exit> {
    let start = Instant::now();
    let host = host::describe();
    let sink = Sink::open(args.result.output.as_deref())?;
    args.report.prepare()?;
    if args.replicates < 2 {
        return Err(usage(
            "--replicates: an interval needs at least 2, and 1000 are usual",
        ));
    }
    let systems = named(&args.systems)?;
    let names: Vec<String> = systems.iter().map(|system| system.name.clone()).collect();
    let gates = (args.gate.iter())
        .map(|condition| Gate::parse(condition, &names))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| usage(error.to_string()))?;
    let opened = Opened::open(args, systems, output)?;
    let mut timings = BTreeMap::from([("read".to_owned(), start.elapsed().as_secs_f64())]);

    let clock = Instant::now();
    let mut inputs = opened.inputs()?;
    let Opened {
        systems,
        given,
        captioned,
        references,
        images,
    } = opened;
    let scored = match &references {
        Some(references) => {
            let path = args.references.as_deref().unwrap_or("references".as_ref());
            let of_references = input("references", &stem(path), path, references)?;
            let scored = score_all(args, &systems, given, references, output)?;
            let hash = references_sha256(references, &of_references);
            inputs.push(of_references);
            Scored {
                references: Some(hash),
                ..scored
            }
        }
        None => saved_only(&systems, given),
    };
    let comparability = agreement::agreed(&scored, &systems)?;
    timings.insert("score".into(), clock.elapsed().as_secs_f64());

    let clock = Instant::now();
    let mut results = compared(args, &scored, images.as_ref())?;
    timings.insert("compare".into(), clock.elapsed().as_secs_f64());
    results.gates = checked(&gates, &scored)?;
    results.systems = (scored.contenders.into_iter().zip(captioned))
        .map(|(contender, captioned)| {
            let (checkpoint, captioning) = captioned
                .map(|captioned| (captioned.checkpoint, captioned.results))
                .unzip();
            record::System {
                name: contender.name,
                scores: contender.scores,
                checkpoint,
                captioning,
            }
        })
        .collect();
    timings.insert("total".into(), start.elapsed().as_secs_f64());

    let crossed: Vec<String> = (results.gates.iter())
        .filter(|gate| gate.passed != Some(true))
        .map(|gate| format!("gate crossed: {}: {}", gate.condition, gate.explanation))
        .collect();
    let record = provenance::record(
        Origin {
            host,
            encoder: scored.encoder,
            checkpoint: None,
            inputs,
            settings: settings(args, &results),
            comparability,
            findings: scored.findings,
            timings,
        },
        Results::Compare(Box::new(results)),
    );
    args.result.write(sink, &record, output)?;
    args.report.write(std::slice::from_ref(&record), output)?;
    for line in &crossed {
        eprintln!("{line}");
    }
    Ok(if crossed.is_empty() {
        Exit::Success
    } else {
        Exit::Regression
    })
}

/// What can be said of the systems' differences.
fn compared(
    args: &Args,
    scored: &Scored,
    images: Option<&Images>,
) -> anyhow::Result<CompareResults> {
    let resampling = Resampling {
        replicates: args.replicates,
        seed: args.metrics.seed,
        ..Resampling::default()
    };
    let contenders = &scored.contenders;
    let is_paired = |scores: &&ScoreResults| scores.pairing == Pairing::Paired;
    let all = || contenders.iter().map(|contender| &contender.scores);
    let (n, references) = all()
        .find(is_paired)
        .or_else(|| all().next())
        .map_or((0, 0), |scores| (scores.n, scores.references));
    Ok(CompareResults {
        n,
        references,
        systems: Vec::new(),
        differences: differences(contenders, &scored.groupings, &resampling)?,
        contrasts: contrasts(contenders, args.contrasts, images),
        gates: Vec::new(),
    })
}

fn checked(gates: &[Gate], scored: &Scored) -> anyhow::Result<Vec<record::Gate>> {
    let numbers: Vec<(&str, &ScoreResults)> = (scored.contenders.iter())
        .map(|contender| (contender.name.as_str(), &contender.scores))
        .collect();
    (gates.iter())
        .map(|gate| gate.check(&numbers))
        .collect::<Result<_, _>>()
        .map_err(|error| usage(error.to_string()))
}

fn settings(args: &Args, results: &CompareResults) -> BTreeMap<String, serde_json::Value> {
    let mut settings = BTreeMap::from(args.metrics.settings());
    settings.insert("gate".to_owned(), args.gate.clone().into());
    settings.insert("replicates".to_owned(), args.replicates.into());
    if results.systems.iter().any(|s| s.captioning.is_some()) {
        let generation = args.captioning.generation(args.metrics.seed);
        settings.insert("prompt".to_owned(), args.captioning.prompt().into());
        settings.insert(
            "generation".to_owned(),
            serde_json::to_value(generation).unwrap_or_default(),
        );
    }
    settings
}
