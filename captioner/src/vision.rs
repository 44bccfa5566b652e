//! The vision tower: EVA's ViT-g/14 (<https://arxiv.org/abs/2211.07636>), frozen in BLIP-2.
//!
//! 14×14 patches and a class token become 257 tokens, which pass through pre-norm transformer layers; all tokens are
//! handed on.

use candle_core::Tensor;
use fgd_kernels::Activation;

use super::config::VisionConfig;
use super::error::Result;
use super::layers::{LayerNorm, Linear, attention, self_attention};
use super::weights::{Room, Scope};

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
        if x.device().is_cpu() {
            x = self.through_layers(&x)?;
        } else {
            for layer in &self.layers {
                x = layer.forward(&x)?;
            }
        }
        self.post_layernorm.forward(&x)
    }

    /// All layers in host memory, in place and with nothing allocated between them.
    fn through_layers(&self, x: &Tensor) -> Result<Tensor> {
        let (_, length, _) = x.dims3()?;
        let mut values: Vec<f32> = x.flatten_all()?.to_vec1()?;
        let mut between = Between::default();
        for layer in &self.layers {
            layer.on_host(&mut values, length, &mut between)?;
        }
        Ok(Tensor::from_vec(values, x.shape(), x.device())?)
    }
}

/// What lies between the parts of a layer.
#[derive(Default)]
struct Between {
    /// As wide as the layer's input: that after its norm, and what attention makes of it.
    narrow: Vec<f32>,
    /// Queries, keys and values, and the wide layer.
    wide: Vec<f32>,
    room: Room,
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

    /// [`Self::forward`] of images of `length` tokens, in place.
    fn on_host(&self, x: &mut [f32], length: usize, between: &mut Between) -> Result<()> {
        let Between { narrow, wide, room } = between;
        let (hidden, inner) = (self.projection.outputs(), self.fc1.outputs());
        let rows = x.len() / hidden;
        narrow.resize(rows * hidden, 0.0);
        wide.resize(wide.len().max(rows * inner.max(3 * hidden)), 0.0);
        let dim = hidden / self.heads;
        let qkv = &mut wide[..rows * 3 * hidden];
        self.layer_norm1.write(x, narrow);
        self.qkv.write(narrow, None, room, qkv)?;
        let all = [0, 1, 2].map(|part| &qkv[(part * hidden).min(qkv.len())..]);
        let (sizes, scale) = ([length, self.heads, dim], (dim as f32).powf(-0.5));
        let arithmetic = self.qkv.arithmetic();
        self_attention(all, 3 * hidden, sizes, scale, [None, None], arithmetic, narrow);
        self.projection.add(narrow, room, x)?;
        let inner = &mut wide[..rows * inner];
        self.layer_norm2.write(x, narrow);
        self.fc1.write(narrow, Some(self.activation), room, inner)?;
        self.fc2.add(inner, room, x)
    }

    fn self_attention(&self, x: &Tensor) -> Result<Tensor> {
        let hidden = x.dim(2)?;
        let qkv = self.qkv.forward(x)?;
        let part = |i: usize| qkv.narrow(2, i * hidden, hidden);
        let (q, k, v) = (part(0)?, part(1)?, part(2)?);
        let scale = ((hidden / self.heads) as f32).powf(-0.5);
        attention([&q, &k, &v], self.heads, scale, None, None, self.qkv.arithmetic())
    }
}
