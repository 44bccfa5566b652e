//! The tokens that begin, end and fill sequences.

use serde::Serialize;

use super::config::Config;
use super::json::OneOrMany;

/// Special tokens of decoding, from `config.json`, else T5's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpecialTokens {
    /// First token of every decoder sequence.
    pub decoder_start: u32,
    /// Tokens that end a sequence.
    pub eos: Vec<u32>,
    /// Filler of shorter prompts in a batch; masked out.
    pub pad: u32,
}

impl SpecialTokens {
    /// Those of the language model's own configuration: `generation_config.json` beside it is not what transformers decodes by.
    pub fn of(config: &Config) -> Self {
        let text = &config.text_config;
        let pad = text.pad_token_id.unwrap_or(0);
        Self {
            decoder_start: text.decoder_start_token_id.unwrap_or(pad),
            eos: text.eos_token_id.clone().map_or(vec![1], OneOrMany::into_vec),
            pad,
        }
    }
}
