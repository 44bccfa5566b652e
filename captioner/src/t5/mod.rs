//! The language model: T5 v1.1 (<https://arxiv.org/abs/1910.10683>), instruction-tuned as flan-t5.
//!
//! Written anew rather than taken from candle-transformers, whose decoder uses the encoder's position buckets (wrong from
//! the ninth token on), has no attention mask and projects the encoder's keys and values again at every step.

mod attention;
mod cache;
mod decoder;
mod embedding;
mod encoder;
mod feed_forward;
mod position;
mod step;

use candle_core::Tensor;

use super::config::T5Config;
use super::error::Result;
use super::weights::Scope;

pub(crate) use attention::Attention;
pub use cache::Cache;
pub use decoder::Decoder;
pub use embedding::Embedding;
pub use encoder::Encoder;
pub(crate) use feed_forward::FeedForward;
pub(crate) use position::PositionBias;

/// Encoder, decoder and the embedding they share.
pub struct T5 {
    /// Token ids to vectors, for both stacks.
    pub shared: Embedding,
    /// Prompt to hidden states.
    pub encoder: Encoder,
    /// Hidden states to logits, a token at a time.
    pub decoder: Decoder,
}

impl T5 {
    /// From `language_model.*`.
    ///
    /// # Errors
    /// Tensors that are missing or misshapen.
    pub fn load(scope: &Scope, config: &T5Config) -> Result<Self> {
        let shared = Embedding::load(&scope.pp("shared"), config.vocab_size, config.d_model)?;
        let encoder = Encoder::load(&scope.pp("encoder"), config)?;
        let decoder = Decoder::load(scope, config)?;
        Ok(Self { shared, encoder, decoder })
    }

    /// Encodes embedded prompts [batch, length, d_model] and projects the cross-attention keys and values: a cache ready
    /// for the first step of `rows_per_prompt` sequences each, of at most `longest` tokens.
    ///
    /// # Errors
    /// Another shape.
    pub fn start(
        &self,
        embedded: &Tensor,
        mask: Option<&Tensor>,
        rows_per_prompt: usize,
        longest: usize,
    ) -> Result<Cache> {
        let hidden = self.encoder.forward(embedded, mask)?;
        self.decoder.start(&hidden, mask, rows_per_prompt, longest)
    }

    /// The logits of each row over the vocabulary, after one more token in each.
    ///
    /// # Errors
    /// Another number of ids than of rows.
    pub fn step(&self, ids: &[u32], cache: &mut Cache) -> Result<Vec<Vec<f32>>> {
        self.decoder.step(&self.shared.forward(ids)?, cache)
    }
}
