//! The decoder stack and the output layer, one token per call.

use candle_core::Tensor;

use super::attention::Attention;
use super::cache::{Cache, LayerCache};
use super::feed_forward::FeedForward;
use super::position::PositionBias;
use crate::config::T5Config;
use crate::error::{Error, Result};
use crate::layers::{Linear, Mask, RmsNorm};
use crate::weights::Scope;

/// Blocks of causal self-attention, cross-attention to the encoder and feed-forward; then logits.
pub struct Decoder {
    pub(crate) blocks: Vec<Block>,
    pub(crate) position: PositionBias,
    pub(crate) final_layer_norm: RmsNorm,
    pub(crate) lm_head: Linear,
    pub(crate) logit_scale: Option<f64>,
}

pub(crate) struct Block {
    pub(crate) self_norm: RmsNorm,
    pub(crate) self_attention: Attention,
    pub(crate) cross_norm: RmsNorm,
    pub(crate) cross_attention: Attention,
    pub(crate) feed_forward: FeedForward,
}

impl Block {
    fn load(layer: &Scope, config: &T5Config) -> Result<Self> {
        let norm = |n: usize| {
            RmsNorm::load(&layer.pp(n).pp("layer_norm"), config.d_model, config.layer_norm_epsilon)
        };
        Ok(Self {
            self_norm: norm(0)?,
            self_attention: Attention::load(&layer.pp(0).pp("SelfAttention"), config)?,
            cross_norm: norm(1)?,
            cross_attention: Attention::load(&layer.pp(1).pp("EncDecAttention"), config)?,
            feed_forward: FeedForward::load(&layer.pp(2), config)?,
        })
    }
}

impl Decoder {
    /// From `language_model.decoder.*` and `language_model.lm_head` (else the shared embedding).
    ///
    /// # Errors
    /// Tensors that are missing or misshapen.
    pub fn load(language_model: &Scope, config: &T5Config) -> Result<Self> {
        let scope = language_model.pp("decoder");
        let blocks = scope.pp("block");
        let head = language_model.pp("lm_head");
        let lm_head = if head.has("weight") {
            Linear::load_unbiased(&head, config.d_model, config.vocab_size)?
        } else {
            // Tied to the embedding.
            let size = [config.vocab_size, config.d_model];
            Linear::from_matrix(language_model.pp("shared").matrix_for(&head, &size)?, &head)
        };
        Ok(Self {
            position: PositionBias::load(
                &blocks.pp(0).pp("layer").pp(0).pp("SelfAttention"),
                config,
                false,
            )?,
            blocks: (0..config.num_decoder_layers())
                .map(|n| Block::load(&blocks.pp(n).pp("layer"), config))
                .collect::<Result<_>>()?,
            final_layer_norm: RmsNorm::load(
                &scope.pp("final_layer_norm"),
                config.d_model,
                config.layer_norm_epsilon,
            )?,
            lm_head,
            logit_scale: config.scales_logits().then(|| (config.d_model as f64).powf(-0.5)),
        })
    }

    /// A cache for `rows_per_prompt` sequences of at most `max_length` tokens per row of `encoded` [prompts, source, d_model].
    ///
    /// # Errors
    /// Another shape.
    pub fn start(
        &self,
        encoded: &Tensor,
        mask: Option<&Mask>,
        rows_per_prompt: usize,
        max_length: usize,
    ) -> Result<Cache> {
        let layers = self
            .blocks
            .iter()
            .map(|block| {
                let (cross_keys, cross_values) = block.cross_attention.keys_values(encoded)?;
                let (prompts, heads, _, dim) = cross_keys.dims4()?;
                let shape = (prompts * rows_per_prompt, heads, max_length, dim);
                Ok(LayerCache {
                    self_keys: Tensor::zeros(shape, encoded.dtype(), encoded.device())?,
                    self_values: Tensor::zeros(shape, encoded.dtype(), encoded.device())?,
                    cross_keys: cross_keys.contiguous()?,
                    cross_values: cross_values.contiguous()?,
                })
            })
            .collect::<Result<_>>()?;
        let rows = vec![rows_per_prompt; encoded.dim(0)?];
        Ok(Cache { layers, mask: mask.cloned(), rows, length: 0, max_length })
    }

    /// embedded [rows, d_model], the newest token of every row → logits [rows, vocabulary].
    ///
    /// # Errors
    /// Another shape.
    pub fn step(&self, embedded: &Tensor, cache: &mut Cache) -> Result<Tensor> {
        let at = cache.length;
        if at >= cache.max_length {
            return Err(Error::Setting(format!(
                "the decoder cache holds {} tokens and is full",
                cache.max_length
            )));
        }
        let bias = self.position.forward(at, 1, at + 1)?;
        let mut x = embedded.unsqueeze(1)?;
        for (block, layer) in self.blocks.iter().zip(&cache.layers) {
            let normed = block.self_norm.forward(&x)?;
            let [q, k, v] = block.self_attention.projections(&normed)?;
            layer.self_keys.slice_set(&k.contiguous()?, 2, at)?;
            layer.self_values.slice_set(&v.contiguous()?, 2, at)?;
            let (keys, values) =
                (layer.self_keys.narrow(2, 0, at + 1)?, layer.self_values.narrow(2, 0, at + 1)?);
            x = block.self_attention.attend(&x, &q, &keys, &values, Some(&bias), None)?;
            x = self.cross(block, layer, &x, cache)?;
            x = block.feed_forward.forward(&x)?;
        }
        cache.length += 1;
        let hidden = self.final_layer_norm.forward(&x)?.squeeze(1)?;
        let hidden = match self.logit_scale {
            Some(scale) => (hidden * scale)?,
            None => hidden,
        };
        self.lm_head.forward(&hidden)
    }

    /// x and what cross-attention adds to it. The rows of one prompt are so many queries to the same keys, so these are never
    /// repeated per row.
    fn cross(
        &self,
        block: &Block,
        layer: &LayerCache,
        x: &Tensor,
        cache: &Cache,
    ) -> Result<Tensor> {
        let (rows, _, width) = x.dims3()?;
        let normed = block.cross_norm.forward(x)?;
        let attention = &block.cross_attention;
        let each = cache.rows[0];
        if cache.rows.iter().all(|rows| *rows == each) {
            let by_prompt = (rows / each, each, width);
            let q = attention.queries(&normed.reshape(by_prompt)?)?;
            let (keys, values) = (&layer.cross_keys, &layer.cross_values);
            let x = x.reshape(by_prompt)?;
            let mixed = attention.attend(&x, &q, keys, values, None, cache.mask.as_ref())?;
            return Ok(mixed.reshape((rows, 1, width))?);
        }
        let mut from = 0;
        let mut mixed = Vec::with_capacity(cache.rows.len());
        for (prompt, rows) in cache.rows.iter().enumerate() {
            let own = |x: &Tensor| x.narrow(0, from, *rows)?.reshape((1, *rows, width));
            let keys = layer.cross_keys.narrow(0, prompt, 1)?;
            let values = layer.cross_values.narrow(0, prompt, 1)?;
            let mask = cache.mask.as_ref().map(|mask| mask.narrow(0, prompt, 1)).transpose()?;
            let q = attention.queries(&own(&normed)?)?;
            mixed.push(attention.attend(&own(x)?, &q, &keys, &values, None, mask.as_ref())?);
            from += rows;
        }
        Ok(Tensor::cat(&mixed, 1)?.reshape((rows, 1, width))?)
    }
}
