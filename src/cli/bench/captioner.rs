//! `fgd bench captioner`.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use fgd_captioner::{DEFAULT_PROMPT, Precision};

use super::DestinationArgs;
use super::load::LoadArgs;
use crate::jobs::bench::{CaptionerRequest, Request};

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
    /// Images to caption: a directory, one image, or a list of ids and paths; made up from the seed by default.
    #[arg(long, value_name = "DIR|IMAGE|LIST", env = "FGD_IMAGES")]
    images: Option<PathBuf>,
    /// Images that queries are made of: the first of the directory, or so many made up (8 by default).
    #[arg(long, value_name = "N", env = "FGD_ITEMS")]
    items: Option<usize>,
    /// What the model is asked; may be empty.
    #[arg(long, value_name = "TEXT", default_value = DEFAULT_PROMPT, env = "FGD_PROMPT")]
    prompt: String,
    /// Tokens of every caption.
    #[arg(long, value_name = "N", default_value_t = 30, env = "FGD_MAX_NEW_TOKENS")]
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
    load: LoadArgs,
    #[command(flatten)]
    destination: DestinationArgs,
}

impl Args {
    /// What is asked, and where the result goes.
    pub(super) fn split(self) -> (Request, DestinationArgs) {
        let request = CaptionerRequest {
            checkpoint: self.checkpoint,
            adapter: self.adapter,
            images: self.images,
            items: self.items,
            prompt: self.prompt,
            max_new_tokens: self.max_new_tokens,
            num_beams: self.num_beams,
            stop_at_end: self.stop_at_end,
            dtype: self.dtype,
            device: self.device,
            load: self.load.load(),
        };
        (Request::Captioner(request), self.destination)
    }
}
