//! `config.json` of a BLIP-2 checkpoint, old and new.
//!
//! The sub-configurations published on the hub hold only what differs from the defaults of their day, so every field has
//! the default that transformers gives it (`Blip2VisionConfig`, `Blip2QFormerConfig`, `T5Config`).

use std::path::Path;

use fgd_kernels::Activation;
use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::json::{OneOrMany, read_json};
use super::layers::Named;

/// The vision tower: a ViT whose defaults are those of EVA ViT-g/14.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct VisionConfig {
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub image_size: usize,
    pub patch_size: usize,
    pub hidden_act: Named,
    pub layer_norm_eps: f64,
    pub qkv_bias: bool,
}

impl Default for VisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 1408,
            intermediate_size: 6144,
            num_hidden_layers: 39,
            num_attention_heads: 16,
            image_size: 224,
            patch_size: 14,
            hidden_act: Named(Activation::Gelu),
            layer_norm_eps: 1e-6,
            qkv_bias: true,
        }
    }
}

/// The querying transformer between the vision tower and the language model.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct QFormerConfig {
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub hidden_act: Named,
    pub layer_norm_eps: f64,
    pub cross_attention_frequency: usize,
}

impl Default for QFormerConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: Named(Activation::Gelu),
            layer_norm_eps: 1e-12,
            cross_attention_frequency: 2,
        }
    }
}

/// The T5 language model. `T5Config::resolve` settles the fields that depend on one another.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct T5Config {
    pub model_type: String,
    pub vocab_size: usize,
    pub d_model: usize,
    pub d_kv: usize,
    pub d_ff: usize,
    pub num_layers: usize,
    num_decoder_layers: Option<usize>,
    pub num_heads: usize,
    pub relative_attention_num_buckets: usize,
    pub relative_attention_max_distance: usize,
    pub layer_norm_epsilon: f64,
    feed_forward_proj: String,
    dense_act_fn: Option<Named>,
    tie_word_embeddings: Option<bool>,
    scale_decoder_outputs: Option<bool>,
    pub(super) decoder_start_token_id: Option<u32>,
    pub(super) pad_token_id: Option<u32>,
    pub(super) eos_token_id: Option<OneOrMany>,
}

impl Default for T5Config {
    fn default() -> Self {
        Self {
            model_type: "t5".into(),
            vocab_size: 32128,
            d_model: 512,
            d_kv: 64,
            d_ff: 2048,
            num_layers: 6,
            num_decoder_layers: None,
            num_heads: 8,
            relative_attention_num_buckets: 32,
            relative_attention_max_distance: 128,
            layer_norm_epsilon: 1e-6,
            feed_forward_proj: "relu".into(),
            dense_act_fn: None,
            tie_word_embeddings: None,
            scale_decoder_outputs: None,
            decoder_start_token_id: None,
            pad_token_id: None,
            eos_token_id: None,
        }
    }
}

impl T5Config {
    /// Width of the concatenated heads; not `d_model` in general.
    pub fn inner_dim(&self) -> usize {
        self.num_heads * self.d_kv
    }

    /// Decoder depth; as deep as the encoder unless stated.
    pub fn num_decoder_layers(&self) -> usize {
        self.num_decoder_layers.unwrap_or(self.num_layers)
    }

    /// Whether the feed-forward layer is gated (`wi_0`, `wi_1`) or plain (`wi`).
    pub fn is_gated(&self) -> bool {
        self.feed_forward_proj.starts_with("gated-")
    }

    /// Whether logits are multiplied by d_model^-½: as `scale_decoder_outputs` says, else unless the embeddings are
    /// declared untied. transformers 5 writes `tie_word_embeddings: true` whatever the weights, hence the order.
    pub fn scales_logits(&self) -> bool {
        self.scale_decoder_outputs.unwrap_or(self.tie_word_embeddings != Some(false))
    }

    /// The activation of the feed-forward layer. The published flan-t5 checkpoints state `dense_act_fn` ("gelu", exact)
    /// beside `feed_forward_proj: "gated-gelu"` (which alone means the tanh form); transformers lets the statement win.
    ///
    /// # Errors
    /// A projection that is not supported.
    pub fn activation(&self) -> Result<Activation> {
        if let Some(Named(activation)) = self.dense_act_fn {
            return Ok(activation);
        }
        match self.feed_forward_proj.as_str() {
            "gated-gelu" => Ok(Activation::GeluTanh),
            "gated-relu" | "relu" => Ok(Activation::Relu),
            "gelu" => Ok(Activation::Gelu),
            other => Err(Error::Setting(format!(
                "text_config.feed_forward_proj {other:?} is not supported; supported are gated-gelu, gated-relu, gelu, relu"
            ))),
        }
    }
}

