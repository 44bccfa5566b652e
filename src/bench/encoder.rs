//! The encoder as a target: captions in, embeddings out, nothing from the cache.

use std::time::Instant;

use fgd_encoder::{Encoder, EncoderError};

use super::target::{Answer, Cost, Target, Work};

/// A loaded encoder with captions to embed.
pub struct EncoderTarget {
    encoder: Encoder,
    captions: Vec<String>,
    /// Tokens of each caption, cut at the encoder's limit.
    tokens: Vec<u64>,
    /// What a linear layer needs to read in each query, in bytes; `None` where operations are not f32 on this CPU.
    weights: Option<f64>,
}

impl EncoderTarget {
    /// Counts the tokens of the captions, once and for all. `captions` holds at least one, all different.
    ///
    /// # Errors
    /// The tokenizer refused a caption.
    pub fn new(encoder: Encoder, captions: Vec<String>) -> Result<Self, EncoderError> {
        let texts: Vec<&str> = captions.iter().map(String::as_str).collect();
        let limit = encoder.max_length();
        let counts = encoder.token_counts(&texts)?;
        let tokens = counts.into_iter().map(|n| n.min(limit) as u64).collect();
        let is_f32_on_cpu =
            encoder.engine().starts_with("packed") || encoder.engine() == "candle/cpu";
        // A layer's matrices are 4 d² and 2 d × intermediate; an f32 has 4 bytes.
        let spec = encoder.spec();
        let layer = 4 * spec.dim * spec.dim + 2 * spec.dim * spec.intermediate;
        let weights = is_f32_on_cpu.then_some((4 * spec.layers * layer) as f64);
        Ok(Self { encoder, captions, tokens, weights })
    }
}

impl Target for EncoderTarget {
    fn items(&self) -> usize {
        self.captions.len()
    }

    fn query(&mut self, items: &[usize]) -> Result<Answer, String> {
        let captions: Vec<&str> = items.iter().map(|&i| self.captions[i].as_str()).collect();
        let start = Instant::now();
        let embeddings =
            self.encoder.encode(&captions, &|_| ()).map_err(|error| error.to_string())?;
        let seconds = start.elapsed().as_secs_f64();
        std::hint::black_box(embeddings);
        let flop = |i: &usize| {
            let tokens = self.tokens[*i];
            tokens as f64 * self.encoder.spec().flop_per_token(tokens as usize)
        };
        let cost = self.weights.map(|bytes| Cost {
            flop: items.iter().map(flop).sum(),
            bytes,
            rounded: false,
        });
        Ok(Answer {
            tokens: Some(items.iter().map(|&i| self.tokens[i]).sum()),
            work: vec![Work {
                stage: "tokenise and encode",
                unit: "caption",
                count: items.len() as u64,
                seconds,
                cost,
            }],
        })
    }
}
