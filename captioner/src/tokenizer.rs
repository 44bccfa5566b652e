//! Prompts to T5 token ids and generated ids back to text, by the checkpoint's own `tokenizer.json`.

use std::path::Path;

use tokenizers::Tokenizer;

use super::error::{Error, Result};

/// The checkpoint's tokenizer with its image token.
pub struct PromptTokenizer {
    tokenizer: Tokenizer,
    image_token: Option<u32>,
}

impl PromptTokenizer {
    /// Reads `DIR/tokenizer.json`. `image_token` is the id that stands for the image, which a prompt must not contain.
    ///
    /// # Errors
    /// A file that is missing or is no tokenizer.
    pub fn read(dir: &Path, image_token: Option<u32>) -> Result<Self> {
        let path = dir.join("tokenizer.json");
        if !path.exists() {
            let hint = "tokenizer.json is missing; save it with AutoTokenizer.from_pretrained(...).save_pretrained(DIR)";
            return Err(Error::checkpoint(dir, hint));
        }
        // Some damaged files make the library panic.
        let mut tokenizer = std::panic::catch_unwind(|| Tokenizer::from_file(&path))
            .map_err(|_| Error::checkpoint(&path, "not a tokenizer"))?
            .map_err(|e| Error::checkpoint(&path, e))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| Error::checkpoint(&path, e))?;
        Ok(Self { tokenizer, image_token })
    }

    /// The prompt's ids with the closing `</s>`; without the image tokens, which precede them in the model.
    ///
    /// # Errors
    /// A prompt that contains the image token.
    pub fn encode(&self, prompt: &str) -> Result<Vec<u32>> {
        let refuse = |reason: String| Error::Setting(format!("prompt {prompt:?}: {reason}"));
        let encoding = self.tokenizer.encode(prompt, true).map_err(|e| refuse(e.to_string()))?;
        let ids = encoding.get_ids().to_vec();
        if self.image_token.is_some_and(|image| ids.contains(&image)) {
            return Err(refuse(
                "it contains the image token, which is added by itself; leave it out".into(),
            ));
        }
        Ok(ids)
    }

    /// The id that stands for what the vocabulary does not have, if there is one.
    pub fn unknown(&self) -> Option<u32> {
        self.tokenizer.token_to_id("<unk>")
    }

    /// Text of generated ids, without special tokens and surrounding blanks.
    ///
    /// # Errors
    /// Ids that the vocabulary does not have.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let text = self
            .tokenizer
            .decode(ids, true)
            .map_err(|e| Error::Setting(format!("cannot decode {ids:?}: {e}")))?;
        Ok(text.trim().to_owned())
    }
}