/// The whole model.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Config {
    pub model_type: String,
    pub vision_config: VisionConfig,
    pub qformer_config: QFormerConfig,
    pub text_config: T5Config,
    pub num_query_tokens: usize,
    /// Id of `<image>`; the embeddings of these positions are replaced by the queries. Absent in old checkpoints, where
    /// the queries are prepended: the same sequence.
    pub image_token_index: Option<u32>,
    /// Set where the weights are stored in fewer bits than they are read in here.
    #[serde(skip_serializing)]
    quantization_config: Option<serde_json::Value>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            model_type: String::new(),
            vision_config: VisionConfig::default(),
            qformer_config: QFormerConfig::default(),
            text_config: T5Config::default(),
            num_query_tokens: 32,
            image_token_index: None,
            quantization_config: None,
        }
    }
}

impl Config {
    /// Reads and checks `DIR/config.json`.
    ///
    /// # Errors
    /// A file that is missing, damaged, or describes a model that is not supported.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("config.json");
        let config: Self = read_json(&path)?;
        config.check().map_err(|reason| Error::checkpoint(&path, reason))?;
        Ok(config)
    }

    fn check(&self) -> std::result::Result<(), String> {
        let (v, q, t) = (&self.vision_config, &self.qformer_config, &self.text_config);
        if self.model_type != "blip-2" {
            return Err(format!(
                "model_type is {:?}; the captioner runs BLIP-2 checkpoints (model_type \"blip-2\")",
                self.model_type
            ));
        }
        if t.model_type != "t5" {
            return Err(format!(
                "the language model is {:?}; only BLIP-2 with T5 (flan-t5) is supported",
                t.model_type
            ));
        }
        if let Some(quantization) = &self.quantization_config {
            let method = quantization["quant_method"].as_str().unwrap_or("unknown");
            return Err(format!(
                "the weights are quantised ({method}), which is not read; give the checkpoint in f32, f16 or bf16, \
                 and --dtype q8 for 8 bits of our own"
            ));
        }
        t.activation().map_err(|e| e.to_string())?;
        let sizes = [
            ("vision_config.hidden_size", v.hidden_size),
            ("vision_config.intermediate_size", v.intermediate_size),
            ("vision_config.num_attention_heads", v.num_attention_heads),
            ("vision_config.image_size", v.image_size),
            ("vision_config.patch_size", v.patch_size),
            ("qformer_config.hidden_size", q.hidden_size),
            ("qformer_config.intermediate_size", q.intermediate_size),
            ("qformer_config.num_attention_heads", q.num_attention_heads),
            ("qformer_config.cross_attention_frequency", q.cross_attention_frequency),
            ("text_config.vocab_size", t.vocab_size),
            ("text_config.d_model", t.d_model),
            ("text_config.d_kv", t.d_kv),
            ("text_config.d_ff", t.d_ff),
            ("text_config.num_heads", t.num_heads),
            ("text_config.relative_attention_num_buckets", t.relative_attention_num_buckets),
            ("num_query_tokens", self.num_query_tokens),
        ];
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(format!("{name} is 0"));
        }
        if let Some((name, size)) = sizes.iter().find(|(_, size)| *size > 1 << 20) {
            return Err(format!("{name} is {size}, beyond anything this model has"));
        }
        let layers = [
            ("vision_config.num_hidden_layers", v.num_hidden_layers),
            ("qformer_config.num_hidden_layers", q.num_hidden_layers),
            ("text_config.num_layers", t.num_layers),
            ("text_config.num_decoder_layers", t.num_decoder_layers()),
        ];
        if let Some((name, count)) = layers.iter().find(|(_, count)| *count > 1 << 10) {
            return Err(format!("{name} is {count}, beyond anything this model has"));
        }
        let patches = v.image_size / v.patch_size;
        let products = [
            ("the vision tower's positions", [patches * patches, v.hidden_size]),
            ("the queries", [self.num_query_tokens, q.hidden_size]),
            ("the relative positions", [t.relative_attention_num_buckets, t.num_heads]),
        ];
        if let Some((name, [a, b])) =
            products.iter().find(|(_, [a, b])| a.saturating_mul(*b) > 1 << 26)
        {
            return Err(format!("{name} are {a} × {b}, beyond anything this model has"));
        }
        let whole = |what: &str, a: usize, b: usize| match a % b {
            0 => Ok(()),
            _ => Err(format!("{what}: {a} is not a multiple of {b}")),
        };
        whole(
            "vision_config.hidden_size by num_attention_heads",
            v.hidden_size,
            v.num_attention_heads,
        )?;
        whole(
            "qformer_config.hidden_size by num_attention_heads",
            q.hidden_size,
            q.num_attention_heads,
        )?;
        whole("vision_config.image_size by patch_size", v.image_size, v.patch_size)?;
        if t.relative_attention_num_buckets < 4
            || t.relative_attention_max_distance <= t.relative_attention_num_buckets / 2
        {
            return Err("text_config: relative attention needs at least 4 buckets and a distance beyond the exact ones".into());
        }
        Ok(())
    }
}
