//! The flags that choose the encoder and its cache, shared by every subcommand that embeds.

use super::exit::usage;
use super::output::Output;
use clap::Args;
use clap::builder::FalseyValueParser;
use fgd_encoder::Embedder;
use fgd_encoder::cache;
use fgd_encoder::{EngineKind, Options};
use fgd_store::hub;
use std::path::{Path, PathBuf};

/// Which encoder, and how it runs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Encoder")]
pub struct EncoderArgs {
    /// Sentence encoder: a directory, or a hub id with an optional revision (org/name@revision).
    /// Numbers are called FGD only with the default.
    #[arg(long, value_name = "ID|DIR", default_value = hub::GTE_SMALL, env = "FGD_ENCODER")]
    pub encoder: String,
    /// Engine that runs the encoder.
    #[arg(long, value_enum, default_value_t = EngineKind::Packed, env = "FGD_ENGINE")]
    pub engine: EngineKind,
    /// Device of the candle engine: cpu or cuda:N.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", env = "FGD_DEVICE")]
    pub device: String,
    /// Count at most this many tokens of a caption (never more than the encoder can).
    #[arg(long, value_name = "TOKENS", env = "FGD_MAX_LENGTH")]
    pub max_length: Option<usize>,
    /// Neither read nor write the embedding cache.
    #[arg(long, env = "FGD_NO_CACHE", value_parser = FalseyValueParser::new())]
    pub no_cache: bool,
}

impl EncoderArgs {
    /// Finds the encoder; its weights are loaded when the first caption needs them.
    pub fn open(&self, output: &Output) -> anyhow::Result<Embedder> {
        let folder: Option<PathBuf> = if self.no_cache {
            None
        } else {
            Some(crate::settings::cache_folder()?)
        };
        self.open_with(folder.as_deref(), output)
    }

    /// The same with no cache at all, whatever the flags say.
    pub fn open_uncached(&self, output: &Output) -> anyhow::Result<Embedder> {
        self.open_with(None, output)
    }

    /// The same for many files that share captions: without the cache, they share `scratch`.
    pub fn open_shared(&self, scratch: &Path, output: &Output) -> anyhow::Result<Embedder> {
        if self.no_cache {
            self.open_with(Some(scratch), output)
        } else {
            self.open(output)
        }
    }

    fn open_with(&self, cache: Option<&Path>, output: &Output) -> anyhow::Result<Embedder> {
        if self.max_length.is_some_and(|tokens| tokens < 3) {
            return Err(usage(
                "--max-length: a caption needs at least 3 tokens, two of which mark its ends",
            ));
        }
        let options = Options {
            engine: self.engine,
            device: self.device.clone(),
            max_length: self.max_length,
        };
        let settings = crate::settings::hub(output.draws_progress());
        Ok(Embedder::open(&self.encoder, options, cache, &settings)?)
    }
}
