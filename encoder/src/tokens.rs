//! Captions to token ids, exactly as sentence-transformers does it: strip, lower-case where the encoder says so,
//! tokenise, cut on the right, add the special tokens. Padding is never added: engines work on whole captions.
//!
//! Tokenising takes time for every letter, so what no token that counts can come from is cut before it ([`Beginning`]).

use std::collections::BTreeMap;

use rayon::prelude::*;
use tokenizers::tokenizer::{PostProcessor, Tokenizer, TruncationDirection};

use super::{EncoderError, Spec};
use crate::beginning::Beginning;

/// Tokens of a caption that are counted; nobody asks how many more there are.
const MOST_COUNTED: usize = 10_000;

/// The tokenizer of an encoder, usable without its weights.
pub struct Tokens {
    tokenizer: Tokenizer,
    beginning: Beginning,
    /// Special tokens that are added to every caption.
    specials: usize,
    max_length: usize,
    lower_case: bool,
    vocab: usize,
    spec_file: std::path::PathBuf,
}

impl Tokens {
    /// Reads the tokenizer of `spec`. Truncation and padding written in its file are ignored: the length limit is
    /// [`Spec::max_length`].
    ///
    /// # Errors
    /// A missing or malformed tokenizer file.
    pub fn load(spec: &Spec) -> Result<Tokens, EncoderError> {
        let path = &spec.tokenizer_file;
        let bytes = std::fs::read(path)
            .map_err(|source| EncoderError::Io { path: path.clone(), source })?;
        let corrupt = |reason: String| EncoderError::Corrupt { path: path.clone(), reason };
        // Some damaged files make the library panic.
        let mut tokenizer = std::panic::catch_unwind(|| Tokenizer::from_bytes(&bytes))
            .map_err(|_| corrupt("not a tokenizer".into()))?
            .map_err(|error| corrupt(error.to_string()))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| corrupt(error.to_string()))?;
        let specials =
            tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        Ok(Tokens {
            beginning: Beginning::of(&tokenizer),
            tokenizer,
            specials,
            max_length: spec.max_length,
            lower_case: spec.lower_case,
            vocab: spec.vocab,
            spec_file: path.clone(),
        })
    }

    /// Cuts captions at `max_length` tokens, special tokens included, instead of the encoder's own limit.
    pub(super) fn limit(&mut self, max_length: usize) {
        self.max_length = max_length;
    }

    /// The special tokens that every caption carries.
    pub(super) fn specials(&self) -> usize {
        self.specials
    }

    /// Its words with their ids, in the order of the words.
    pub(super) fn vocabulary(&self) -> BTreeMap<String, u32> {
        self.tokenizer.get_vocab(true).into_iter().collect()
    }

    /// The number of tokens of every caption before truncation, special tokens included; of captions with more than 10,000
    /// it may be any number above that.
    ///
    /// # Errors
    /// The tokenizer refused a caption.
    pub fn counts(&self, captions: &[&str]) -> Result<Vec<usize>, EncoderError> {
        captions
            .par_iter()
            .map(|caption| Ok(self.tokenize(caption, MOST_COUNTED)?.len() + self.specials))
            .collect()
    }

    /// The token ids of every caption, truncated, special tokens included.
    pub(super) fn ids(&self, captions: &[&str]) -> Result<Vec<Vec<u32>>, EncoderError> {
        captions
            .par_iter()
            .map(|caption| {
                let room = self.max_length.saturating_sub(self.specials);
                let mut encoding = self.tokenize(caption, room)?;
                encoding.truncate(room, 0, TruncationDirection::Right);
                let encoding = self
                    .tokenizer
                    .post_process(encoding, None, true)
                    .map_err(|error| refused(caption, error))?;
                self.check(encoding.get_ids())
            })
            .collect()
    }

    /// The first `most` tokens, or a few more.
    fn tokenize(&self, caption: &str, most: usize) -> Result<tokenizers::Encoding, EncoderError> {
        let text = self.beginning.cut(caption.trim(), most);
        let result = match self.lower_case {
            true => self.tokenizer.encode_fast(text.to_lowercase(), false),
            false => self.tokenizer.encode_fast(text, false),
        };
        result.map_err(|error| refused(caption, error))
    }

    /// A tokenizer may belong to another model: then its ids lie outside of the word table, or there are none.
    fn check(&self, ids: &[u32]) -> Result<Vec<u32>, EncoderError> {
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.vocab) {
            return Err(EncoderError::Corrupt {
                path: self.spec_file.clone(),
                reason: format!("gives token {id}, the model knows {} tokens", self.vocab),
            });
        }
        if ids.is_empty() {
            return Err(EncoderError::Unsupported {
                path: self.spec_file.clone(),
                reason: "adds no special tokens, so an empty caption has no embedding; a BERT tokenizer adds [CLS] and [SEP]"
                    .into(),
            });
        }
        Ok(ids.to_vec())
    }
}

fn refused(caption: &str, error: tokenizers::Error) -> EncoderError {
    EncoderError::Tokenize {
        caption: caption.chars().take(60).collect(),
        reason: error.to_string(),
    }
}
