//! The flags that say which numbers are computed, shared by every subcommand that scores.

use crate::jobs::options::Measuring;
use crate::jobs::scoring::metrics::Group;
use clap::{Args, ValueEnum};

/// Which numbers, and for which groups of images.
#[derive(Debug, Args)]
#[command(next_help_heading = "Metrics")]
pub struct MetricArgs {
    /// Further metrics, separated by commas; the distances are always there.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "LIST",
        env = "FGD_METRICS"
    )]
    pub metrics: Vec<Group>,
    /// Report every number per group of images too: by a column of the references or of the (first) submission,
    /// `ocr` (references that read text) or `length` (of the submission's captions).
    #[arg(long, value_delimiter = ',', value_name = "COLUMN", env = "FGD_SLICE")]
    pub slice: Vec<String>,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_SEED")]
    pub seed: u64,
}

impl MetricArgs {
    /// The flags as plain data.
    pub fn measuring(&self) -> Measuring {
        let names = self.metrics.iter().filter_map(Group::to_possible_value);
        Measuring {
            metrics: names.map(|name| name.get_name().to_owned()).collect(),
            slice: self.slice.clone(),
            seed: self.seed,
        }
    }
}
