//! `fgd bench score`.

use super::load::LoadArgs;
use super::{DestinationArgs, encoding};
use crate::cli::encoder::EncoderArgs;
use crate::cli::pair::PairArgs;
use crate::jobs::bench::ScoreRequest;
use crate::jobs::options::References;
use crate::jobs::score;

/// Arguments of `fgd bench score`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pair: PairArgs,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    pub(super) destination: DestinationArgs,
}

impl Args {
    pub(super) fn request(&self) -> ScoreRequest {
        let (id_column, caption_column) = self.pair.columns.names();
        ScoreRequest {
            score: score::Request {
                submission: self.pair.submission.clone(),
                references: References {
                    path: self.pair.references.clone(),
                    id_column: id_column.clone(),
                    caption_column: caption_column.clone(),
                },
                unpaired: self.pair.unpaired,
                reading: self.pair.captions.options(),
                encoding: encoding(&self.encoder),
                ..score::Request::default()
            },
            load: self.load.load(),
        }
    }
}
