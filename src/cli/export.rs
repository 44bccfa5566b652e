//! `fgd export`: a saved record in the format of another program.

use std::path::PathBuf;

use clap::Subcommand;
use fgd_reports::export::{self, Dataset};

use super::exit::{Exit, usage};
use super::output::{Output, Sink};
use super::report;

/// Arguments of `fgd export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    target: Target,
}

/// What the record becomes.
#[derive(Debug, Subcommand)]
enum Target {
    /// `model-index` metadata for the model card of a Hugging Face repository.
    ModelCard {
        #[command(flatten)]
        dataset: DatasetArgs,
        #[command(flatten)]
        files: Files,
    },
    /// A file for `.eval_results/` of a Hugging Face repository; only numbers of gte-small.
    EvalResults {
        #[command(flatten)]
        dataset: DatasetArgs,
        #[command(flatten)]
        files: Files,
    },
    /// Bencher Metric Format.
    Bmf {
        #[command(flatten)]
        files: Files,
    },
}

/// From which file to which.
#[derive(Debug, clap::Args)]
struct Files {
    /// The record, as it was saved with --format json.
    record: PathBuf,
    /// Write to a file instead of stdout.
    #[arg(short, long, value_name = "FILE", env = "FGD_OUTPUT")]
    output: Option<PathBuf>,
}

/// What the images and references are called.
#[derive(Debug, clap::Args)]
struct DatasetArgs {
    /// Id of the dataset on the Hub, or any name for one that is not there.
    #[arg(long, value_name = "ID", env = "FGD_DATASET")]
    dataset: String,
    /// Name of the dataset for people; its id otherwise.
    #[arg(long, value_name = "NAME", env = "FGD_DATASET_NAME")]
    dataset_name: Option<String>,
    /// Id of the task in the dataset's eval.yaml.
    #[arg(long, value_name = "ID", env = "FGD_TASK_ID")]
    task_id: Option<String>,
    /// Split of the dataset, such as test.
    #[arg(long, value_name = "NAME", env = "FGD_DATASET_SPLIT")]
    dataset_split: Option<String>,
    /// Commit of the dataset.
    #[arg(long, value_name = "COMMIT", env = "FGD_DATASET_REVISION")]
    dataset_revision: Option<String>,
}

impl DatasetArgs {
    fn dataset(&self) -> Dataset {
        Dataset {
            id: self.dataset.clone(),
            name: self.dataset_name.clone(),
            task_id: self.task_id.clone(),
            split: self.dataset_split.clone(),
            revision: self.dataset_revision.clone(),
        }
    }
}

/// Runs `fgd export`.
pub fn run(args: &Args, _output: &Output) -> anyhow::Result<Exit> {
    let (Target::ModelCard { files, .. }
    | Target::EvalResults { files, .. }
    | Target::Bmf { files }) = &args.target;
    let sink = Sink::open(files.output.as_deref())?;
    let record = report::read(&files.record)?;
    let text = match &args.target {
        Target::ModelCard { dataset, .. } => export::model_card(&record, &dataset.dataset()),
        Target::EvalResults { dataset, .. } => export::eval_results(&record, &dataset.dataset()),
        Target::Bmf { .. } => Ok(export::bmf(&record)),
    };
    let text = text.map_err(|error| usage(format!("{}: {error}", files.record.display())))?;
    sink.write(text.as_bytes())?;
    Ok(Exit::Success)
}
