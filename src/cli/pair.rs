//! A submission and its references: what `fgd score` takes, and `fgd bench score` hands on to it.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::encoder::EncoderArgs;
use super::files::CaptionArgs;
use super::inputs::ReferenceColumns;
use crate::jobs::score::Request;

/// The files of a score, how to read them, and how to embed what is in them.
#[derive(Debug, Args)]
pub struct PairArgs {
    /// The submission: captions, .npy embeddings, or .npz moments; - reads captions from stdin.
    pub(super) submission: PathBuf,
    /// The references: captions, .npy embeddings, or .npz moments; - reads captions from stdin.
    #[arg(short, long, value_name = "FILE", env = "FGD_REFERENCES")]
    pub(super) references: PathBuf,
    /// Compare the two sets as wholes; for references of other images.
    #[arg(long, env = "FGD_UNPAIRED", value_parser = FalseyValueParser::new())]
    pub(super) unpaired: bool,
    #[command(flatten)]
    pub(super) columns: ReferenceColumns,
    #[command(flatten)]
    pub(super) captions: CaptionArgs,
    #[command(flatten)]
    pub(super) encoder: EncoderArgs,
}

impl PairArgs {
    /// The score of these files, without further wishes.
    pub fn request(self) -> Request {
        Request {
            submission: self.submission,
            references: self.columns.of(self.references),
            unpaired: self.unpaired,
            reading: self.captions.options(),
            encoding: self.encoder.encoding(),
            ..Request::default()
        }
    }
}
