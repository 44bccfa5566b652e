//! `fgd export`: a saved record in the format of another program.

use std::path::PathBuf;

use clap::Subcommand;
use fgd_record::Results;
use fgd_reports::export::{self, Dataset, ExportError};
use fgd_store::hub;

use super::exit::{Exit, usage};
use super::output::{Output, Sink, written_as};
use crate::jobs::apart::keep_apart;
use crate::jobs::{JobError, saved};
use crate::settings::Settings;

/// Arguments of `fgd export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    target: Target,
}

/// What the record becomes.
#[derive(Debug, Subcommand)]
enum Target {
    /// `model-index` metadata for the model card of a Hugging Face repository; of a training the whole card of its adapter.
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
    /// A model card with `model-index` and the results for people, into a README.md or straight to the Hub. A card that is
    /// there keeps all that fgd did not write.
    Hub(HubArgs),
    /// A badge as SVG: the distance with its interval, or the verdict of a night or of gates.
    Badge {
        #[command(flatten)]
        files: Files,
    },
    /// The headline chart as SVG, or as PNG where the file is called `.png`.
    Chart {
        #[command(flatten)]
        files: Files,
    },
    /// A comment for a pull request in Markdown, with a mark by which the next run finds it.
    Comment {
        #[command(flatten)]
        files: Files,
        /// What the comment is about, where a pull request gets several.
        #[arg(long, value_name = "NAME", default_value = "captions", env = "FGD_NAME")]
        name: String,
    },
    /// Bencher Metric Format.
    Bmf {
        #[command(flatten)]
        files: Files,
    },
}

/// Which card is written where.
#[derive(Debug, clap::Args)]
struct HubArgs {
    #[command(flatten)]
    dataset: DatasetArgs,
    /// The record, as it was saved with --format json.
    record: PathBuf,
    /// The card to write, or to write into.
    #[arg(short, long, value_name = "FILE", default_value = "README.md", env = "FGD_OUTPUT")]
    output: PathBuf,
    /// Commit the card to this repository of models instead; needs HF_TOKEN with the right to write.
    #[arg(long, value_name = "ORG/NAME", env = "FGD_PUSH")]
    push: Option<String>,
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
    /// Id of the dataset on the Hub, or any name for one that is not there; needed for what was scored.
    #[arg(long, value_name = "ID", env = "FGD_DATASET")]
    dataset: Option<String>,
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
    fn dataset(&self) -> anyhow::Result<Dataset> {
        let id = self.dataset.clone();
        Ok(Dataset {
            id: id.ok_or_else(|| {
                usage("give --dataset: what the images and references are called")
            })?,
            name: self.dataset_name.clone(),
            task_id: self.task_id.clone(),
            split: self.dataset_split.clone(),
            revision: self.dataset_revision.clone(),
        })
    }
}

/// Runs `fgd export`.
pub fn run(args: &Args, output: &Output, settings: &Settings) -> anyhow::Result<Exit> {
    let files = match &args.target {
        Target::Hub(args) => return hub(args, output, settings),
        Target::ModelCard { files, .. }
        | Target::EvalResults { files, .. }
        | Target::Badge { files }
        | Target::Chart { files }
        | Target::Comment { files, .. }
        | Target::Bmf { files } => files,
    };
    keep_apart([&*files.record], [files.output.as_deref()])?;
    if let Some(file) = &files.output {
        match &args.target {
            Target::Badge { .. } => written_as(file, "a badge is", &["svg"])?,
            Target::Chart { .. } => written_as(file, "a chart is", &["svg", "png"])?,
            _ => {}
        }
    }
    let sink = Sink::open(files.output.as_deref())?;
    let record = saved::read(&files.record).map_err(JobError::from)?;
    let is_png = files.output.as_ref().is_some_and(|file| {
        file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"))
    });
    let bytes = match &args.target {
        Target::ModelCard { dataset, .. } => match &record.results {
            Results::Train(results) => {
                let dataset = dataset.dataset.as_deref();
                Ok(export::adapter_card(&record, results, dataset).into_bytes())
            }
            _ => export::model_card(&record, &dataset.dataset()?).map(String::into_bytes),
        },
        Target::EvalResults { dataset, .. } => {
            export::eval_results(&record, &dataset.dataset()?).map(String::into_bytes)
        }
        Target::Badge { .. } => Ok(export::badge(&record).into_bytes()),
        Target::Chart { .. } if is_png => export::chart_png(&record),
        Target::Chart { .. } => export::chart(&record).map(String::into_bytes),
        Target::Comment { name, .. } => Ok(export::comment(&record, name).into_bytes()),
        _ => export::bmf(&record).map(String::into_bytes),
    };
    let bytes = bytes.map_err(|error| usage(format!("{}: {error}", files.record.display())))?;
    sink.write(&bytes)?;
    Ok(Exit::Success)
}

/// Writes a model card into a file, or commits it to the Hub.
fn hub(args: &HubArgs, output: &Output, settings: &Settings) -> anyhow::Result<Exit> {
    let HubArgs { dataset, record: path, output: file, push } = args;
    let (record, dataset) = (saved::read(path).map_err(JobError::from)?, dataset.dataset()?);
    let made = |existing: Option<&str>, place: &str| {
        let card = export::card(&record, &dataset, existing);
        card.map_err(|error| match error {
            ExportError::Kind { .. } => usage(format!("{}: {error}", path.display())),
            _ => usage(format!("{place}: {error}")),
        })
    };
    let Some(repository) = push else {
        keep_apart([&**path], [Some(&**file)])?;
        let existing = match std::fs::read_to_string(file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(anyhow::Error::new(error).context(file.display().to_string())),
        };
        let card = made(existing.as_deref(), &file.display().to_string())?;
        Sink::open(Some(file))?.write(card.as_bytes())?;
        output.say(format!("{}: written", file.display()));
        return Ok(Exit::Success);
    };
    let repository = hub::Repository::new(repository, &settings.hub).map_err(JobError::usage)?;
    let card = made(repository.read("README.md")?.as_deref(), repository.id())?;
    let url = repository.commit("README.md", &card, "Captions measured by fgd")?;
    output.say(format!("{}: committed, {url}", repository.id()));
    Ok(Exit::Success)
}
