//! The flags of `fgd train`, in groups, and what each changes in the request: those that are not given leave presets alone.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::FalseyValueParser;
use fgd_captioner::train::{Learning, LossMean, Targets};

use crate::jobs::options::Encoding;
use crate::jobs::train::{Judging, Objective, Request, Tracking, Watching};

/// Takes the value of a flag, if it was given.
pub fn set<T>(value: &mut T, flag: Option<T>) {
    if let Some(flag) = flag {
        *value = flag;
    }
}

/// What is trained.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Adapter")]
pub struct AdapterArgs {
    /// Layers that are trained: last parts of their names with commas between them, a regular expression
    /// for whole names, or all-linear, as PEFT's target_modules [default: q,k,v].
    #[arg(long, value_name = "NAMES|REGEX", env = "FGD_TARGETS")]
    targets: Option<String>,
    /// Rank [default: 128].
    #[arg(long, value_name = "R", env = "FGD_RANK")]
    rank: Option<usize>,
    /// The adapter counts alpha/rank times [default: 128].
    #[arg(long, value_name = "X", env = "FGD_ALPHA")]
    alpha: Option<f64>,
    /// The adapter counts alpha/√rank times.
    #[arg(long, env = "FGD_RSLORA", value_parser = FalseyValueParser::new())]
    rslora: bool,
    /// Dropout before the adapter [default: 0.05].
    #[arg(long, value_name = "P", env = "FGD_DROPOUT")]
    dropout: Option<f64>,
    /// T5's own dropout; transformers turns on 0.1 in training [default: 0].
    #[arg(long, value_name = "P", env = "FGD_T5_DROPOUT")]
    t5_dropout: Option<f64>,
}

/// How it learns.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Optimizer")]
pub struct OptimizerArgs {
    /// Captions that are computed together [default: 32].
    #[arg(long, value_name = "N", env = "FGD_BATCH_SIZE")]
    batch_size: Option<usize>,
    /// Batches that make one step [default: 2].
    #[arg(long, value_name = "N", env = "FGD_ACCUMULATION")]
    accumulation: Option<usize>,
    /// How losses are averaged over the batches of a step [default: tokens].
    #[arg(long, value_enum, env = "FGD_LOSS_MEAN")]
    loss_mean: Option<LossMean>,
    /// Times that every caption is seen [default: 4].
    #[arg(long, value_name = "X", env = "FGD_EPOCHS")]
    epochs: Option<f64>,
    /// End after so many steps, if the epochs have as many; the rate falls to 0 there.
    #[arg(long, value_name = "N", env = "FGD_MAX_STEPS")]
    max_steps: Option<usize>,
    /// Keep captions of one image together, so that they share its encoder pass: cheaper, but a batch has
    /// fewer images.
    #[arg(long, env = "FGD_GROUP_IMAGES", value_parser = FalseyValueParser::new())]
    group_images: bool,
    /// Highest learning rate; it falls along a cosine [default: 3e-5].
    #[arg(long, value_name = "X", env = "FGD_LEARNING_RATE")]
    learning_rate: Option<f64>,
    /// Steps in which the rate rises from 0; below 1, this share of all steps [default: 0].
    #[arg(long, value_name = "N", env = "FGD_WARMUP_STEPS")]
    warmup_steps: Option<f64>,
    /// AdamW's weight decay [default: 0].
    #[arg(long, value_name = "X", env = "FGD_WEIGHT_DECAY")]
    weight_decay: Option<f64>,
    /// AdamW's decay of the mean gradient [default: 0.9].
    #[arg(long, value_name = "X", env = "FGD_BETA1")]
    beta1: Option<f64>,
    /// AdamW's decay of the mean squared gradient [default: 0.999].
    #[arg(long, value_name = "X", env = "FGD_BETA2")]
    beta2: Option<f64>,
    /// AdamW's epsilon [default: 1e-8].
    #[arg(long, value_name = "X", env = "FGD_EPSILON")]
    epsilon: Option<f64>,
    /// Gradients are clipped to this norm; 0 leaves them alone [default: 1].
    #[arg(long, value_name = "X", env = "FGD_MAX_GRAD_NORM")]
    max_grad_norm: Option<f64>,
}

/// When it saves and judges itself.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Watching")]
pub struct WatchingArgs {
    /// Steps between two saved states: so many are lost at most when the process is killed [default: 1].
    #[arg(long, value_name = "N", env = "FGD_SAVE_EVERY")]
    save_every: Option<usize>,
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
    /// better image by image (p < 0.05) [default: loss].
    #[arg(long, value_enum, env = "FGD_SELECT_BY")]
    select_by: Option<SelectBy>,
    /// Longest caption in tokens when captions choose or are drawn [default: 40].
    #[arg(long, value_name = "N", env = "FGD_MAX_NEW_TOKENS")]
    pub max_new_tokens: Option<usize>,
}

