//! `fgd bench score`.

use super::DestinationArgs;
use super::load::LoadArgs;
use crate::cli::pair::PairArgs;
use crate::jobs::bench::{Request, ScoreRequest};

/// Arguments of `fgd bench score`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pair: PairArgs,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    destination: DestinationArgs,
}

impl Args {
    /// What is asked, and where the result goes.
    pub(super) fn split(self) -> (Request, DestinationArgs) {
        let request = ScoreRequest { score: self.pair.request(), load: self.load.load() };
        (Request::Score(request), self.destination)
    }
}
