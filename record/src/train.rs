//! The results of `fgd train`: how an adapter learned, and what that cost.

use std::collections::BTreeMap;

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
    /// Captions to learn by where they come from, if not all are real.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, u64>,
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
    /// Step of the adapter in `best`.
    pub best_step: Option<u64>,
    /// Some images' captions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<TrainExample>,
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainPoint {
    /// The step, or the last of them; from 1.
    pub step: u64,
    /// Mean loss of its tokens.
    pub loss: f64,
    /// Mean loss of the tokens of the captions of each source, if not all are real.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, f64>,
    /// Norm of its gradient before clipping.
    pub grad_norm: f64,
    /// Its rate.
    pub learning_rate: f64,
}

/// A validation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainValidation {
    /// Steps taken before it.
    pub step: u64,
    /// Mean loss of the validation's tokens.
    pub loss: f64,
    /// The paired distance of its captions, where captions were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fgd_paired: Option<Measure>,
    /// The set distance of its captions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fgd_set: Option<f64>,
    /// CIDEr-D of its captions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cider_d: Option<f64>,
    /// That the paired distance differs from the best one before by luck alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// Captions that are empty or repeat themselves without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_captions: Option<u64>,
    /// Different words in its captions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct_words: Option<u64>,
    /// Whether CIDEr-D or the number of words has fallen since before the first step, which ends a run that learns drawn captions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_poorer: Option<bool>,
}

/// An image's captions before training and with the best adapter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainExample {
    /// The image.
    pub image_id: String,
    /// Before the first step.
    pub before: String,
    /// With the best adapter.
    pub now: String,
    /// Its first reference.
    pub reference: String,
}
