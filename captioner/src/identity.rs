//! What a loaded checkpoint is, in hashes: for records, for resuming, and for caches of what it computes.
//!
//! Settings enter under the names that they have in a checkpoint's files. A change of what one does to the numbers raises
//! the version of the digest, so that features and journals of before are not taken for today's.

use std::path::Path;

use fgd_store::digest::Digest;
use serde::Serialize;

use super::config::Config;
use super::error::{Error, Result};
use super::options::LoadOptions;
use super::preprocess::Preprocessor;
use super::special_tokens::SpecialTokens;
use super::weights::{Adapter, Digests, Precision};

/// Hashes of what was loaded; those of tensors cover names, types, shapes and bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// All tensors of the checkpoint.
    pub checkpoint_sha256: String,
    /// All tensors of the adapter and its scales; empty without one.
    pub adapter_sha256: String,
    /// Configuration, special tokens, preprocessing and tokenizer.
    pub config_sha256: String,
    /// What decides the vision features: tower, queries and Q-Former, any adapter on them, and the preprocessing.
    pub frozen_sha256: String,
}

impl Identity {
    pub(super) fn of(
        dir: &Path,
        digests: &Digests,
        adapter: Option<&Adapter>,
        config: &Config,
        special: &SpecialTokens,
        preprocessor: &Preprocessor,
        options: &LoadOptions,
    ) -> Result<Self> {
        let of_adapter =
            |keep: &dyn Fn(&str) -> bool| adapter.map_or_else(String::new, |a| a.sha256(keep));
        let tokenizer = dir.join("tokenizer.json");
        let tokenizer = std::fs::read(&tokenizer).map_err(Error::io(&tokenizer))?;

        let preprocessor = json(preprocessor)?;
        let whole = Digest::new("captioner configuration", 3)
            .field("config", json(config)?)
            .field("special tokens", json(special)?)
            .field("preprocessor", &preprocessor)
            .field("tokenizer", tokenizer);

        // A GPU and rounded weights compute other features.
        let rounding = match (options.precision, options.rounded_products()) {
            (Precision::F32, _) => "exact",
            (_, Some(products)) => products,
            (_, None) => "bf16",
        };
        let device = if options.device.is_cpu() { "cpu" } else { "gpu" };
        let frozen = Digest::new("vision features", 4)
            .field("rounding", rounding)
            .field("device", device)
            .field("preprocessor", &preprocessor)
            .field("vision_config", json(&config.vision_config)?)
            .field("qformer_config", json(&config.qformer_config)?)
            .field("tensors", digests.combine(is_frozen))
            .field("adapter", of_adapter(&is_frozen));
        Ok(Self {
            checkpoint_sha256: digests.combine(|_| true),
            adapter_sha256: of_adapter(&|_| true),
            config_sha256: whole.finish(),
            frozen_sha256: frozen.finish(),
        })
    }
}

/// Tensors and modules up to the Q-Former's output.
fn is_frozen(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default();
    ["vision_model", "qformer", "query_tokens"].contains(&first)
}

/// Settings under the names that a checkpoint's files give them.
fn json(settings: &impl Serialize) -> Result<String> {
    serde_json::to_string(settings).map_err(|e| Error::Setting(format!("no JSON: {e}")))
}
