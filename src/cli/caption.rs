//! `fgd caption`: images to a CSV file of captions, by a BLIP-2 checkpoint, durably.

use std::path::PathBuf;

use super::captioning::CaptioningArgs;
use super::encoder::EncoderArgs;
use super::exit::Exit;
use super::files::FormatArgs;
use super::images::ImageArgs;
use super::output::{Output, Sink, written_as};
use crate::jobs::Session;
use crate::jobs::caption::{self, Request};
use crate::jobs::select::{By, Choosing};
use crate::jobs::shard::Shard;

/// Arguments of `fgd caption`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checkpoint that captions: a directory, or a hub id with an optional @revision. An adapter beside
    /// its weights is merged into them, as by from_pretrained. An adapter's own directory or id will do:
    /// its base is then found by the name it gives.
    #[arg(long, value_name = "ID|DIR", env = "FGD_CHECKPOINT")]
    checkpoint: String,
    /// LoRA adapter to merge into the checkpoint.
    #[arg(long, value_name = "ID|DIR", env = "FGD_ADAPTER")]
    adapter: Option<String>,
    #[command(flatten)]
    images: ImageArgs,
    /// Caption only the I-th of N parts of the images (I counts from 1), for work on several machines;
    /// `fgd merge-captions` joins them.
    #[arg(long, value_name = "I/N", env = "FGD_SHARD")]
    shard: Option<Shard>,
    /// The captions: columns image_id and caption. Beside it stand FILE.journal.jsonl (token ids and
    /// times; a second run with the same settings goes on from it, with images that are new, were replaced or
    /// could not be read) and FILE.record.json, the record.
    #[arg(short, long, value_name = "FILE.csv", env = "FGD_OUTPUT")]
    output: PathBuf,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_SEED")]
    seed: u64,
    /// How one of several captions of an image is chosen (--samples).
    #[arg(long, value_enum, value_name = "BY", default_value_t = By::Mbr, env = "FGD_SELECT", requires = "samples")]
    select: By,
    /// The metric of a medoid: any with a value per caption.
    #[arg(
        long,
        value_name = "METRIC",
        default_value = "cider_d",
        env = "FGD_MEDOID_METRIC",
        requires = "samples"
    )]
    medoid_metric: String,
    /// Where all captions go with their log-probabilities: .jsonl, .csv or .parquet. FILE.samples.jsonl by default.
    #[arg(long, value_name = "FILE", env = "FGD_SAMPLES_FILE", requires = "samples")]
    samples_file: Option<PathBuf>,
    #[command(flatten)]
    result: FormatArgs,
    #[command(flatten)]
    captioning: CaptioningArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
}

/// Runs `fgd caption`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    written_as(&args.output, "captions are", &["csv"])?;
    let request = Request {
        checkpoint: args.checkpoint,
        adapter: args.adapter,
        images: args.images.images,
        image_root: args.images.image_root,
        shard: args.shard.unwrap_or_default(),
        output: args.output,
        device: args.encoder.device.clone(),
        captioning: args.captioning.captioning(args.seed),
        choosing: Choosing { by: args.select, metric: args.medoid_metric },
        encoding: args.encoder.encoding(),
        samples_file: args.samples_file,
    };
    let record = caption::run(&request, session)?;
    let text = args.result.render(&record, output.color(), output);
    Sink::Stdout.write(text.as_bytes())?;
    Ok(Exit::Success)
}
