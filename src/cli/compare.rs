//! `fgd compare`: several systems on the same images, and whether they differ.

use super::encoder::EncoderArgs;
use super::exit::{Exit, invalid, usage};
use super::files::{CaptionArgs, ReportArgs, ResultArgs};
use super::findings;
use super::inputs::{
    Named, ReferenceColumns, input, named, open_submission, references_sha256, rows, stem,
};
use super::output::{Output, Sink};
use crate::captions::{self, Finding};
use crate::eval::assemble::{AssembleError, assemble};
use crate::eval::compare::{Contender, Rows, contrasts, differences};
use crate::eval::embedder::Embedder;
use crate::eval::gate::Gate;
use crate::eval::metrics::{Choice, Group};
use crate::eval::provenance;
use crate::eval::score::score;
use crate::eval::slices::{Grouping, group, score_groups};
use crate::eval::system::System;
use crate::{host, hub};
use fgd_metrics::compare::Resampling;
use fgd_reports::record::{
    self, Comparability, CompareResults, EncoderInfo, Input, Record, RecordError, Results,
    SCHEMA_VERSION, ScoreResults,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `fgd compare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The systems: files of captions, .npy embeddings, or saved records of `fgd score` (.json), each with
    /// an optional name. The first is the baseline.
    #[arg(required = true, value_name = "[NAME=]FILE")]
    systems: Vec<String>,
    /// The references: captions or .npy embeddings of the same images. Only saved records do without.
    #[arg(short, long, value_name = "FILE", env = "FGD_REFERENCES")]
    references: Option<PathBuf>,
    #[command(flatten)]
    columns: ReferenceColumns,
    /// Further metrics, separated by commas.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "LIST",
        env = "FGD_METRICS"
    )]
    metrics: Vec<Group>,
    /// Report numbers and differences per group of images: a column of the references or of the first
    /// system's file, `ocr`, or `length` (of the first system's captions).
    #[arg(long, value_delimiter = ',', value_name = "COLUMN", env = "FGD_SLICE")]
    slice: Vec<String>,
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
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_SEED")]
    seed: u64,
    #[command(flatten)]
    captions: CaptionArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    result: ResultArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// What a system's file turned out to be.
enum Given {
    /// Captions or embeddings.
    Rows(System),
    /// A saved record, of which only the numbers are known.
    Saved(Box<Saved>),
}

/// What is taken from a saved record.
struct Saved {
    scores: ScoreResults,
    comparability: Comparability,
    encoder: Option<EncoderInfo>,
    input: Input,
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
    let given = systems
        .iter()
        .map(|system| open(system, args))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let references = match &args.references {
        Some(path) => Some((path.as_path(), args.columns.open(path, &args.captions)?)),
        None if given.iter().all(|given| matches!(given, Given::Saved(_))) => None,
        None => {
            return Err(usage(
                "--references FILE is missing: what the captions are compared with",
            ));
        }
    };
    let mut timings = BTreeMap::from([("read".to_owned(), start.elapsed().as_secs_f64())]);

    let mut inputs = Vec::new();
    for (system, given) in systems.iter().zip(&given) {
        inputs.push(match given {
            Given::Rows(rows) => input("submission", &system.name, &system.path, rows)?,
            Given::Saved(saved) => saved.input.clone(),
        });
    }
    let clock = Instant::now();
    let scored = match &references {
        Some((path, references)) => {
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
    let comparability = agreed(&scored, &systems)?;
    timings.insert("score".into(), clock.elapsed().as_secs_f64());

    let clock = Instant::now();
    let resampling = Resampling {
        replicates: args.replicates,
        seed: args.seed,
        ..Resampling::default()
    };
    let contenders = &scored.contenders;
    let mut results = CompareResults {
        n: contenders[0].scores.n,
        references: contenders[0].scores.references,
        systems: Vec::new(),
        differences: differences(contenders, &scored.groupings, &resampling)?,
        contrasts: contrasts(contenders, args.contrasts),
        gates: Vec::new(),
    };
    timings.insert("compare".into(), clock.elapsed().as_secs_f64());
    let numbers: Vec<(&str, &ScoreResults)> = contenders
        .iter()
        .map(|contender| (contender.name.as_str(), &contender.scores))
        .collect();
    results.gates = (gates.iter())
        .map(|gate| gate.check(&numbers))
        .collect::<Result<_, _>>()
        .map_err(|error| usage(error.to_string()))?;
    let crossed: Vec<String> = (results.gates.iter())
        .filter(|gate| gate.passed != Some(true))
        .map(|gate| format!("gate crossed: {}: {}", gate.condition, gate.explanation))
        .collect();
    results.systems = (scored.contenders.into_iter())
        .map(|contender| record::System {
            name: contender.name,
            scores: contender.scores,
            ..record::System::default()
        })
        .collect();
    timings.insert("total".into(), start.elapsed().as_secs_f64());

    let tool = provenance::tool();
    let record = Record {
        schema_version: SCHEMA_VERSION,
        created: provenance::now(),
        signature: provenance::signature(&tool, scored.encoder.as_ref(), &inputs, &comparability),
        tool,
        host,
        encoder: scored.encoder,
        checkpoint: None,
        inputs,
        settings: settings(args),
        comparability,
        findings: scored.findings,
        results: Results::Compare(Box::new(results)),
        timings,
    };
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

/// Reads what stands for a system.
fn open(system: &Named, args: &Args) -> anyhow::Result<Given> {
    let path = &system.path;
    if path.is_dir() {
        return Err(usage(format!(
            "{}: is a directory; if it holds a checkpoint, caption the images first \
             (fgd caption --checkpoint {0} --images DIR -o captions.csv) and compare its captions",
            path.display()
        )));
    }
    if let Some(saved) = open_saved(system)? {
        return Ok(Given::Saved(Box::new(saved)));
    }
    let opened = open_submission(path, &args.captions.options())?;
    if let System::Moments { .. } = opened {
        return Err(usage(format!(
            "{}: moments have no rows to compare image by image; give captions or embeddings",
            path.display()
        )));
    }
    Ok(Given::Rows(opened))
}

/// The record in a `.json` file; `None` where it holds captions instead.
fn open_saved(system: &Named) -> anyhow::Result<Option<Saved>> {
    let path = &system.path;
    let is_json = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("json"));
    if !is_json {
        return Ok(None);
    }
    let Ok(text) = std::fs::read_to_string(path) else {
        // Whatever is wrong with the file, the reader of captions says it better.
        return Ok(None);
    };
    let record = match Record::from_json(&text) {
        Ok(record) => record,
        Err(RecordError::Shape(_)) => return Ok(None),
        Err(error @ RecordError::Newer { .. }) => {
            return Err(usage(format!("{}: {error}", path.display())));
        }
    };
    let Results::Score(scores) = record.results else {
        return Err(usage(format!(
            "{}: is a record of `fgd {}`; give records of `fgd score`",
            path.display(),
            record.results.kind()
        )));
    };
    Ok(Some(Saved {
        input: Input {
            role: "record".into(),
            name: system.name.clone(),
            path: path.display().to_string(),
            sha256: hub::sha256(path)?,
            rows: scores.n,
        },
        scores: *scores,
        comparability: record.comparability,
        encoder: record.encoder,
    }))
}

/// The systems with their numbers.
struct Scored {
    contenders: Vec<Contender>,
    groupings: Vec<Grouping>,
    findings: Vec<record::Finding>,
    encoder: Option<EncoderInfo>,
    /// Hash of the references, where they were given.
    references: Option<String>,
    /// The key of each saved record, by the index of its system.
    saved: Vec<(usize, Comparability)>,
}

fn saved_only(systems: &[Named], given: Vec<Given>) -> Scored {
    let mut scored = Scored {
        contenders: Vec::new(),
        groupings: Vec::new(),
        findings: Vec::new(),
        encoder: None,
        references: None,
        saved: Vec::new(),
    };
    for (system, given) in systems.iter().zip(given) {
        if let Given::Saved(saved) = given {
            scored.take(system, *saved);
        }
    }
    scored
}

impl Scored {
    fn take(&mut self, system: &Named, saved: Saved) {
        self.saved
            .push((self.contenders.len(), saved.comparability));
        self.encoder = self.encoder.take().or(saved.encoder);
        self.contenders.push(Contender {
            name: system.name.clone(),
            scores: saved.scores,
            rows: None,
        });
    }
}

/// Embeds and scores every system that was given as captions or embeddings.
fn score_all(
    args: &Args,
    systems: &[Named],
    given: Vec<Given>,
    references: &System,
    output: &Output,
) -> anyhow::Result<Scored> {
    refuse_invalid(systems, &given, references, output)?;
    let choice = Choice {
        groups: args.metrics.clone(),
        seed: args.seed,
    };
    let total: u64 = given
        .iter()
        .map(|given| match given {
            Given::Rows(system) => rows(system) + rows(references),
            Given::Saved(_) => 0,
        })
        .sum();
    let bar = output.bar(total, "embedding");
    let scratch = tempfile::tempdir()?;
    let mut embedder: Option<Embedder> = None;
    let mut encoder = None;
    let mut scored = saved_only(&[], Vec::new());
    let grouped_by = given
        .iter()
        .position(|given| matches!(given, Given::Rows(_)));
    for (index, (named, given)) in systems.iter().zip(given).enumerate() {
        let system = match given {
            Given::Rows(system) => system,
            Given::Saved(saved) => {
                scored.take(named, *saved);
                continue;
            }
        };
        let mut open = || match embedder.take() {
            Some(embedder) => Ok(embedder),
            None => {
                (args.encoder.open_shared(scratch.path(), output)).map_err(AssembleError::Encoder)
            }
        };
        let (assembled, used) = assemble(&system, references, false, &mut open, &|done| {
            bar.inc(done as u64)
        })
        .map_err(|error| refuse(error, named))?;
        embedder = used;
        encoder = embedder.as_ref().map(Embedder::info);
        bar.suspend(|| findings::print(&assembled.findings, &named.path, false, output));
        scored
            .findings
            .extend(findings::for_record(&assembled.findings, &named.name));
        if grouped_by == Some(index) {
            for column in &args.slice {
                let (System::Captions(system), System::Captions(references)) =
                    (&system, references)
                else {
                    return Err(usage("--slice needs captions on both sides"));
                };
                let grouping = group(&assembled, system, references, column)
                    .map_err(|error| usage(error.to_string()))?;
                scored.groupings.push(grouping);
            }
        }
        let mut found = score(&assembled.set, &choice)?;
        for grouping in &scored.groupings {
            found
                .results
                .slices
                .push(score_groups(&assembled.set, grouping, &choice)?);
        }
        scored.contenders.push(Contender {
            name: named.name.clone(),
            scores: found.results,
            rows: Some(Rows {
                set: assembled.set,
                per_caption: found.per_caption,
            }),
        });
    }
    bar.finish_and_clear();
    // The encoder of this run; a record's own is held against it by its key.
    if grouped_by.is_some() {
        scored.encoder = encoder;
    }
    Ok(scored)
}

/// Lists what is wrong with every system at once, before anything is embedded.
fn refuse_invalid(
    systems: &[Named],
    given: &[Given],
    references: &System,
    output: &Output,
) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for (named, given) in systems.iter().zip(given) {
        let (Given::Rows(System::Captions(file)), System::Captions(references)) =
            (given, references)
        else {
            continue;
        };
        let mut found: Vec<Finding> = file.findings.clone();
        found.extend(captions::lint(file));
        found.extend(captions::align(file, references).findings);
        if !captions::is_valid(&found) {
            findings::print(&found, &named.path, true, output);
            let errors = findings::errors(&found);
            wrong.push(format!("{} ({errors})", named.path.display()));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(invalid(format!(
        "{}: errors in the captions; mend them and compare again",
        wrong.join(", ")
    )))
}

fn refuse(error: AssembleError, system: &Named) -> anyhow::Error {
    match error {
        AssembleError::Mismatch(message) => usage(format!("{}: {message}", system.name)),
        AssembleError::Encoder(error) => error,
        error => error.into(),
    }
}

/// The key that all systems share; systems of different keys are not compared.
fn agreed(scored: &Scored, systems: &[Named]) -> anyhow::Result<Comparability> {
    let common = match (&scored.references, scored.saved.first()) {
        // With records alone, the references only have to be those of the records.
        (Some(hash), Some((_, first))) if scored.saved.len() == scored.contenders.len() => {
            Comparability {
                references_sha256: hash.clone(),
                ..first.clone()
            }
        }
        (Some(hash), _) => provenance::comparability(scored.encoder.as_ref(), hash.clone()),
        (None, Some((_, first))) => first.clone(),
        (None, None) => return Err(usage("give at least one system")),
    };
    for (index, saved) in &scored.saved {
        if let Some(difference) = unlike(saved, &common) {
            return Err(usage(format!(
                "{}: its numbers cannot be compared with the others: {difference}; score its captions \
                 again with the same settings",
                systems[*index].path.display()
            )));
        }
    }
    Ok(common)
}

/// What keeps a record from being compared, in words.
fn unlike(saved: &Comparability, common: &Comparability) -> Option<String> {
    let short = |hash: &Option<String>| -> String {
        hash.as_deref()
            .map_or("none".into(), |hash| hash.chars().take(8).collect())
    };
    if saved.metric_version != common.metric_version {
        return Some(format!(
            "version {} of the metrics, not {}",
            saved.metric_version, common.metric_version
        ));
    }
    if saved.encoder_sha256 != common.encoder_sha256 {
        return Some(format!(
            "another encoder ({}, not {})",
            short(&saved.encoder_sha256),
            short(&common.encoder_sha256)
        ));
    }
    if saved.references_sha256 != common.references_sha256 {
        return Some("other references".into());
    }
    (saved.precision != common.precision
        || saved.pooling != common.pooling
        || saved.max_length != common.max_length)
        .then(|| "the encoder ran with another precision, pooling or maximal length".into())
}

fn settings(args: &Args) -> BTreeMap<String, serde_json::Value> {
    BTreeMap::from([
        ("gate".to_owned(), args.gate.clone().into()),
        ("replicates".to_owned(), args.replicates.into()),
        ("seed".to_owned(), args.seed.into()),
        ("slice".to_owned(), args.slice.clone().into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_another_encoder_is_told_apart() {
        let common = provenance::comparability(None, "a".into());
        assert_eq!(unlike(&common, &common), None);
        let other = Comparability {
            encoder_sha256: Some("0123456789".into()),
            ..common.clone()
        };
        assert!(unlike(&other, &common).unwrap().contains("01234567"));
        let other = provenance::comparability(None, "b".into());
        assert_eq!(unlike(&other, &common).unwrap(), "other references");
    }
}
