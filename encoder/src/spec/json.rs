//! The JSON files of a sentence encoder, with the defaults that transformers and sentence-transformers give to
//! fields left out.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Activation;
use crate::EncoderError;

/// `config.json`; defaults of transformers' `BertConfig`.
#[derive(Deserialize)]
#[serde(default)]
pub(super) struct BertConfig {
    pub model_type: Option<String>,
    pub architectures: Option<Vec<String>>,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub hidden_act: String,
    pub layer_norm_eps: f64,
    pub vocab_size: usize,
    pub max_position_embeddings: usize,
    pub type_vocab_size: usize,
    pub position_embedding_type: Option<String>,
    pub is_decoder: bool,
}

impl Default for BertConfig {
    fn default() -> Self {
        BertConfig {
            model_type: None,
            architectures: None,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: "gelu".into(),
            layer_norm_eps: 1e-12,
            vocab_size: 30522,
            max_position_embeddings: 512,
            type_vocab_size: 2,
            position_embedding_type: None,
            is_decoder: false,
        }
    }
}

impl BertConfig {
    /// Refuses what is not a BERT encoder, by the name of the field, and sizes that cannot be.
    pub fn check(&self, path: &Path) -> Result<Activation, EncoderError> {
        let unsupported =
            |reason: String| EncoderError::Unsupported { path: path.to_path_buf(), reason };
        let is_bert = match (&self.model_type, &self.architectures) {
            (Some(model_type), _) => model_type == "bert",
            (None, Some(names)) => names.iter().any(|name| name.starts_with("Bert")),
            (None, None) => false,
        };
        if !is_bert {
            let what = self.model_type.as_deref().unwrap_or("absent");
            return Err(unsupported(format!(
                "model_type is {what}; only BERT encoders (model_type bert) are computed here"
            )));
        }
        if self.is_decoder {
            return Err(unsupported("is_decoder is true; only encoders are computed here".into()));
        }
        if let Some(kind) = &self.position_embedding_type
            && kind != "absolute"
        {
            return Err(unsupported(format!(
                "position_embedding_type is {kind}; only absolute positions are computed here"
            )));
        }
        let sizes = [
            ("hidden_size", self.hidden_size, 1 << 14),
            ("num_hidden_layers", self.num_hidden_layers, 1 << 10),
            ("num_attention_heads", self.num_attention_heads, 1 << 10),
            ("intermediate_size", self.intermediate_size, 1 << 17),
            ("vocab_size", self.vocab_size, 1 << 24),
            ("max_position_embeddings", self.max_position_embeddings, 1 << 20),
            ("type_vocab_size", self.type_vocab_size, 1 << 10),
        ];
        for (field, value, limit) in sizes {
            if value == 0 || value > limit {
                return Err(unsupported(format!(
                    "{field} is {value}; between 1 and {limit} is accepted"
                )));
            }
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(unsupported(format!(
                "hidden_size {} is not a multiple of num_attention_heads {}",
                self.hidden_size, self.num_attention_heads
            )));
        }
        if !(self.layer_norm_eps.is_finite() && self.layer_norm_eps >= 0.0) {
            return Err(unsupported(format!("layer_norm_eps is {}", self.layer_norm_eps)));
        }
        Activation::named(&self.hidden_act).ok_or_else(|| {
            unsupported(format!(
                "hidden_act is {}; gelu, gelu_new, gelu_pytorch_tanh and relu are computed here",
                self.hidden_act
            ))
        })
    }
}

/// `sentence_bert_config.json`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct SentenceBertConfig {
    pub max_seq_length: Option<usize>,
    pub do_lower_case: bool,
}

/// `tokenizer_config.json`; "no limit" is written as 1e30.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct TokenizerConfig {
    pub model_max_length: Option<f64>,
}

/// `model.safetensors.index.json`.
#[derive(Deserialize)]
pub(super) struct ShardIndex {
    pub weight_map: BTreeMap<String, String>,
}

/// Reads one JSON file that has to be there.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, EncoderError> {
    let bytes =
        fs::read(path).map_err(|source| EncoderError::Io { path: path.to_path_buf(), source })?;
    serde_json::from_slice(&bytes).map_err(|error| EncoderError::Corrupt {
        path: path.to_path_buf(),
        reason: error.to_string(),
    })
}

/// Reads one JSON file; where there is none, the defaults.
pub(super) fn read_optional<T: DeserializeOwned + Default>(path: &Path) -> Result<T, EncoderError> {
    match read(path) {
        Err(EncoderError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            Ok(T::default())
        }
        other => other,
    }
}
