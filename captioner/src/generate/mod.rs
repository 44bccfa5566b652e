//! From encoded prompts to token ids: greedy search, beam search, sampling.
//!
//! The decoder sits behind [`Step`], so that the searches can be read, and tested, without a model.

pub(crate) mod awake;
mod beam;
mod greedy;
mod ongoing;
mod penalties;
mod sample;

use fgd_kernels::Level;
use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::special_tokens::SpecialTokens;

pub use ongoing::Ongoing;

/// Most captions that are drawn of one image.
const MOST_SAMPLES: usize = 256;

/// How captions are decoded; the names and meanings are those of transformers' `GenerationConfig`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerationConfig {
    /// Longest caption in tokens, the end token included.
    pub max_new_tokens: usize,
    /// Tokens before which no caption ends; 0 is off.
    pub min_new_tokens: usize,
    /// Beams per image; 1 is greedy search (or sampling).
    pub num_beams: usize,
    /// Captions of each image: so many draws, or so many of the best beams.
    pub num_return_sequences: usize,
    /// Exponent of the length by which a finished beam's log-probability is divided.
    pub length_penalty: f64,
    /// When beam search may stop.
    pub early_stopping: EarlyStopping,
    /// Divides positive and multiplies negative logits of tokens already there (CTRL, <https://arxiv.org/abs/1909.05858>); 1 is off.
    pub repetition_penalty: f64,
    /// No n-gram of this length occurs twice; 0 is off.
    pub no_repeat_ngram_size: usize,
    /// Sample instead of taking the best token.
    pub sampling: Option<Sampling>,
    /// Keep going to `max_new_tokens`, never ending earlier: for timing.
    pub ignore_eos: bool,
}

impl Default for GenerationConfig {
    fn default() -> Self {
        Self {
            max_new_tokens: 30,
            min_new_tokens: 0,
            num_beams: 1,
            num_return_sequences: 1,
            length_penalty: 1.0,
            early_stopping: EarlyStopping::Heuristic,
            repetition_penalty: 1.0,
            no_repeat_ngram_size: 0,
            sampling: None,
            ignore_eos: false,
        }
    }
}

/// transformers' `early_stopping` of beam search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum EarlyStopping {
    /// `False`: when the best running beam, at its present length, cannot beat the worst finished one.
    Heuristic,
    /// `True`: as soon as there are as many finished beams as beams.
    Always,
    /// `"never"`: only when no running beam could win at any length.
    Never,
}

/// Temperature sampling among the tokens that the cut-offs leave, which follow one another in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// Divides the logits; > 0.
    pub temperature: f64,
    /// Only the k likeliest tokens; all where there is none.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that together reach this probability (<https://arxiv.org/abs/1904.09751>).
    pub top_p: Option<f64>,
    /// Only the tokens whose surprise is nearest the expected one, up to this probability
    /// (<https://arxiv.org/abs/2202.00666>).
    pub typical_p: Option<f64>,
    /// Only tokens of at least this probability, and the likeliest (<https://arxiv.org/abs/2210.15191>).
    pub epsilon_cutoff: Option<f64>,
    /// Every image draws from its own stream, seeded with this and the image's id: batching changes nothing.
    pub seed: u64,
}

impl Sampling {
    /// Draws for the choice of one by meaning: all tokens of a probability of at least 0.02, which suits that best
    /// (<https://arxiv.org/abs/2305.09860>).
    pub fn for_choice(seed: u64) -> Self {
        Self { top_k: None, epsilon_cutoff: Some(0.02), seed, ..Self::default() }
    }
}

impl Default for Sampling {
    /// transformers' defaults, of which the 50 likeliest tokens is one.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: Some(50),
            top_p: None,
            typical_p: None,
            epsilon_cutoff: None,
            seed: 0,
        }
    }
}

impl GenerationConfig {
    /// Rows that an image has in the decoder's steps.
    pub fn rows(&self) -> usize {
        self.num_beams.max(self.num_return_sequences)
    }

