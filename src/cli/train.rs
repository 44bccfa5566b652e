//! `fgd train`: LoRA fine-tuning of a captioner, resumable to the bit.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::FalseyValueParser;
use fgd_captioner::train::{Learning, LoraConfig, LossMean, OptimizerConfig, OrderConfig, Targets};
use fgd_captioner::{DEFAULT_PROMPT, Precision};

use super::encoder::EncoderArgs;
use super::exit::{Exit, usage};
use super::files::{CaptionArgs, FormatArgs};
use super::output::{Output, Sink};
use crate::jobs::Session;
use crate::jobs::train::{self, Judging, Request, Watching};

/// Arguments of `fgd train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checkpoint to fine-tune: a directory, or a hub id with an optional @revision.
    #[arg(long, value_name = "ID|DIR", env = "FGD_CHECKPOINT", required_unless_present = "resume")]
    checkpoint: Option<String>,
    /// LoRA adapter to begin at, of the same layers, rank and alpha; a new one otherwise.
    #[arg(long, value_name = "ID|DIR", env = "FGD_ADAPTER")]
    adapter: Option<String>,
    /// The folder that fgd features filled, with the same checkpoint and dtype.
    #[arg(long, value_name = "DIR", env = "FGD_FEATURES", required_unless_present = "resume")]
    features: Option<PathBuf>,
    /// Captions to learn, one or several per image, in any form that fgd score reads.
    #[arg(long, value_name = "FILE", env = "FGD_CAPTIONS", required_unless_present = "resume")]
    captions: Option<PathBuf>,
    /// Captions to judge by, of other images.
    #[arg(long, value_name = "FILE", env = "FGD_VALIDATION")]
    validation: Option<PathBuf>,
    /// Directory of the run: last/ and best/ are PEFT adapters, metrics.jsonl has every step, record.json
    /// stands there in the end. The same command goes on where it was.
    #[arg(short, long, value_name = "DIR", env = "FGD_OUTPUT", required_unless_present = "resume")]
    output: Option<PathBuf>,
    /// Go on with the run in this directory, as it was asked for.
    #[arg(
        long,
        value_name = "DIR",
        env = "FGD_RESUME",
        conflicts_with_all = ["checkpoint", "adapter", "features", "captions", "validation", "output"]
    )]
    resume: Option<PathBuf>,
    /// What the model is asked.
    #[arg(long, value_name = "TEXT", default_value = DEFAULT_PROMPT, env = "FGD_PROMPT")]
    prompt: String,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_SEED")]
    seed: u64,
    /// Learn captions that repeat themselves or seem cut off too: the model will write such captions.
    #[arg(long, env = "FGD_LENIENT", value_parser = FalseyValueParser::new())]
    lenient: bool,
    #[command(flatten)]
    adapting: AdapterArgs,
    #[command(flatten)]
    optimizing: OptimizerArgs,
    #[command(flatten)]
    watching: WatchingArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    reading: CaptionArgs,
    #[command(flatten)]
    result: FormatArgs,
}

/// What is trained.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Adapter")]
struct AdapterArgs {
    /// Layers that are trained: last parts of their names with commas between them, a regular expression
    /// for whole names, or all-linear, as PEFT's target_modules.
    #[arg(long, value_name = "NAMES|REGEX", default_value = "q,k,v", env = "FGD_TARGETS")]
    targets: String,
    /// Rank.
    #[arg(long, value_name = "R", default_value_t = 128, env = "FGD_RANK")]
    rank: usize,
    /// The adapter counts alpha/rank times.
    #[arg(long, value_name = "X", default_value_t = 128.0, env = "FGD_ALPHA")]
    alpha: f64,
    /// The adapter counts alpha/√rank times.
    #[arg(long, env = "FGD_RSLORA", value_parser = FalseyValueParser::new())]
    rslora: bool,
    /// Dropout before the adapter.
    #[arg(long, value_name = "P", default_value_t = 0.05, env = "FGD_DROPOUT")]
    dropout: f64,
    /// T5's own dropout; transformers turns on 0.1 in training.
    #[arg(long, value_name = "P", default_value_t = 0.0, env = "FGD_T5_DROPOUT")]
    t5_dropout: f64,
    /// What the frozen weights are kept in: f32 or bf16. The adapter is f32.
    #[arg(long, value_enum, default_value_t = Precision::F32, env = "FGD_DTYPE")]
    dtype: Precision,
}

