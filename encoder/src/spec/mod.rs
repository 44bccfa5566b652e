//! What a directory says about its encoder, read from its small JSON files: enough to label a record, to check
//! caption lengths and to plan the load, without touching the weights.

mod json;
mod modules;

use std::path::{Path, PathBuf};

pub use fgd_kernels::Activation;

use super::EncoderError;
use json::{BertConfig, SentenceBertConfig, ShardIndex, TokenizerConfig, read, read_optional};

/// How token vectors become one vector per caption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over all tokens, special tokens included.
    Mean,
    /// The vector of the first token.
    Cls,
}

impl Pooling {
    /// The word used in records and labels.
    pub fn name(self) -> &'static str {
        match self {
            Pooling::Mean => "mean",
            Pooling::Cls => "cls",
        }
    }
}

/// A BERT-shaped sentence encoder as its directory describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The directory it was read from.
    pub dir: PathBuf,
    /// Width of token vectors and of the embedding.
    pub dim: usize,
    /// Transformer layers.
    pub layers: usize,
    /// Attention heads per layer.
    pub heads: usize,
    /// Width between the two feed-forward layers.
    pub intermediate: usize,
    /// Activation between them.
    pub activation: Activation,
    /// The epsilon added to variances in LayerNorm.
    pub layer_norm_eps: f64,
    /// Rows of the word embedding table.
    pub vocab: usize,
    /// Rows of the position embedding table.
    pub max_positions: usize,
    /// Rows of the token type table; only row 0 is used.
    pub token_types: usize,
    /// Tokens per caption, special tokens included; longer captions are cut on the right.
    pub max_length: usize,
    /// Captions are lower-cased before the tokenizer sees them.
    pub lower_case: bool,
    /// How token vectors become one vector.
    pub pooling: Pooling,
    /// Embeddings are scaled to unit length.
    pub normalize: bool,
    /// The tokenizer in the `tokenizers` JSON format.
    pub tokenizer_file: PathBuf,
    /// The safetensors files that together hold the weights.
    pub weight_files: Vec<PathBuf>,
}

impl Spec {
    /// Reads the description of the encoder in `dir`, as `SentenceTransformer(dir)` would understand it.
    ///
    /// # Errors
    /// A missing or malformed file, or a model that is not a BERT with mean or CLS pooling: the message names the
    /// file and the field.
    pub fn read(dir: &Path) -> Result<Spec, EncoderError> {
        let modules = modules::read(dir)?;
        let base = &modules.transformer;
        let config_file = base.join("config.json");
        let config: BertConfig = read(&config_file)?;
        let activation = config.check(&config_file)?;
        if let Some((file, width)) = &modules.pooling_width
            && *width != config.hidden_size
        {
            return Err(EncoderError::Corrupt {
                path: file.clone(),
                reason: format!(
                    "word_embedding_dimension is {width}, the model's hidden_size is {}",
                    config.hidden_size
                ),
            });
        }
        let sentence: SentenceBertConfig = read_optional(&base.join("sentence_bert_config.json"))?;
        let tokenizer: TokenizerConfig = read_optional(&base.join("tokenizer_config.json"))?;
        let stated = sentence
            .max_seq_length
            .map(|n| n as f64)
            .or(tokenizer.model_max_length)
            .unwrap_or(f64::INFINITY);
        let max_length = (config.max_position_embeddings as f64).min(stated) as usize;
        if max_length < 3 {
            return Err(EncoderError::Corrupt {
                path: base.join("sentence_bert_config.json"),
                reason: format!(
                    "max_seq_length {max_length} leaves no room for a word between the special tokens"
                ),
            });
        }
        let tokenizer_file = base.join("tokenizer.json");
        if !tokenizer_file.is_file() {
            return Err(EncoderError::Unsupported {
                path: tokenizer_file,
                reason: "not found; write it with transformers' AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)"
                    .into(),
            });
        }
        Ok(Spec {
            dir: dir.to_path_buf(),
            dim: config.hidden_size,
            layers: config.num_hidden_layers,
            heads: config.num_attention_heads,
            intermediate: config.intermediate_size,
            activation,
            layer_norm_eps: config.layer_norm_eps,
            vocab: config.vocab_size,
            max_positions: config.max_position_embeddings,
            token_types: config.type_vocab_size,
            max_length,
            lower_case: sentence.do_lower_case,
            pooling: modules.pooling,
            normalize: modules.normalize,
            tokenizer_file,
            weight_files: weight_files(base)?,
        })
    }

    /// Useful floating-point operations for one token in a caption of `tokens` tokens: two per multiply-add of the
    /// linear layers and of attention; biases, norms and activations are not counted. 42.5 million for GTE-small.
    pub fn flop_per_token(&self, tokens: usize) -> f64 {
        let linear = 4 * self.dim * self.dim + 2 * self.dim * self.intermediate;
        let attention = 2 * tokens * self.dim;
        (2 * self.layers * (linear + attention)) as f64
    }
}

/// `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
fn weight_files(base: &Path) -> Result<Vec<PathBuf>, EncoderError> {
    let single = base.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let index_file = base.join("model.safetensors.index.json");
    if !index_file.is_file() {
        return Err(EncoderError::Unsupported {
            path: single,
            reason: "not found, nor an index of shards; only safetensors weights are read: convert with transformers' \
                     save_pretrained(DIR, safe_serialization=True)"
                .into(),
        });
    }
    let index: ShardIndex = read(&index_file)?;
    let mut names: Vec<&String> = index.weight_map.values().collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Err(EncoderError::Corrupt {
            path: index_file,
            reason: "names no shard of weights".into(),
        });
    }
    names
        .into_iter()
        .map(|name| {
            let plain = Path::new(name).components().count() == 1 && !name.starts_with('.');
            let file = base.join(name);
            match plain && file.is_file() {
                true => Ok(file),
                false => Err(EncoderError::Corrupt {
                    path: index_file.clone(),
                    reason: format!("names the shard {name:?}, which is not there"),
                }),
            }
        })
        .collect()
}
