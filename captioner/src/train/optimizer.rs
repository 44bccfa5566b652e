//! AdamW (<https://arxiv.org/abs/1711.05101>) as torch has it, behind clipping, with the rate of a cosine with warm-up.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::lora::Gradients;
use crate::error::{Error, Result};

/// Values of one task.
const PIECE: usize = 1 << 14;

/// Names and values as in torch and transformers; the rate and its schedule are those of the published checkpoint's card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The highest rate.
    pub learning_rate: f64,
    /// Decay of the mean gradient.
    pub beta1: f64,
    /// Decay of the mean squared gradient.
    pub beta2: f64,
    /// Added to the root of the mean squared gradient.
    pub epsilon: f64,
    /// Share of every value that is taken off per step, times the rate.
    pub weight_decay: f64,
    /// The norm of all gradients is held below this; 0 leaves them alone.
    pub max_grad_norm: f64,
    /// Steps in which the rate rises from 0; below 1, this share of all steps.
    pub warmup_steps: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            learning_rate: 3e-5,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            warmup_steps: 0.0,
        }
    }
}

impl OptimizerConfig {
    /// # Errors
    /// Settings without a meaning.
    pub fn check(&self) -> Result<()> {
        let bounds = [
            ("learning rate", self.learning_rate, 0.0..=10.0),
            ("beta1", self.beta1, 0.0..=0.999_999_9),
            ("beta2", self.beta2, 0.0..=0.999_999_9),
            ("epsilon", self.epsilon, 1e-30..=1.0),
            ("weight decay", self.weight_decay, 0.0..=10.0),
            ("max grad norm", self.max_grad_norm, 0.0..=1e9),
            ("warm-up steps", self.warmup_steps, 0.0..=1e12),
        ];
        match bounds.iter().find(|(_, value, range)| !range.contains(value)) {
            Some((name, value, range)) => Err(Error::Setting(format!(
                "{name} {value}: give {} to {}",
                range.start(),
                range.end()
            ))),
            None => Ok(()),
        }
    }

    /// Of `total` steps those in which the rate rises.
    pub fn warmup(&self, total: usize) -> f64 {
        match self.warmup_steps {
            share if share < 1.0 => (share * total as f64).ceil(),
            steps => steps.floor(),
        }
    }

    /// The rate of step `step` (from 0) of `total`: transformers' `get_cosine_schedule_with_warmup`.
    pub fn rate(&self, step: usize, total: usize) -> f64 {
        let (at, warmup) = (step as f64, self.warmup(total));
        let factor = if at < warmup {
            at / warmup.max(1.0)
        } else {
            let progress = (at - warmup) / (total as f64 - warmup).max(1.0);
            (0.5 * (1.0 + (std::f64::consts::PI * progress).cos())).max(0.0)
        };
        self.learning_rate * factor
    }
}

/// The means that AdamW keeps, in the order of the factors.
pub struct AdamW {
    /// Of gradients.
    pub mean: Vec<Vec<f32>>,
    /// Of squared gradients.
    pub square: Vec<Vec<f32>>,
    /// Steps taken.
    pub steps: u64,
}

impl AdamW {
    /// Before the first step; `zeros` has the shapes of the factors.
    pub fn new(zeros: Vec<Vec<f32>>) -> Self {
        Self { mean: zeros.clone(), square: zeros, steps: 0 }
    }

    /// One step at this rate with the gradients times `clip`.
    pub fn step(
        &mut self,
        config: &OptimizerConfig,
        rate: f64,
        clip: f64,
        values: &mut [Vec<f32>],
        gradients: &Gradients,
    ) {
        self.steps += 1;
        let power = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let step_size = (rate / (1.0 - config.beta1.powi(power))) as f32;
        let root = (1.0 - config.beta2.powi(power)).sqrt() as f32;
        let (beta2, new1, new2) =
            (config.beta2 as f32, (1.0 - config.beta1) as f32, (1.0 - config.beta2) as f32);
        let (keep, epsilon) = ((1.0 - rate * config.weight_decay) as f32, config.epsilon as f32);
        let clip = clip as f32;
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((values, gradients), (mean, square)) in
            values.iter_mut().zip(&gradients.0).zip(moments)
        {
            values
                .par_chunks_mut(PIECE)
                .zip(gradients.par_chunks(PIECE))
                .zip(mean.par_chunks_mut(PIECE).zip(square.par_chunks_mut(PIECE)))
                .for_each(|((values, gradients), (mean, square))| {
                    let moments = mean.iter_mut().zip(square);
                    for ((value, gradient), (mean, square)) in
                        values.iter_mut().zip(gradients).zip(moments)
                    {
                        let gradient = gradient * clip;
                        *mean += (gradient - *mean) * new1;
                        *square = *square * beta2 + gradient * gradient * new2;
                        *value =
                            *value * keep - step_size * (*mean / (square.sqrt() / root + epsilon));
                    }
                });
        }
    }
}

/// What gradients of this norm are multiplied with: torch's `clip_grad_norm_`.
pub fn clip(norm: f64, most: f64) -> f64 {
    if most > 0.0 { (most / (norm + 1e-6)).min(1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_falls_as_in_transformers() {
        let config =
            OptimizerConfig { learning_rate: 2.0, warmup_steps: 4.0, ..Default::default() };
        let rates: Vec<f64> = [0, 1, 3, 4, 12, 19, 20].map(|s| config.rate(s, 20)).into();
        assert_eq!(rates[..4], [0.0, 0.5, 1.5, 2.0]);
        assert!((rates[4] - 1.0).abs() < 1e-12 && rates[5] > 0.0 && rates[6].abs() < 1e-12);
        let share = OptimizerConfig { warmup_steps: 0.2, ..config.clone() };
        assert_eq!(share.rate(3, 20), config.rate(3, 20));
        let between = OptimizerConfig { warmup_steps: 4.7, ..config.clone() };
        assert_eq!(between.rate(4, 20), config.rate(4, 20));
        let none = OptimizerConfig { warmup_steps: 0.0, ..config };
        assert_eq!(none.rate(0, 20), 2.0);
        assert_eq!(none.rate(0, 1), 2.0);
    }

    #[test]
    fn clipping_only_shrinks() {
        assert_eq!(clip(0.5, 1.0), 1.0);
        assert!((clip(4.0, 1.0) - 0.25).abs() < 1e-6);
        assert_eq!(clip(4.0, 0.0), 1.0);
    }
}