/// What it learns to do.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Objective")]
pub struct ObjectiveArgs {
    /// Cross-entropy of the captions; distillation, cross-entropy of captions chosen by meaning beside them (--synthetic); or
    /// self-critical training from an adapter: captions are drawn, and those nearest the references in meaning become likelier.
    /// The latter begins with --learning-rate 5e-6 --epochs 1 --select-by fgd_paired [default: ce].
    #[arg(long, value_enum, env = "FGD_OBJECTIVE")]
    pub objective: Option<Objective>,
    /// Captions to distil, such as those of fgd caption --select mbr; may be given several times. fgd curate's rules mix them in.
    #[arg(long, value_name = "FILE", env = "FGD_SYNTHETIC")]
    synthetic: Vec<PathBuf>,
    /// Most of them per real caption of their image [default: 1].
    #[arg(long, value_name = "X", env = "FGD_MAX_SYNTHETIC")]
    max_synthetic: Option<f64>,
    /// Captions drawn of each image [default: 5].
    #[arg(long, value_name = "N", env = "FGD_SAMPLES")]
    samples: Option<usize>,
    /// What the captions' own loss counts beside that of the draws [default: 0.2].
    #[arg(long, value_name = "X", env = "FGD_CE_WEIGHT")]
    ce_weight: Option<f64>,
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

/// Who else is told.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Tracking")]
pub struct TrackingArgs {
    /// Log to this project of Weights & Biases, through python3 with the package wandb.
    #[arg(long, value_name = "PROJECT", env = "FGD_WANDB")]
    wandb: Option<String>,
    /// Log to the MLflow server at this address.
    #[arg(long, value_name = "URI", env = "FGD_MLFLOW")]
    mlflow: Option<String>,
    /// MLflow's experiment [default: fgd].
    #[arg(long, value_name = "NAME", env = "FGD_MLFLOW_EXPERIMENT")]
    mlflow_experiment: Option<String>,
    /// What both call the run; the name of its directory by default.
    #[arg(long, value_name = "NAME", env = "FGD_RUN_NAME")]
    run_name: Option<String>,
}

impl ObjectiveArgs {
    pub fn apply(self, request: &mut Request, max_new_tokens: Option<usize>) {
        set(&mut request.objective, self.objective);
        set(&mut request.distill.synthetic, (!self.synthetic.is_empty()).then_some(self.synthetic));
        set(&mut request.distill.max_synthetic, self.max_synthetic);
        set(&mut request.scst.samples, self.samples);
        set(&mut request.scst.ce_weight, self.ce_weight);
        set(&mut request.scst.max_new_tokens, max_new_tokens);
    }
}

impl AdapterArgs {
    pub fn apply(self, learning: &mut Learning) {
        let lora = &mut learning.lora;
        set(&mut lora.targets, self.targets.map(|text| Targets::parse(&text)));
        set(&mut lora.r, self.rank);
        set(&mut lora.alpha, self.alpha);
        set(&mut lora.dropout, self.dropout);
        lora.rslora |= self.rslora;
        set(&mut learning.t5_dropout, self.t5_dropout);
    }
}

impl OptimizerArgs {
    pub fn apply(self, request: &mut Request) {
        let order = &mut request.order;
        set(&mut order.batch_size, self.batch_size);
        set(&mut order.accumulation, self.accumulation);
        set(&mut order.epochs, self.epochs);
        set(&mut order.max_steps, self.max_steps.map(Some));
        order.group_images |= self.group_images;
        set(&mut request.learning.loss_mean, self.loss_mean);
        let optimizer = &mut request.learning.optimizer;
        set(&mut optimizer.learning_rate, self.learning_rate);
        set(&mut optimizer.warmup_steps, self.warmup_steps);
        set(&mut optimizer.weight_decay, self.weight_decay);
        set(&mut optimizer.beta1, self.beta1);
        set(&mut optimizer.beta2, self.beta2);
        set(&mut optimizer.epsilon, self.epsilon);
        set(&mut optimizer.max_grad_norm, self.max_grad_norm);
    }
}

impl WatchingArgs {
    pub fn apply(self, watching: &mut Watching, encoding: Encoding) {
        set(&mut watching.save_every, self.save_every);
        set(&mut watching.keep_every, self.keep_every.map(Some));
        set(&mut watching.evaluate_every, self.evaluate_every.map(Some));
        set(&mut watching.patience, self.patience.map(Some));
        match self.select_by {
            Some(SelectBy::Loss) => watching.judging = None,
            Some(SelectBy::FgdPaired) => {
                watching.judging.get_or_insert_with(Judging::default);
            }
            None => {}
        }
        if let Some(judging) = &mut watching.judging {
            set(&mut judging.max_new_tokens, self.max_new_tokens);
            set(&mut judging.encoding, (encoding != Encoding::default()).then_some(encoding));
        }
    }
}

impl TrackingArgs {
    pub fn apply(self, tracking: &mut Tracking) {
        set(&mut tracking.wandb, self.wandb.map(Some));
        set(&mut tracking.mlflow, self.mlflow.map(Some));
        set(&mut tracking.mlflow_experiment, self.mlflow_experiment);
        set(&mut tracking.run_name, self.run_name.map(Some));
    }
}
