//! The flags of a captioner, shared by every subcommand that runs one.
//!
//! `--seed` and `--device` are not among them: a subcommand has one of each, for everything it does.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use fgd_captioner::run::OnError;
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
    /// Draw among the K likeliest tokens.
    #[arg(long, value_name = "K", env = "FGD_TOP_K")]
    top_k: Option<usize>,
    /// Draw among the likeliest tokens that together reach this probability.
    #[arg(long, value_name = "P", env = "FGD_TOP_P")]
    top_p: Option<f64>,
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
    /// Images per batch; also what is lost at most when the process is killed.
    #[arg(long, value_name = "N", default_value_t = 8, env = "FGD_BATCH_SIZE")]
    batch_size: usize,
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

impl CaptioningArgs {
    /// The flags as plain data; `seed` is that of the drawing, of which every image has its own stream.
    pub fn captioning(self, seed: u64) -> Captioning {
        let (decoding, running) = (self.decoding, self.running);
        let draws =
            decoding.temperature.is_some() || decoding.top_k.is_some() || decoding.top_p.is_some();
        Captioning {
            prompt: decoding.prompt,
            generation: GenerationConfig {
                max_new_tokens: decoding.max_new_tokens,
                num_beams: decoding.num_beams,
                length_penalty: decoding.length_penalty,
                early_stopping: decoding.early_stopping,
                repetition_penalty: decoding.repetition_penalty,
                no_repeat_ngram_size: decoding.no_repeat_ngram_size,
                sampling: draws.then(|| Sampling {
                    temperature: decoding.temperature.unwrap_or(1.0),
                    top_k: decoding.top_k,
                    top_p: decoding.top_p,
                    seed,
                }),
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
