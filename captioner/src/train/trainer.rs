//! One step after the other: batches → gradients → clip → AdamW.

use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::dropout::Dropout;
use super::layer::Pass;
use super::lora::{Gradients, Lora, LoraConfig};
use super::model::Model;
use super::optimizer::{AdamW, OptimizerConfig, clip};
use crate::error::{Error, Result};
use crate::generate::awake::awake;
use crate::model::Captioner;

/// Dropout before the factors, and T5's own: streams of one seed.
const LORA_DROPOUT: u8 = 1;
const T5_DROPOUT: u8 = 2;

/// How the losses of the batches that make one step are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum LossMean {
    /// Over all tokens of the step: what one large batch gives.
    #[default]
    Tokens,
    /// Over the tokens of each batch, then over the batches: what transformers' Trainer did before `num_items_in_batch`.
    Micro,
}

/// How the factors learn.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Learning {
    /// The adapter.
    pub lora: LoraConfig,
    /// The optimizer and its rate.
    pub optimizer: OptimizerConfig,
    /// How losses are averaged.
    pub loss_mean: LossMean,
    /// T5's own dropout, which transformers turns on in training (0.1); from 0 to below 1.
    pub t5_dropout: f64,
    /// Seed of everything random.
    pub seed: u64,
}

impl Learning {
    /// # Errors
    /// Settings without a meaning.
    pub fn check(&self) -> Result<()> {
        self.lora.check()?;
        self.optimizer.check()?;
        match (0.0..1.0).contains(&self.t5_dropout) {
            true => Ok(()),
            false => {
                Err(Error::Setting(format!("T5 dropout {}: give 0 to below 1", self.t5_dropout)))
            }
        }
    }
}

/// A batch and the images that it is of, for messages.
pub struct Micro {
    /// The rows.
    pub batch: Batch,
    /// Ids of its images.
    pub images: Vec<String>,
}

/// What a step gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// From 1.
    pub step: usize,
    /// The rate.
    pub rate: f64,
    /// The mean loss, by the rule of the training.
    pub loss: f64,
    /// The norm of all gradients before clipping.
    pub grad_norm: f64,
    /// Label tokens.
    pub tokens: usize,
    /// Mean loss of each batch.
    pub micro: Vec<f64>,
    /// Sum of the losses of the tokens of each example of each batch, in the order in which they were given.
    pub examples: Vec<Vec<f64>>,
}

/// A language model that learns.
pub struct Trainer<'a> {
    model: Model<'a>,
    config: Learning,
    lora: Lora,
    gradients: Gradients,
    optimizer: AdamW,
    dropout: Dropout,
    hidden: Dropout,
    steps: usize,
}

impl<'a> Trainer<'a> {
    /// Before the first of `steps` steps.
    ///
    /// # Errors
    /// Settings without a meaning; targets that can not be trained.
    pub fn new(captioner: &'a Captioner, config: Learning, steps: usize) -> Result<Self> {
        config.check()?;
        let model = Model::new(captioner, &config.lora)?;
        let lora = Lora::new(model.modules().to_vec(), &config.lora, config.seed);
        Ok(Self {
            gradients: Gradients(lora.zeros()),
            optimizer: AdamW::new(lora.zeros()),
            dropout: Dropout::new(config.lora.dropout, config.seed, LORA_DROPOUT),
            hidden: Dropout::new(config.t5_dropout, config.seed, T5_DROPOUT),
            model,
            lora,
            config,
            steps,
        })
    }

