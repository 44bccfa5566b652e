//! The flags of a captioner, shared by every subcommand that runs one.
//!
//! `--seed` and `--device` are not among them: a subcommand has one of each, for everything it does.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use fgd_captioner::run::{BatchSize, OnError};
use fgd_captioner::{DEFAULT_PROMPT, EarlyStopping, GenerationConfig, Precision, Sampling};

use crate::jobs::caption::Captioning;

/// What the captioner is asked, how it searches for captions, and how it runs.
#[derive(Debug, Args)]
pub struct CaptioningArgs {
    #[command(flatten)]
    decoding: DecodingArgs,
    #[command(flatten)]
    running: RunningArgs,
}

/// How captions are searched for.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Decoding")]
struct DecodingArgs {
    /// What the model is asked; may be empty.
    #[arg(long, value_name = "TEXT", default_value = DEFAULT_PROMPT, env = "FGD_PROMPT")]
    prompt: String,
    /// Longest caption in tokens.
    #[arg(long, value_name = "N", default_value_t = 30, env = "FGD_MAX_NEW_TOKENS")]
    max_new_tokens: usize,
    /// No caption ends before this many tokens; 0 is off.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_MIN_NEW_TOKENS")]
    min_new_tokens: usize,
    /// Captions of each image, of which one is chosen: so many draws, or so many of the best beams.
    #[arg(long, value_name = "N", default_value_t = 1, env = "FGD_SAMPLES")]
    samples: usize,
    /// Beams per image; 1 is greedy.
    #[arg(long, value_name = "N", default_value_t = 1, env = "FGD_NUM_BEAMS")]
    num_beams: usize,
    /// Exponent of a beam's length in its score; above 0 favours long captions.
    #[arg(
        long,
        value_name = "X",
        default_value_t = 1.0,
        env = "FGD_LENGTH_PENALTY",
        allow_negative_numbers = true
    )]
    length_penalty: f64,
    /// When beam search stops.
    #[arg(long, value_enum, default_value_t = EarlyStopping::Heuristic, env = "FGD_EARLY_STOPPING")]
    early_stopping: EarlyStopping,
    /// Above 1 makes tokens already there less likely.
    #[arg(long, value_name = "X", default_value_t = 1.0, env = "FGD_REPETITION_PENALTY")]
    repetition_penalty: f64,
    /// No sequence of N tokens twice; 0 allows all.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FGD_NO_REPEAT_NGRAM_SIZE")]
    no_repeat_ngram_size: usize,
    /// Draw tokens at random, at this temperature.
    #[arg(long, value_name = "X", env = "FGD_TEMPERATURE")]
    temperature: Option<f64>,
    /// Draw among the K likeliest tokens; 0 is all of them. 50 by default where tokens are drawn, as in transformers.
    #[arg(long, value_name = "K", env = "FGD_TOP_K")]
    top_k: Option<usize>,
    /// Draw among the likeliest tokens that together reach this probability.
    #[arg(long, value_name = "P", env = "FGD_TOP_P")]
    top_p: Option<f64>,
    /// Draw among the tokens whose surprise is nearest the expected one, up to this probability.
    #[arg(long, value_name = "P", env = "FGD_TYPICAL_P")]
    typical_p: Option<f64>,
    /// Draw among the tokens of at least this probability.
    #[arg(long, value_name = "P", env = "FGD_EPSILON_CUTOFF")]
    epsilon_cutoff: Option<f64>,
    /// Go on to the longest caption whatever the model says; for timing.
    #[arg(long, hide = true, env = "FGD_IGNORE_EOS", value_parser = FalseyValueParser::new())]
    ignore_eos: bool,
}

/// How the model runs.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Running")]
struct RunningArgs {
    /// What the checkpoint's weights are kept in; part of the captions' identity.
    #[arg(long, value_enum, default_value_t = Precision::F32, env = "FGD_DTYPE")]
    dtype: Precision,
    /// Images captioned together, or `auto`: as many as pay on this machine. Captions do not depend on it on a CPU. Also what is
    /// lost at most when the process is killed.
    #[arg(long, value_name = "N|auto", default_value_t, env = "FGD_BATCH_SIZE")]
    batch_size: BatchSize,
    /// What to do with an image that cannot be read; one that was skipped is tried again by the next run.
    #[arg(long, value_enum, default_value_t = OnError::Fail, env = "FGD_ON_ERROR")]
    on_error: OnError,
    /// Keep and reuse the vision features here; checkpoints with equal frozen parts share them.
    #[arg(long, value_name = "DIR", env = "FGD_FEATURES_CACHE")]
    features_cache: Option<PathBuf>,
    /// Forget an earlier run's journal.
    #[arg(long, env = "FGD_RESTART", value_parser = FalseyValueParser::new())]
    restart: bool,
}

impl DecodingArgs {
    /// How tokens are drawn: where a flag asks for it, or where several captions are wanted and no beams give them.
    fn sampling(&self, seed: u64) -> Option<Sampling> {
        let asked = self.temperature.is_some()
            || self.top_k.is_some()
            || self.top_p.is_some()
            || self.typical_p.is_some()
            || self.epsilon_cutoff.is_some();
        let default = Sampling { seed, ..Sampling::default() };
        if asked {
            return Some(Sampling {
                temperature: self.temperature.unwrap_or(default.temperature),
                top_k: self.top_k.map_or(default.top_k, |k| Some(k).filter(|k| *k > 0)),
                top_p: self.top_p,
                typical_p: self.typical_p,
                epsilon_cutoff: self.epsilon_cutoff,
                ..default
            });
        }
        (self.samples > 1 && self.num_beams == 1).then(|| Sampling::for_choice(seed))
    }
}

impl CaptioningArgs {
    /// The flags as plain data; `seed` is that of the drawing, of which every image has its own stream.
    pub fn captioning(self, seed: u64) -> Captioning {
        let (decoding, running) = (self.decoding, self.running);
        let sampling = decoding.sampling(seed);
        Captioning {
            prompt: decoding.prompt,
            generation: GenerationConfig {
                max_new_tokens: decoding.max_new_tokens,
                min_new_tokens: decoding.min_new_tokens,
                num_beams: decoding.num_beams,
                num_return_sequences: decoding.samples,
                length_penalty: decoding.length_penalty,
                early_stopping: decoding.early_stopping,
                repetition_penalty: decoding.repetition_penalty,
                no_repeat_ngram_size: decoding.no_repeat_ngram_size,
                sampling,
                ignore_eos: decoding.ignore_eos,
            },
            dtype: running.dtype,
            batch_size: running.batch_size,
            on_error: running.on_error,
            features_cache: running.features_cache,
            restart: running.restart,
        }
    }
}
