//! `fgd bench encoder`.

use std::path::PathBuf;

use super::DestinationArgs;
use super::load::LoadArgs;
use crate::cli::encoder::EncoderArgs;
use crate::cli::files::CaptionArgs;
use crate::jobs::bench::{EncoderRequest, Request};

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
    load: LoadArgs,
    #[command(flatten)]
    files: CaptionArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    destination: DestinationArgs,
}

impl Args {
    /// What is asked, and where the result goes.
    pub(super) fn split(self) -> (Request, DestinationArgs) {
        let request = EncoderRequest {
            captions: self.captions,
            items: self.items,
            load: self.load.load(),
            reading: self.files.options(),
            encoding: self.encoder.encoding(),
        };
        (Request::Encoder(request), self.destination)
    }
}
