//! The tokens that begin, end and fill sequences.

use std::path::Path;

use serde::Deserialize;

use super::config::{Config, read_json};
use super::error::Result;

/// Special tokens of decoding, from `generation_config.json`, else `config.json`, else T5's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialTokens {
    /// First token of every decoder sequence.
    pub decoder_start: u32,
    /// Tokens that end a sequence.
    pub eos: Vec<u32>,
    /// Filler of shorter prompts in a batch; masked out.
    pub pad: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<u32> {
        match self {
            Self::One(id) => vec![id],
            Self::Many(ids) => ids,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GenerationFile {
    decoder_start_token_id: Option<u32>,
    eos_token_id: Option<OneOrMany>,
    pad_token_id: Option<u32>,
}

impl Config {
    /// Reads the special tokens of decoding.
    pub fn special_tokens(&self, dir: &Path) -> Result<SpecialTokens> {
        let path = dir.join("generation_config.json");
        let file: GenerationFile = if path.exists() {
            read_json(&path)?
        } else {
            GenerationFile::default()
        };
        let text = &self.text_config;
        let pad = file.pad_token_id.or(text.pad_token_id).unwrap_or(0);
        Ok(SpecialTokens {
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