    /// Refuses values without a meaning.
    ///
    /// # Errors
    /// The first setting without a meaning.
    pub fn check(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::Setting(message));
        if self.max_new_tokens == 0 || self.max_new_tokens > 4096 {
            return refuse(format!(
                "max_new_tokens is {}; it must be 1 to 4096",
                self.max_new_tokens
            ));
        }
        if self.min_new_tokens > self.max_new_tokens {
            return refuse(format!(
                "min_new_tokens is {}; it must be at most max_new_tokens, {}",
                self.min_new_tokens, self.max_new_tokens
            ));
        }
        if self.num_beams == 0 || self.num_beams > 64 {
            return refuse(format!("num_beams is {}; it must be 1 to 64", self.num_beams));
        }
        let most = match (&self.sampling, self.num_beams) {
            (Some(_), _) => MOST_SAMPLES,
            (None, beams) => beams,
        };
        if self.num_return_sequences == 0 || self.num_return_sequences > most {
            return refuse(format!(
                "num_return_sequences (--samples) is {}; it must be 1 to {most}: several captions of an image are drawn (at most \
                 {MOST_SAMPLES}; give a temperature) or are its best beams (at most num_beams)",
                self.num_return_sequences
            ));
        }
        if !self.length_penalty.is_finite() {
            return refuse(format!("length_penalty is {}; it must be finite", self.length_penalty));
        }
        if !(self.repetition_penalty > 0.0 && self.repetition_penalty.is_finite()) {
            return refuse(format!(
                "repetition_penalty is {}; it must be above 0",
                self.repetition_penalty
            ));
        }
        let Some(sampling) = &self.sampling else {
            return Ok(());
        };
        if self.num_beams > 1 {
            return refuse(
                "sampling and beam search exclude each other here; give one of them".into(),
            );
        }
        if !(sampling.temperature > 0.0 && sampling.temperature.is_finite()) {
            return refuse(format!("temperature is {}; it must be above 0", sampling.temperature));
        }
        if sampling.top_k == Some(0) {
            return refuse("top_k is 0; it must be at least 1".into());
        }
        for (name, share) in [
            ("top_p", sampling.top_p),
            ("typical_p", sampling.typical_p),
            ("epsilon_cutoff", sampling.epsilon_cutoff),
        ] {
            if let Some(share) = share.filter(|p| !(*p > 0.0 && *p <= 1.0)) {
                return refuse(format!("{name} is {share}; it must be above 0 and at most 1"));
            }
        }
        Ok(())
    }
}

/// A decoder in the middle of some prompts, each with rows of its own.
pub trait Step {
    /// Feeds one token to every row of every prompt; the logits of each row over the vocabulary.
    ///
    /// # Errors
    /// What the decoder fails at.
    fn step(&mut self, ids: &[u32]) -> Result<Vec<Vec<f32>>>;
    /// For each prompt the rows that go on: row `i` of it continues what row `rows[prompt][i]` was. A prompt without rows is
    /// gone.
    ///
    /// # Errors
    /// What the decoder fails at.
    fn go_on(&mut self, rows: &[Vec<usize>]) -> Result<()>;
    /// Whether the steps are computed by the threads of this process, which then had better stay awake between them.
    fn is_on_host(&self) -> bool;
}

/// The tokens of one caption.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    /// Token ids, without the start token; the end token is there if it was reached.
    pub ids: Vec<u32>,
    /// Beam search: log-probability divided by length^penalty.
    pub score: Option<f64>,
    /// Natural logarithm of the probability that the model gives these tokens, whatever temperature, cut-offs and penalties
    /// made of it.
    pub log_probability: f64,
}

/// Decodes the captions of each prompt, `num_return_sequences` of them. `seeds` has one entry per caption, those of one prompt
/// together, and matters to sampling only.
///
/// # Errors
/// What the decoder fails at; logits that are not numbers, where tokens are drawn.
pub fn generate(
    model: &mut (impl Step + Send),
    seeds: &[u64],
    config: &GenerationConfig,
    special: &SpecialTokens,
) -> Result<Vec<Sequence>> {
    let mut ongoing = Ongoing::new(config, special);
    for seeds in seeds.chunks(config.num_return_sequences) {
        ongoing.join(seeds);
    }
    let mut done = Vec::new();
    while !ongoing.is_empty() {
        done.extend(ongoing.advance(model)?);
    }
    done.sort_by_key(|(prompt, _)| *prompt);
    Ok(done.into_iter().flat_map(|(_, captions)| captions).collect())
}

/// Logits to logarithms of probabilities.
fn log_softmax(scores: &mut [f32]) -> Result<()> {
    let normaliser = Level::current().log_sum_exp(scores);
    numbers(normaliser)?;
    scores.iter_mut().for_each(|s| *s -= normaliser);
    Ok(())
}

/// Refuses logits whose `normaliser` says that one is NaN or all are infinite: of such the first token would be taken.
fn numbers(normaliser: f32) -> Result<()> {
    if normaliser.is_finite() {
        return Ok(());
    }
    Err(Error::Setting(
        "the checkpoint computes no numbers (NaN or infinite logits): its weights are damaged, or too large for this precision; try --dtype f32"
            .into(),
    ))
}
