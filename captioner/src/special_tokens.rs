//! The tokens that begin, end and fill sequences.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::config::Config;
use super::error::Result;
use super::json::{OneOrMany, read_json};

/// Special tokens of decoding, from `generation_config.json`, else `config.json`, else T5's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpecialTokens {
    /// First token of every decoder sequence.
    pub decoder_start: u32,
    /// Tokens that end a sequence.
    pub eos: Vec<u32>,
    /// Filler of shorter prompts in a batch; masked out.
    pub pad: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GenerationFile {
    decoder_start_token_id: Option<u32>,
    eos_token_id: Option<OneOrMany>,
    pad_token_id: Option<u32>,
}

impl SpecialTokens {
    /// Reads them from the checkpoint in `dir`.
    ///
    /// # Errors
    /// A `generation_config.json` that cannot be read.
    pub fn read(dir: &Path, config: &Config) -> Result<Self> {
        let path = dir.join("generation_config.json");
        let file: GenerationFile =
            if path.exists() { read_json(&path)? } else { GenerationFile::default() };
        let text = &config.text_config;
        let pad = file.pad_token_id.or(text.pad_token_id).unwrap_or(0);
        Ok(Self {
            decoder_start: file
                .decoder_start_token_id
                .or(text.decoder_start_token_id)
                .unwrap_or(pad),
            eos: file
                .eos_token_id
                .or(text.eos_token_id.clone())
                .map_or(vec![1], OneOrMany::into_vec),
            pad,
        })
    }
}
