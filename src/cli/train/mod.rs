//! `fgd train`: LoRA fine-tuning of a captioner, resumable to the bit.

mod flags;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use clap::builder::FalseyValueParser;
use fgd_captioner::Precision;

use super::encoder::EncoderArgs;
use super::exit::{Exit, usage};
use super::files::{CaptionArgs, FormatArgs};
use super::output::{Output, Sink};
use crate::jobs::Session;
use crate::jobs::options::Encoding;
use crate::jobs::train::{self, EXAMPLE, Objective, Request};
use crate::toml_file;
use flags::{AdapterArgs, ObjectiveArgs, OptimizerArgs, TrackingArgs, WatchingArgs, set};

/// Arguments of `fgd train`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Presets: a file that fgd train init writes, with the same settings. Flags and FGD_* variables go before it.
    #[arg(long, value_name = "TRAIN.toml", env = "FGD_CONFIG")]
    config: Option<PathBuf>,
    /// Checkpoint to fine-tune: a directory, or a hub id with an optional @revision.
    #[arg(long, value_name = "ID|DIR", env = "FGD_CHECKPOINT")]
    checkpoint: Option<String>,
    /// LoRA adapter to begin at, of the same layers, rank and alpha; a new one otherwise.
    #[arg(long, value_name = "ID|DIR", env = "FGD_ADAPTER")]
    adapter: Option<String>,
    /// The folder that fgd features filled, with the same checkpoint and dtype.
    #[arg(long, value_name = "DIR", env = "FGD_FEATURES")]
    features: Option<PathBuf>,
    /// Captions to learn, one or several per image, in any form that fgd score reads.
    #[arg(long, value_name = "FILE", env = "FGD_CAPTIONS")]
    captions: Option<PathBuf>,
    /// Captions to judge by, of other images.
    #[arg(long, value_name = "FILE", env = "FGD_VALIDATION")]
    validation: Option<PathBuf>,
    /// Directory of the run: last/ and best/ are PEFT adapters, metrics.jsonl has every step, record.json
    /// stands there in the end. The same command goes on where it was.
    #[arg(short, long, value_name = "DIR", env = "FGD_OUTPUT")]
    output: Option<PathBuf>,
    /// Go on with the run in this directory, as it was asked for.
    #[arg(
        long,
        value_name = "DIR",
        env = "FGD_RESUME",
        conflicts_with_all = ["config", "checkpoint", "adapter", "features", "captions", "validation", "output"]
    )]
    resume: Option<PathBuf>,
    /// What the model is asked; that of the published fine-tuned checkpoint by default.
    #[arg(long, value_name = "TEXT", env = "FGD_PROMPT")]
    prompt: Option<String>,
    /// Seed of everything random [default: 0].
    #[arg(long, value_name = "N", env = "FGD_SEED")]
    seed: Option<u64>,
    /// Learn captions that repeat themselves or seem cut off too: the model will write such captions.
    #[arg(long, env = "FGD_LENIENT", value_parser = FalseyValueParser::new())]
    lenient: bool,
    /// What the frozen weights are kept in, f32 or bf16 [default: f32]. The adapter is f32.
    #[arg(long, value_enum, env = "FGD_DTYPE")]
    dtype: Option<Precision>,
    #[command(flatten)]
    adapting: AdapterArgs,
    #[command(flatten)]
    objective: ObjectiveArgs,
    #[command(flatten)]
    optimizing: OptimizerArgs,
    #[command(flatten)]
    watching: WatchingArgs,
    #[command(flatten)]
    tracking: TrackingArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    reading: CaptionArgs,
    #[command(flatten)]
    result: FormatArgs,
}

/// What stands beside training.
#[derive(Debug, Subcommand)]
enum Command {
    /// Write presets for --config with every setting, commented.
    Init {
        /// The file to write.
        #[arg(value_name = "TRAIN.toml", default_value = "train.toml")]
        file: PathBuf,
    },
}

impl Args {
    fn request(self) -> anyhow::Result<Request> {
        if let Some(dir) = &self.resume {
            let run = Request::of_run(dir)?;
            if run.captions.is_relative() && !run.captions.exists() {
                return Err(usage(format!(
                    "{}: there is no such file here; a run's paths go from the folder where it was begun: go there",
                    run.captions.display()
                )));
            }
            let asked = self.apply(run.clone());
            return match run.differing(&asked)?.as_slice() {
                [] => Ok(run),
                names => Err(usage(format!(
                    "--resume goes on as the run was asked for, and what is given beside it differs ({}): leave that out, or begin another run with -o",
                    names.join(", ")
                ))),
            };
        }
        let presets = match &self.config {
            Some(path) => presets(path)?,
            None if self.objective.objective == Some(Objective::Scst) => Request::self_critical(),
            None => Request::default(),
        };
        Ok(self.apply(presets))
    }

    /// The request with the flags that are given.
    fn apply(self, mut request: Request) -> Request {
        set(&mut request.checkpoint, self.checkpoint);
        set(&mut request.adapter, self.adapter.map(Some));
        set(&mut request.features, self.features);
        set(&mut request.captions, self.captions);
        set(&mut request.validation, self.validation.map(Some));
        set(&mut request.output, self.output);
        set(&mut request.prompt, self.prompt);
        set(&mut request.learning.seed, self.seed);
        set(&mut request.dtype, self.dtype);
        let encoding = self.encoder.encoding();
        if encoding.device != Encoding::default().device {
            request.device.clone_from(&encoding.device);
        }
        request.lenient |= self.lenient;
        let reading = self.reading.options();
        if reading != Default::default() {
            request.reading = reading;
        }
        self.objective.apply(&mut request, self.watching.max_new_tokens);
        self.adapting.apply(&mut request.learning);
        self.optimizing.apply(&mut request);
        self.watching.apply(&mut request.watching, encoding);
        self.tracking.apply(&mut request.tracking);
        request
    }
}

fn presets(path: &Path) -> anyhow::Result<Request> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("{}: cannot be read; fgd train init writes one", path.display())
    })?;
    toml_file::parse(&text, path).map_err(|error| usage(error.to_string()))
}

/// Runs `fgd train`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    if let Some(Command::Init { file }) = &args.command {
        return init(file, output);
    }
    let form = FormatArgs { format: args.result.format };
    let record = train::run(&args.request()?, session)?;
    Sink::Stdout.write(form.render(&record, output.color(), output).as_bytes())?;
    Ok(Exit::Success)
}

fn init(file: &Path, output: &Output) -> anyhow::Result<Exit> {
    if file.exists() {
        let file = file.display();
        return Err(usage(format!("{file}: exists already and is left alone; give another name")));
    }
    Sink::open(Some(file))?.write(EXAMPLE.as_bytes())?;
    output.say(format!("{0}: change what it names. Next: fgd train --config {0}", file.display()));
    Ok(Exit::Success)
}
