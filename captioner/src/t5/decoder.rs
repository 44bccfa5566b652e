//! The decoder stack and the output layer, one token per call.

use candle_core::Tensor;

use super::attention::Attention;
use super::cache::{Beginning, Cache};
use super::feed_forward::FeedForward;
use super::position::PositionBias;
use crate::config::T5Config;
use crate::error::Result;
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

    /// A cache for `rows_per_prompt` sequences of at most `longest` tokens per row of `encoded` [prompts, source, d_model].
    ///
    /// # Errors
    /// Another shape.
    pub fn start(
        &self,
        encoded: &Tensor,
        mask: Option<&Mask>,
        rows_per_prompt: usize,
        longest: usize,
    ) -> Result<Cache> {
        let prompts = self.blocks.iter().map(|block| block.cross_attention.keys_values(encoded));
        Cache::new(Beginning {
            prompts: prompts.collect::<Result<_>>()?,
            mask,
            bias: self.position.forward(longest - 1, 1, longest)?,
            rows_per_prompt,
            longest,
        })
    }

    /// embedded [rows, d_model], the newest token of every row → logits [rows, vocabulary].
    ///
    /// # Errors
    /// Another shape; more tokens than the cache was made for.
    pub fn step(&self, embedded: &Tensor, cache: &mut Cache) -> Result<Tensor> {
        let mut x = embedded.clone();
        for (at, block) in self.blocks.iter().enumerate() {
            let [q, k, v] = block.self_attention.projections(&block.self_norm.forward(&x)?)?;
            x = block.self_attention.o.forward_added(&cache.own(at, [&q, &k, &v])?, &x)?;
            let q = block.cross_attention.q.forward(&block.cross_norm.forward(&x)?)?;
            x = block.cross_attention.o.forward_added(&cache.prompt(at, &q)?, &x)?;
            x = block.feed_forward.forward(&x)?;
        }
        let hidden = self.final_layer_norm.forward(&x)?;
        let hidden = match self.logit_scale {
            Some(scale) => (hidden * scale)?,
            None => hidden,
        };
        self.lm_head.forward(&hidden)
    }
}
