//! The flags that say which numbers are computed, shared by every subcommand that scores.

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use fgd_metrics::metric::Group;
use fgd_metrics::table::{group, groups};

use crate::jobs::options::Measuring;
use crate::jobs::scoring::metrics::UnknownGroup;

/// Which numbers, and for which groups of images.
#[derive(Debug, Args)]
#[command(next_help_heading = "Metrics")]
pub struct MetricArgs {
    /// Further metrics, separated by commas; the distances are always there.
    #[arg(
        long,
        value_parser = known_groups(),
        value_delimiter = ',',
        value_name = "LIST",
        env = "FGD_METRICS"
    )]
    metrics: Vec<Group>,
    /// Report every number per group of images too: by a column of the references or of the (first) submission,
    /// `ocr` (references that read text) or `length` (of the submission's captions).
    #[arg(long, value_delimiter = ',', value_name = "COLUMN", env = "FGD_SLICE")]
    slice: Vec<String>,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_SEED")]
    seed: u64,
}

/// The groups of the table, with what each brings.
pub(super) fn known_groups() -> impl TypedValueParser<Value = Group> {
    let known = groups().map(|group| PossibleValue::new(group.name).help(group.about));
    PossibleValuesParser::new(known).try_map(|name| group(&name).ok_or(UnknownGroup { name }))
}

impl MetricArgs {
    /// The flags as plain data.
    pub fn measuring(&self) -> Measuring {
        let names = self.metrics.iter().map(|group| group.name.to_owned());
        Measuring {
            metrics: names.collect(),
            slice: self.slice.clone(),
            seed: self.seed,
            ..Measuring::default()
        }
    }
}

/// The same with what is known of how the images were drawn, for subcommands whose intervals go by it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Metrics")]
pub struct SampleArgs {
    #[command(flatten)]
    numbers: MetricArgs,
    /// Images of one value of this column (of the references, else of the submission) depend on each other: every interval and
    /// test counts them as one draw.
    #[arg(long, value_name = "COLUMN", env = "FGD_CLUSTER")]
    cluster: Option<String>,
    /// The images are a sample, drawn without replacement, of these N, and the score is to speak for them: the public part of a test
    /// set, say. Without it, it speaks for images yet to come.
    #[arg(long, value_name = "N", env = "FGD_POPULATION")]
    population: Option<u64>,
}

impl SampleArgs {
    /// The flags as plain data.
    pub fn measuring(&self) -> Measuring {
        Measuring {
            cluster: self.cluster.clone(),
            population: self.population,
            ..self.numbers.measuring()
        }
    }

    /// Seed of everything random.
    pub fn seed(&self) -> u64 {
        self.numbers.seed
    }
}
