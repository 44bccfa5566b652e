//! The querying transformer (BLIP-2, <https://arxiv.org/abs/2301.12597>, section 3.1): 32 learned queries read the image
//! tokens through cross-attention in every second layer. BERT-shaped, post-norm; only the query path exists here.

use candle_core::Tensor;
use fgd_kernels::Activation;

use super::config::{QFormerConfig, VisionConfig};
use super::error::Result;
use super::layers::{LayerNorm, Linear, attention};
use super::weights::Scope;

/// Image tokens to query outputs.
pub struct QFormer {
    query_tokens: Tensor,
    layernorm: LayerNorm,
    layers: Vec<Layer>,
}

struct Layer {
    attention: Attention,
    crossattention: Option<Attention>,
    intermediate_query: Linear,
    output_query: Linear,
    output_norm: LayerNorm,
    activation: Activation,
}

struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    dense: Linear,
    norm: LayerNorm,
    heads: usize,
}

impl QFormer {
    /// From `query_tokens` and `qformer.*`.
    pub fn load(
        root: &Scope,
        config: &QFormerConfig,
        vision: &VisionConfig,
        queries: usize,
    ) -> Result<Self> {
        let scope = root.pp("qformer");
        let layers = scope.pp("encoder").pp("layer");
        Ok(Self {
            query_tokens: root.tensor("query_tokens", &[1, queries, config.hidden_size])?,
            layernorm: LayerNorm::load(
                &scope.pp("layernorm"),
                config.hidden_size,
                config.layer_norm_eps,
            )?,
            layers: (0..config.num_hidden_layers)
                .map(|n| {
                    let crosses = n.is_multiple_of(config.cross_attention_frequency);
                    Layer::load(&layers.pp(n), config, crosses.then_some(vision.hidden_size))
                })
                .collect::<Result<_>>()?,
        })
    }

    /// image tokens [batch, tokens, vision hidden] → [batch, queries, hidden].
    pub fn forward(&self, image: &Tensor) -> Result<Tensor> {
        let (_, queries, hidden) = self.query_tokens.dims3()?;
        let mut x = self.layernorm.forward(&self.query_tokens.broadcast_as((
            image.dim(0)?,
            queries,
            hidden,
        ))?)?;
        for layer in &self.layers {
            x = layer.forward(&x, image)?;
        }
        Ok(x)
    }
}

impl Layer {
    fn load(scope: &Scope, config: &QFormerConfig, image_width: Option<usize>) -> Result<Self> {
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let output = scope.pp("output_query");
        Ok(Self {
            attention: Attention::load(&scope.pp("attention"), config, hidden)?,
            crossattention: image_width
                .map(|width| Attention::load(&scope.pp("crossattention"), config, width))
                .transpose()?,
            intermediate_query: Linear::load(
                &scope.pp("intermediate_query").pp("dense"),
                hidden,
                wide,
            )?,
            output_query: Linear::load(&output.pp("dense"), wide, hidden)?,
            output_norm: LayerNorm::load(&output.pp("LayerNorm"), hidden, config.layer_norm_eps)?,
            activation: config.hidden_act.0,
        })
    }

    fn forward(&self, x: &Tensor, image: &Tensor) -> Result<Tensor> {
        let mut x = self.attention.forward(x, x)?;
        if let Some(crossattention) = &self.crossattention {
            x = crossattention.forward(&x, image)?;
        }
        let wide = self.intermediate_query.forward_activated(&x, self.activation)?;
        self.output_norm.forward(&self.output_query.forward_added(&wide, &x)?)
    }
}

impl Attention {
    fn load(scope: &Scope, config: &QFormerConfig, source_width: usize) -> Result<Self> {
        let hidden = config.hidden_size;
        let (attention, output) = (scope.pp("attention"), scope.pp("output"));
        Ok(Self {
            query: Linear::load(&attention.pp("query"), hidden, hidden)?,
            key: Linear::load(&attention.pp("key"), source_width, hidden)?,
            value: Linear::load(&attention.pp("value"), source_width, hidden)?,
            dense: Linear::load(&output.pp("dense"), hidden, hidden)?,
            norm: LayerNorm::load(&output.pp("LayerNorm"), hidden, config.layer_norm_eps)?,
            heads: config.num_attention_heads,
        })
    }

    /// Queries from `x`, keys and values from `source`, residual and norm included.
    fn forward(&self, x: &Tensor, source: &Tensor) -> Result<Tensor> {
        let q = self.query.forward(x)?;
        let (k, v) = (self.key.forward(source)?, self.value.forward(source)?);
        let scale = ((q.dim(2)? / self.heads) as f32).powf(-0.5);
        let arithmetic = self.query.arithmetic();
        let mixed = attention([&q, &k, &v], self.heads, scale, None, None, arithmetic)?;
        self.norm.forward(&self.dense.forward_added(&mixed, x)?)
    }
}
