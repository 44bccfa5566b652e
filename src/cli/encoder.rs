//! The flags that choose the encoder and its cache, shared by every subcommand that embeds.

use clap::Args;
use clap::builder::FalseyValueParser;
use fgd_encoder::EngineKind;
use fgd_store::hub;

use crate::jobs::options::Encoding;

/// Which encoder, and how it runs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Encoder")]
pub struct EncoderArgs {
    /// Sentence encoder: a directory, or a hub id with an optional revision (org/name@revision).
    /// Numbers are called FGD only with the default.
    #[arg(long, value_name = "ID|DIR", default_value = hub::GTE_SMALL, env = "FGD_ENCODER")]
    pub(super) encoder: String,
    /// Engine that runs the encoder.
    #[arg(long, value_enum, default_value_t = EngineKind::Packed, env = "FGD_ENGINE")]
    pub(super) engine: EngineKind,
    /// Where models run: cpu, or cuda:N in a build with that feature (the encoder only by the candle engine).
    #[arg(long, value_name = "DEVICE", default_value = "cpu", env = "FGD_DEVICE")]
    pub(super) device: String,
    /// Count at most this many tokens of a caption (never more than the encoder can).
    #[arg(long, value_name = "TOKENS", env = "FGD_MAX_LENGTH")]
    pub(super) max_length: Option<usize>,
    /// Neither read nor write the embedding cache.
    #[arg(long, env = "FGD_NO_CACHE", value_parser = FalseyValueParser::new())]
    pub(super) no_cache: bool,
}

impl EncoderArgs {
    /// The flags as plain data.
    pub fn encoding(&self) -> Encoding {
        Encoding {
            encoder: self.encoder.clone(),
            engine: self.engine,
            device: self.device.clone(),
            max_length: self.max_length,
            cache: !self.no_cache,
        }
    }
}
