//! Drawing a token: candle-transformers' `LogitsProcessor`, one stream per image.

use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling as Rule};

use super::Sampling;
use crate::error::Result;

/// The random stream of one image.
pub struct Sampler(LogitsProcessor);

impl Sampler {
    /// A stream for `seed`, already mixed with the image.
    pub fn new(sampling: &Sampling, seed: u64) -> Self {
        let temperature = sampling.temperature;
        let rule = match (sampling.top_k, sampling.top_p) {
            (None, None) => Rule::All { temperature },
            (Some(k), None) => Rule::TopK { k, temperature },
            (None, Some(p)) => Rule::TopP { p, temperature },
            (Some(k), Some(p)) => Rule::TopKThenTopP { k, p, temperature },
        };
        Self(LogitsProcessor::from_sampling(seed, rule))
    }

    /// One token from these logits.
    pub fn draw(&mut self, logits: Vec<f32>) -> Result<u32> {
        let count = logits.len();
        Ok(self
            .0
            .sample(&Tensor::from_vec(logits, count, &Device::Cpu)?)?)
    }
}
