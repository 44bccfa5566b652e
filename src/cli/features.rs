//! `fgd features`: what the frozen part of a checkpoint sees in images, once, for `fgd train`.

use std::path::PathBuf;

use fgd_captioner::Precision;
use fgd_captioner::run::OnError;

use super::exit::Exit;
use super::images::ImageArgs;
use super::output::Output;
use crate::jobs::Session;
use crate::jobs::features::{self, Request};

/// Arguments of `fgd features`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checkpoint whose vision tower and Q-Former look at the images: a directory, or a hub id with an
    /// optional @revision.
    #[arg(long, value_name = "ID|DIR", env = "FGD_CHECKPOINT")]
    checkpoint: String,
    #[command(flatten)]
    images: ImageArgs,
    /// Folder of the features, which may have some already: one file per image, by its content, and
    /// images.csv. Also a --features-cache for fgd caption.
    #[arg(short, long, value_name = "DIR", env = "FGD_OUTPUT")]
    output: PathBuf,
    /// What the checkpoint's weights are kept in; fgd train must be given the same.
    #[arg(long, value_enum, default_value_t = Precision::F32, env = "FGD_DTYPE")]
    dtype: Precision,
    /// Images per batch.
    #[arg(long, value_name = "N", default_value_t = 8, env = "FGD_BATCH_SIZE")]
    batch_size: usize,
    /// What to do with an image that cannot be read.
    #[arg(long, value_enum, default_value_t = OnError::Fail, env = "FGD_ON_ERROR")]
    on_error: OnError,
    /// Where the model runs: cpu, or cuda:N in a build with that feature.
    #[arg(long, default_value = "cpu", env = "FGD_DEVICE")]
    device: String,
}

/// Runs `fgd features`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    let request = Request {
        checkpoint: args.checkpoint,
        images: args.images.images,
        image_root: args.images.image_root,
        output: args.output,
        dtype: args.dtype,
        batch_size: args.batch_size,
        on_error: args.on_error,
        device: args.device,
    };
    let made = features::run(&request, session)?;
    output.say(format!(
        "features of {} images in {} ({} were there, {} could not be read)",
        made.images,
        request.output.display(),
        made.known,
        made.broken.len(),
    ));
    Ok(Exit::Success)
}
