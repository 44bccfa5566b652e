//! `fgd bench captioner`.

use super::record::{Origin, finish, items_sha256};
use super::running::{RunningArgs, Subject, own_memory};
use crate::bench::captioner::CaptionerTarget;
use crate::bench::workload;
use crate::cli::exit::{Exit, usage};
use crate::cli::files::{ReportArgs, ResultArgs};
use crate::cli::inputs::stem;
use crate::cli::output::{Output, Sink};
use crate::jobs::caption::Checkpoint;
use crate::jobs::{Session, host};
use anyhow::Context;
use clap::builder::FalseyValueParser;
use fgd_captioner::run::list_images;
use fgd_captioner::{
    Captioner, DEFAULT_PROMPT, GenerationConfig, LoadOptions, Precision, parse_device, tensors_of,
};
use fgd_record::{BenchTarget, Input};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Arguments of `fgd bench captioner`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checkpoint that captions: a directory, or a hub id with an optional @revision. Speed does not depend on what the
    /// weights are: `cargo run --release --example random_blip2` writes random ones of full size.
    #[arg(long, value_name = "ID|DIR", env = "FGD_CHECKPOINT")]
    checkpoint: String,
    /// LoRA adapter to merge into the checkpoint.
    #[arg(long, value_name = "ID|DIR", env = "FGD_ADAPTER")]
    adapter: Option<String>,
    /// Images to caption: a directory, or a CSV file of ids and paths; made up from the seed by default.
    #[arg(long, value_name = "DIR|LIST.csv", env = "FGD_IMAGES")]
    images: Option<PathBuf>,
    /// Images that queries are made of: the first of the directory, or so many made up (8 by default).
    #[arg(long, value_name = "N", env = "FGD_ITEMS")]
    items: Option<usize>,
    /// What the model is asked; may be empty.
    #[arg(long, value_name = "TEXT", default_value = DEFAULT_PROMPT, env = "FGD_PROMPT")]
    prompt: String,
    /// Tokens of every caption.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 30,
        env = "FGD_MAX_NEW_TOKENS"
    )]
    max_new_tokens: usize,
    /// Beams per image; 1 is greedy.
    #[arg(long, value_name = "N", default_value_t = 1, env = "FGD_NUM_BEAMS")]
    num_beams: usize,
    /// End captions where the model does; otherwise all are made equally long, so that speeds compare.
    #[arg(long, env = "FGD_STOP_AT_END", value_parser = FalseyValueParser::new())]
    stop_at_end: bool,
    /// What weights are kept in.
    #[arg(long, value_enum, default_value_t = Precision::F32, env = "FGD_DTYPE")]
    dtype: Precision,
    /// cpu, or cuda:N in a build with that feature.
    #[arg(long, default_value = "cpu", env = "FGD_DEVICE")]
    device: String,
    #[command(flatten)]
    running: RunningArgs,
    #[command(flatten)]
    result: ResultArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// Images that are made up where the flags say no number.
const MADE_UP: usize = 8;

/// Runs `fgd bench captioner`.
pub fn run(args: &Args, output: &Output, session: &Session) -> anyhow::Result<Exit> {
    let begin = Instant::now();
    let host = host::describe();
    let generation = GenerationConfig {
        max_new_tokens: args.max_new_tokens,
        num_beams: args.num_beams,
        ignore_eos: !args.stop_at_end,
        ..GenerationConfig::default()
    };
    generation
        .check()
        .map_err(|error| usage(error.to_string()))?;
    let device = parse_device(&args.device).map_err(|error| usage(error.to_string()))?;
    let sink = Sink::open(args.result.output.as_deref())?;
    let samples_file = args.running.open_samples()?;
    args.report.prepare()?;
    let (images, inputs) = images(args)?;
    args.running.check(images.len())?;
    let items_sha256 = items_sha256(images.iter().map(Vec::as_slice));

    let checkpoint = Checkpoint::resolve(&args.checkpoint, args.adapter.as_deref(), session)?;
    let options = LoadOptions {
        precision: args.dtype,
        device,
    };
    let loading = Instant::now();
    let captioner = checkpoint.load(options, session)?;
    let load_seconds = loading.elapsed().as_secs_f64();
    let info = checkpoint.info(&captioner, &args.device);
    let bytes_per_weight = bytes_per_weight(&checkpoint.base.dir, &captioner)?;
    let mut target = CaptionerTarget::new(
        captioner,
        images,
        &args.prompt,
        generation,
        bytes_per_weight,
    )?;
    let subject = Subject {
        target: BenchTarget::Captioner,
        item: "image",
        min_queries: 64,
        bound: 60.0,
        batch_sizes: &[1, 2, 4, 8],
        load_seconds: Some(load_seconds),
        peak_memory: &own_memory,
        has_ceilings: args.device == "cpu",
    };
    let running = Instant::now();
    let results = args
        .running
        .run(&mut target, &subject, &host, samples_file, output)?;
    let mut settings = args
        .running
        .settings(&subject, crate::bench::Target::items(&target));
    settings.insert("prompt".into(), args.prompt.clone().into());
    settings.insert("max-new-tokens".into(), args.max_new_tokens.into());
    settings.insert("num-beams".into(), args.num_beams.into());
    settings.insert("stop-at-end".into(), args.stop_at_end.into());
    let origin = Origin {
        host,
        encoder: None,
        checkpoint: Some(info),
        inputs,
        settings,
        items_sha256,
        timings: BTreeMap::from([
            ("load".to_owned(), load_seconds),
            ("bench".to_owned(), running.elapsed().as_secs_f64()),
            ("total".to_owned(), begin.elapsed().as_secs_f64()),
        ]),
    };
    finish(results, origin, sink, &args.result, &args.report, output)
}

/// The files of the images, and where they come from.
fn images(args: &Args) -> anyhow::Result<(Vec<Vec<u8>>, Vec<Input>)> {
    if args.items == Some(0) {
        return Err(usage("--items 0: a query needs something to ask about"));
    }
    let Some(source) = &args.images else {
        let images = workload::images(args.items.unwrap_or(MADE_UP), args.running.seed)?;
        return Ok((images, Vec::new()));
    };
    let mut list = list_images(source, None)?;
    list.truncate(args.items.unwrap_or(usize::MAX));
    let images = list
        .iter()
        .map(|image| {
            std::fs::read(&image.path)
                .with_context(|| format!("{}: cannot be read", image.path.display()))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let input = Input {
        role: "images".into(),
        name: stem(source),
        path: source.display().to_string(),
        sha256: items_sha256(images.iter().map(Vec::as_slice)),
        rows: images.len() as u64,
    };
    Ok((images, vec![input]))
}

/// What a weight takes in memory: as on disk, where files hold little else, unless it is rounded to two bytes.
fn bytes_per_weight(dir: &Path, captioner: &Captioner) -> anyhow::Result<f64> {
    if captioner.options().precision == Precision::Bf16 {
        return Ok(2.0);
    }
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "safetensors")
        {
            bytes += path.metadata()?.len();
        }
    }
    let weights: usize = tensors_of(captioner.config())?
        .iter()
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum();
    // Files hold numbers of two or four bytes.
    Ok(if bytes as f64 / (weights.max(1) as f64) < 3.0 {
        2.0
    } else {
        4.0
    })
}
