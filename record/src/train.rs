//! The results of `fgd train`: how an adapter learned, and what that cost.

use serde::{Deserialize, Serialize};

use super::Measure;

/// A fine-tuning.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainResults {
    /// Steps taken, those of earlier processes included.
    pub steps: u64,
    /// Steps that were asked for; more than were taken where it ended early.
    pub planned_steps: u64,
    /// Steps that earlier processes of the same run had taken.
    pub resumed_steps: u64,
    /// Times that every caption was seen.
    pub epochs: f64,
    /// Captions to learn.
    pub captions: u64,
    /// Their images.
    pub images: u64,
    /// Their tokens, with the one that ends each.
    pub tokens: u64,
    /// Captions to judge by; `None` without any.
    pub validation_captions: Option<u64>,
    /// Layers that have factors.
    pub modules: u64,
    /// Numbers in all factors.
    pub parameters: u64,
    /// The steps, or means over neighbouring ones.
    pub curve: Vec<TrainPoint>,
    /// The validations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation: Vec<TrainValidation>,
    /// Step of the lowest validation loss: the adapter in `best`.
    pub best_step: Option<u64>,
    /// Estimated arithmetic of a step.
    pub step_gflop: f64,
    /// Seconds that loading took.
    pub load_seconds: f64,
    /// Seconds of this process after loading.
    pub seconds: f64,
    /// Seconds of a step in this process.
    pub seconds_per_step: Measure,
    /// Label tokens per second of this process's steps.
    pub tokens_per_second: Measure,
    /// Most memory that the process held, where the system tells; mapped weights count.
    pub peak_memory_bytes: Option<u64>,
}

/// One step, or the mean of some.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainPoint {
    /// The step, or the last of them; from 1.
    pub step: u64,
    /// Mean loss of its tokens.
    pub loss: f64,
    /// Norm of its gradient before clipping.
    pub grad_norm: f64,
    /// Its rate.
    pub learning_rate: f64,
}

/// A validation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainValidation {
    /// Steps taken before it.
    pub step: u64,
    /// Mean loss of the validation's tokens.
    pub loss: f64,
}
