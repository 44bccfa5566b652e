//! What a loaded checkpoint is, in hashes: for records, for resuming, and for caches of what it computes.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::config::Config;
use super::error::{Error, Result};
use super::options::LoadOptions;
use super::preprocess::Preprocessor;
use super::special_tokens::SpecialTokens;
use super::weights::{Adapter, Precision, TensorFiles};

/// Hashes of what was loaded; those of tensors cover names, types, shapes and bytes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
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
        files: &TensorFiles,
        adapter: Option<&Adapter>,
        config: &Config,
        preprocessor: &Preprocessor,
        options: &LoadOptions,
    ) -> Result<Self> {
        let digests = files.digests();
        let of_adapter =
            |keep: &dyn Fn(&str) -> bool| adapter.map_or_else(String::new, |a| a.sha256(keep));

        let tokenizer = dir.join("tokenizer.json");
        let tokenizer = std::fs::read(&tokenizer).map_err(Error::io(&tokenizer))?;
        let mut whole = Sha256::new();
        whole.update(format!(
            "{config:?} {:?} {preprocessor:?} ",
            SpecialTokens::read(dir, config)?
        ));
        whole.update(Sha256::digest(tokenizer));

        // A GPU and rounded weights compute other features.
        let rounding = if options.precision == Precision::Bf16 {
            "bf16"
        } else {
            "exact"
        };
        let device = if options.device.is_cpu() {
            "cpu"
        } else {
            "gpu"
        };
        let mut frozen = Sha256::new();
        frozen.update(format!("features 1 {rounding} {device} {preprocessor:?} "));
        frozen.update(format!(
            "{:?} {:?} ",
            config.vision_config, config.qformer_config
        ));
        frozen.update(digests.combine(is_frozen));
        frozen.update(of_adapter(&is_frozen));
        Ok(Self {
            checkpoint_sha256: digests.combine(|_| true),
            adapter_sha256: of_adapter(&|_| true),
            config_sha256: format!("{:x}", whole.finalize()),
            frozen_sha256: format!("{:x}", frozen.finalize()),
        })
    }
}

/// Tensors and modules up to the Q-Former's output.
fn is_frozen(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default();
    ["vision_model", "qformer", "query_tokens"].contains(&first)
}
