//! The vision tower: EVA's ViT-g/14 (<https://arxiv.org/abs/2211.07636>), frozen in BLIP-2.
//!
//! 14×14 patches and a class token become 257 tokens, which pass through pre-norm transformer layers; all tokens are
//! handed on.

use candle_core::Tensor;
use fgd_kernels::Activation;

use super::config::VisionConfig;
use super::error::Result;
use super::layers::{LayerNorm, Linear, attention};
use super::weights::Scope;

/// Pixels to image tokens.
pub struct VisionModel {
    patch_embedding: Linear,
    class_embedding: Tensor,
    position_embedding: Tensor,
    layers: Vec<Layer>,
    post_layernorm: LayerNorm,
    patch: usize,
    hidden: usize,
}

struct Layer {
    layer_norm1: LayerNorm,
    qkv: Linear,
    projection: Linear,
    layer_norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    heads: usize,
    activation: Activation,
}

impl VisionModel {
    /// From `vision_model.*`.
    pub fn load(scope: &Scope, config: &VisionConfig) -> Result<Self> {
        let (hidden, patch) = (config.hidden_size, config.patch_size);
        let side = config.image_size / patch;
        let embeddings = scope.pp("embeddings");
        let layers = scope.pp("encoder").pp("layers");
        Ok(Self {
            patch_embedding: Linear::load_shaped(
                &embeddings.pp("patch_embedding"),
                &[hidden, 3, patch, patch],
                true,
            )?,
            class_embedding: embeddings.tensor("class_embedding", &[1, 1, hidden])?,
            position_embedding: embeddings
                .tensor("position_embedding", &[1, side * side + 1, hidden])?,
            layers: (0..config.num_hidden_layers)
                .map(|n| Layer::load(&layers.pp(n), config))
                .collect::<Result<_>>()?,
            post_layernorm: LayerNorm::load(
                &scope.pp("post_layernorm"),
                hidden,
                config.layer_norm_eps,
            )?,
            patch,
            hidden,
        })
    }

    /// pixels [batch, 3, size, size], normalised → [batch, 1 + patches, hidden].
    pub fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let patches = self.patch_embedding.forward(&unfold(pixels, self.patch)?)?;
        let batch = patches.dim(0)?;
        let class = self.class_embedding.broadcast_as((batch, 1, self.hidden))?;
        let mut x = Tensor::cat(&[&class, &patches], 1)?.broadcast_add(&self.position_embedding)?;
        for layer in &self.layers {
            x = layer.forward(&x)?;
        }
        self.post_layernorm.forward(&x)
    }
}

/// Non-overlapping patches as rows, [batch, patches, 3·patch²]: the convolution of stride `patch` is then a product.
fn unfold(pixels: &Tensor, patch: usize) -> Result<Tensor> {
    let (batch, channels, height, width) = pixels.dims4()?;
    let (rows, cols) = (height / patch, width / patch);
    Ok(pixels
        .reshape(vec![batch, channels, rows, patch, cols, patch])?
        .permute(vec![0, 2, 4, 1, 3, 5])?
        .reshape((batch, rows * cols, channels * patch * patch))?)
}

impl Layer {
    fn load(scope: &Scope, config: &VisionConfig) -> Result<Self> {
        let (hidden, eps) = (config.hidden_size, config.layer_norm_eps);
        let (attn, mlp) = (scope.pp("self_attn"), scope.pp("mlp"));
        Ok(Self {
            layer_norm1: LayerNorm::load(&scope.pp("layer_norm1"), hidden, eps)?,
            qkv: Linear::load_shaped(&attn.pp("qkv"), &[3 * hidden, hidden], config.qkv_bias)?,
            projection: Linear::load(&attn.pp("projection"), hidden, hidden)?,
            layer_norm2: LayerNorm::load(&scope.pp("layer_norm2"), hidden, eps)?,
            fc1: Linear::load(&mlp.pp("fc1"), hidden, config.intermediate_size)?,
            fc2: Linear::load(&mlp.pp("fc2"), config.intermediate_size, hidden)?,
            heads: config.num_attention_heads,
            activation: config.hidden_act.0,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mixed = self.self_attention(&self.layer_norm1.forward(x)?)?;
        let x = self.projection.forward_added(&mixed, x)?;
        let hidden = self.fc1.forward_activated(&self.layer_norm2.forward(&x)?, self.activation)?;
        self.fc2.forward_added(&hidden, &x)
    }

    fn self_attention(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, length, hidden) = x.dims3()?;
        let dim = hidden / self.heads;
        let qkv = self.qkv.forward(x)?.reshape((batch, length, 3, self.heads, dim))?;
        let part = |i: usize| qkv.narrow(2, i, 1)?.squeeze(2)?.transpose(1, 2);
        let (q, k, v) = (part(0)?, part(1)?, part(2)?);
        attention(&q, &k, &v, (dim as f32).powf(-0.5), None, None)
    }
}