/// How it learns.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Optimizer")]
struct OptimizerArgs {
    /// Captions that are computed together.
    #[arg(long, value_name = "N", default_value_t = 32, env = "FGD_BATCH_SIZE")]
    batch_size: usize,
    /// Batches that make one step.
    #[arg(long, value_name = "N", default_value_t = 2, env = "FGD_ACCUMULATION")]
    accumulation: usize,
    /// How losses are averaged over the batches of a step.
    #[arg(long, value_enum, default_value_t = LossMean::Tokens, env = "FGD_LOSS_MEAN")]
    loss_mean: LossMean,
    /// Times that every caption is seen.
    #[arg(long, value_name = "X", default_value_t = 4.0, env = "FGD_EPOCHS")]
    epochs: f64,
    /// End after so many steps; the rate falls to 0 there.
    #[arg(long, value_name = "N", env = "FGD_MAX_STEPS")]
    max_steps: Option<usize>,
    /// Keep captions of one image together, so that they share its encoder pass: cheaper, but a batch has
    /// fewer images.
    #[arg(long, env = "FGD_GROUP_IMAGES", value_parser = FalseyValueParser::new())]
    group_images: bool,
    /// Highest learning rate; it falls along a cosine.
    #[arg(long, value_name = "X", default_value_t = 3e-5, env = "FGD_LEARNING_RATE")]
    learning_rate: f64,
    /// Steps in which the rate rises from 0; below 1, this share of all steps.
    #[arg(long, value_name = "N", default_value_t = 0.0, env = "FGD_WARMUP_STEPS")]
    warmup_steps: f64,
    /// AdamW's weight decay.
    #[arg(long, value_name = "X", default_value_t = 0.0, env = "FGD_WEIGHT_DECAY")]
    weight_decay: f64,
    /// AdamW's decay of the mean gradient.
    #[arg(long, value_name = "X", default_value_t = 0.9, env = "FGD_BETA1")]
    beta1: f64,
    /// AdamW's decay of the mean squared gradient.
    #[arg(long, value_name = "X", default_value_t = 0.999, env = "FGD_BETA2")]
    beta2: f64,
    /// AdamW's epsilon.
    #[arg(long, value_name = "X", default_value_t = 1e-8, env = "FGD_EPSILON")]
    epsilon: f64,
    /// Gradients are clipped to this norm; 0 leaves them alone.
    #[arg(long, value_name = "X", default_value_t = 1.0, env = "FGD_MAX_GRAD_NORM")]
    max_grad_norm: f64,
}

/// When it saves and judges itself.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Watching")]
struct WatchingArgs {
    /// Steps between two saved states: so many are lost at most when the process is killed.
    #[arg(long, value_name = "N", default_value_t = 1, env = "FGD_SAVE_EVERY")]
    save_every: usize,
    /// Keep the adapter of every Nth step as step-N.
    #[arg(long, value_name = "N", env = "FGD_KEEP_EVERY")]
    keep_every: Option<usize>,
    /// Steps between two validations; an epoch by default.
    #[arg(long, value_name = "N", env = "FGD_EVALUATE_EVERY")]
    evaluate_every: Option<usize>,
    /// End after N validations that were no better than the best before.
    #[arg(long, value_name = "N", env = "FGD_PATIENCE")]
    patience: Option<usize>,
    /// What chooses the best adapter: the loss, or fgd_paired of its captions, where a later one must be
    /// better image by image (p < 0.05).
    #[arg(long, value_enum, default_value_t = SelectBy::Loss, env = "FGD_SELECT_BY")]
    select_by: SelectBy,
    /// Longest caption in tokens when captions choose.
    #[arg(long, value_name = "N", default_value_t = 40, env = "FGD_MAX_NEW_TOKENS")]
    max_new_tokens: usize,
}

/// What chooses the best adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum SelectBy {
    /// The validation's loss.
    Loss,
    /// The paired distance of the captions of the validation's images.
    FgdPaired,
}

impl Args {
    fn request(self) -> anyhow::Result<Request> {
        if let Some(dir) = &self.resume {
            return Ok(Request::of_run(dir)?);
        }
        let (Some(checkpoint), Some(features), Some(captions), Some(output)) =
            (self.checkpoint, self.features, self.captions, self.output)
        else {
            return Err(usage("give --checkpoint, --features, --captions and -o, or --resume"));
        };
        let (adapting, optimizing, watching) = (self.adapting, self.optimizing, self.watching);
        Ok(Request {
            checkpoint,
            adapter: self.adapter,
            features,
            captions,
            validation: self.validation,
            output,
            prompt: self.prompt,
            reading: self.reading.options(),
            lenient: self.lenient,
            dtype: adapting.dtype,
            learning: Learning {
                lora: LoraConfig {
                    r: adapting.rank,
                    alpha: adapting.alpha,
                    dropout: adapting.dropout,
                    targets: Targets::parse(&adapting.targets),
                    rslora: adapting.rslora,
                },
                optimizer: OptimizerConfig {
                    learning_rate: optimizing.learning_rate,
                    beta1: optimizing.beta1,
                    beta2: optimizing.beta2,
                    epsilon: optimizing.epsilon,
                    weight_decay: optimizing.weight_decay,
                    max_grad_norm: optimizing.max_grad_norm,
                    warmup_steps: optimizing.warmup_steps,
                },
                loss_mean: optimizing.loss_mean,
                t5_dropout: adapting.t5_dropout,
                seed: self.seed,
            },
            order: OrderConfig {
                batch_size: optimizing.batch_size,
                accumulation: optimizing.accumulation,
                epochs: optimizing.epochs,
                max_steps: optimizing.max_steps,
                group_images: optimizing.group_images,
            },
            watching: Watching {
                save_every: watching.save_every,
                keep_every: watching.keep_every,
                evaluate_every: watching.evaluate_every,
                patience: watching.patience,
                judging: (watching.select_by == SelectBy::FgdPaired).then(|| Judging {
                    encoding: self.encoder.encoding(),
                    max_new_tokens: watching.max_new_tokens,
                }),
            },
        })
    }
}

/// Runs `fgd train`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    let form = FormatArgs { format: args.result.format };
    let record = train::run(&args.request()?, session)?;
    Sink::Stdout.write(form.render(&record, output.color(), output).as_bytes())?;
    Ok(Exit::Success)
}
