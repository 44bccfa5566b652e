//! Which encoder it is: what records, caches and the name FGD go by.

use std::io::Read;
use std::path::{Path, PathBuf};

use fgd_store::digest::{Digest, DigestError, HashMemo};
use fgd_store::hub;
use sha2::{Digest as _, Sha256};

use crate::Spec;
use crate::spec::Pooling;

/// [`Identity::tokenizer`] of the encoder that FGD is named after.
const GTE_SMALL_TOKENIZER: &str = "1f4877e1f9b01e43";

/// [`Identity::config`] likewise.
const GTE_SMALL_CONFIG: &str = "be0e1173252833ff";

/// Largest header of a safetensors file that is read.
const MOST_HEADER: u64 = 100 << 20;

/// Which encoder it is: everything that an embedding depends on, and what it is called.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Hub id, or the name of the local directory.
    pub id: String,
    /// Commit of the hub repository, where it is known.
    pub revision: Option<String>,
    /// SHA-256 of the weights.
    pub sha256: String,
    /// Fingerprint of the tokenizer, by its vocabulary and what it makes of some texts.
    pub tokenizer: String,
    /// Fingerprint of what `config.json` says besides the shapes of the weights: layers, heads, activation, epsilon.
    pub config: String,
    /// Number type of the weights on disk.
    pub dtype: String,
    /// Engine that runs it, such as `packed/avx2`.
    pub engine: String,
    /// Most tokens of a caption that count.
    pub max_length: usize,
    /// `mean` or `cls`.
    pub pooling: String,
    /// Whether embeddings have unit length.
    pub normalize: bool,
    /// Dimensions of an embedding.
    pub dim: usize,
    /// Whether this is the encoder that the name FGD stands for.
    pub is_gte_small: bool,
}

/// Whether weights, tokenizer, configuration and pooling are those that the name FGD stands for.
pub(crate) fn is_gte_small(weights: &str, tokenizer: &str, spec: &Spec) -> bool {
    weights == hub::GTE_SMALL_SHA256
        && tokenizer == GTE_SMALL_TOKENIZER
        && config(spec) == GTE_SMALL_CONFIG
        && (spec.pooling, spec.normalize) == (Pooling::Mean, true)
}

/// Hash over what the same weights may be computed with, 16 hexadecimal digits.
pub(crate) fn config(spec: &Spec) -> String {
    let digest = Digest::new("config", 1)
        .field("layers", spec.layers.to_string())
        .field("heads", spec.heads.to_string())
        .field("activation", format!("{:?}", spec.activation))
        .field("epsilon", spec.layer_norm_eps.to_string());
    digest.finish()[..16].to_owned()
}

/// SHA-256 of one file, or of the hashes of all shards where there are several.
pub(crate) fn weights_sha256(
    files: &[PathBuf],
    hashes: &mut HashMemo,
) -> Result<String, DigestError> {
    if let [file] = files {
        return hashes.sha256(file);
    }
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(hashes.sha256(file)?);
    }
    Ok(format!("{:x}", hasher.finalize()))
}

/// Number type of the first tensor of floats in a safetensors file; `unknown` where the file does not
/// tell, which loading it will explain.
pub(crate) fn weights_dtype(path: &Path) -> String {
    let dtype = || -> Option<String> {
        let mut file = std::fs::File::open(path).ok()?;
        let mut length = [0; 8];
        file.read_exact(&mut length).ok()?;
        let mut header = Vec::new();
        file.take(u64::from_le_bytes(length).min(MOST_HEADER)).read_to_end(&mut header).ok()?;
        let header: serde_json::Value = serde_json::from_slice(&header).ok()?;
        let tensors = header.as_object()?.values();
        tensors
            .filter_map(|tensor| tensor.get("dtype")?.as_str())
            .find(|dtype| dtype.contains('F'))
            .map(str::to_ascii_lowercase)
    };
    dtype().unwrap_or_else(|| "unknown".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BERT's own settings, as published: 12 layers of 12 heads, GELU by the error function, 10⁻¹².
    #[test]
    fn the_configuration_that_the_name_stands_for_is_that_of_gte_small() {
        let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/encoder/tiny-mean");
        let tiny = Spec::read(tiny.as_ref()).unwrap();
        assert_ne!(config(&tiny), GTE_SMALL_CONFIG);
        assert_eq!(config(&Spec { layers: 12, heads: 12, ..tiny }), GTE_SMALL_CONFIG);
    }
}