    /// The language model.
    pub fn model(&self) -> &Model<'a> {
        &self.model
    }

    /// See [`Model::keep`].
    pub fn keep(&mut self, bytes: usize) {
        self.model.keep(bytes);
    }

    /// The factors.
    pub fn lora(&self) -> &Lora {
        &self.lora
    }

    /// The factors, to begin elsewhere than at PEFT's first values.
    pub fn lora_mut(&mut self) -> &mut Lora {
        &mut self.lora
    }

    /// The gradients of the last step, before clipping.
    pub fn gradients(&self) -> &Gradients {
        &self.gradients
    }

    /// What AdamW keeps.
    pub fn optimizer(&self) -> &AdamW {
        &self.optimizer
    }

    /// All that a step changes: to be saved and put back.
    pub fn state_mut(&mut self) -> (&mut Lora, &mut AdamW) {
        (&mut self.lora, &mut self.optimizer)
    }

    /// Steps taken.
    pub fn step_count(&self) -> usize {
        self.optimizer.steps as usize
    }

    /// How it learns.
    pub fn config(&self) -> &Learning {
        &self.config
    }

    /// Takes a step down the mean loss of the tokens.
    ///
    /// # Errors
    /// A loss or gradient that is not finite; the factors are then as before.
    pub fn step(&mut self, micros: &[Micro]) -> Result<Step> {
        let rows = |micro: &Micro| micro.batch.labels.len();
        let tokens: usize = micros.iter().map(rows).sum();
        let weight = |micro| match self.config.loss_mean {
            LossMean::Tokens => 1.0 / tokens as f64,
            LossMean::Micro => 1.0 / (rows(micro) * micros.len()) as f64,
        };
        let weights: Vec<Vec<f32>> =
            micros.iter().map(|micro| vec![weight(micro) as f32; rows(micro)]).collect();
        self.step_weighted(micros, &weights)
    }

    /// Takes a step down Σ weight · loss, with a weight for every row of every batch.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn step_weighted(&mut self, micros: &[Micro], weights: &[Vec<f32>]) -> Result<Step> {
        let tokens: usize = micros.iter().map(|micro| micro.batch.labels.len()).sum();
        let step = self.step_count();
        self.gradients.clear();
        let pass = Pass { lora: &self.lora, dropout: &self.dropout, hidden: &self.hidden };
        let (mut loss, mut means, mut examples) = (0.0, Vec::new(), Vec::new());
        for (micro, weights) in micros.iter().zip(weights) {
            let gradients = &mut self.gradients;
            let passed = awake(|| self.model.gradients(pass, &micro.batch, weights, gradients))?;
            let sum: f64 = passed.losses.iter().map(|loss| f64::from(*loss)).sum();
            if !sum.is_finite() {
                return Err(not_finite("the loss", step, micro));
            }
            let weighted = passed.losses.iter().zip(weights);
            loss +=
                weighted.map(|(loss, weight)| f64::from(*loss) * f64::from(*weight)).sum::<f64>();
            means.push(sum / passed.losses.len() as f64);
            examples.push(by_example(&micro.batch, &passed.losses));
        }
        let norm = self.gradients.norm();
        if !norm.is_finite() {
            let first =
                micros.first().ok_or_else(|| Error::Setting("a step needs a batch".into()))?;
            return Err(not_finite("the gradient", step, first));
        }
        let config = &self.config.optimizer;
        let rate = config.rate(step, self.steps);
        let clip = clip(norm, config.max_grad_norm);
        self.optimizer.step(config, rate, clip, self.lora.values_mut(), &self.gradients);
        Ok(Step { step: step + 1, rate, loss, grad_norm: norm, tokens, micro: means, examples })
    }

    /// Losses of the tokens of a batch without dropout, in the order of its rows.
    ///
    /// # Errors
    /// A token that the vocabulary does not have.
    pub fn losses(&self, batch: &Batch) -> Result<Vec<f32>> {
        let off = Dropout::off();
        self.model.losses(Pass { lora: &self.lora, dropout: &off, hidden: &off }, batch)
    }
}

fn by_example(batch: &Batch, losses: &[f32]) -> Vec<f64> {
    let mut sums = vec![0.0; batch.order.len()];
    for (at, rows) in batch.order.iter().zip(&batch.decoder) {
        sums[*at] = losses[rows.queries.clone()].iter().map(|loss| f64::from(*loss)).sum();
    }
    sums
}

fn not_finite(what: &str, step: usize, micro: &Micro) -> Error {
    let images = micro.images.join(", ");
    Error::Setting(format!(
        "step {}: {what} is not finite; nothing was changed. Lower the learning rate, or look at the captions of: {images}",
        step + 1
    ))
}
