//! What computes the embeddings: the choice of an engine, and the seam that engines stand behind.

use std::fmt;
use std::str::FromStr;

use fgd_kernels::Level;
use serde::{Deserialize, Serialize};

use super::chunk::Chunk;
use super::{EncoderError, Spec};

/// How the embeddings are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// f32 on the CPU, with kernels of this crate: the default.
    #[default]
    Packed,
    /// 12-bit integers on the CPU: faster and approximate.
    Int12,
    /// candle-transformers' BERT in f32, on the CPU or a GPU.
    Candle,
}

impl EngineKind {
    /// All engines, in the order in which they are listed to users.
    pub const ALL: [EngineKind; 3] = [EngineKind::Packed, EngineKind::Int12, EngineKind::Candle];

    /// The word on the command line and in records.
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Packed => "packed",
            EngineKind::Int12 => "int12",
            EngineKind::Candle => "candle",
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EngineKind {
    type Err = EncoderError;

    fn from_str(text: &str) -> Result<EngineKind, EncoderError> {
        EngineKind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            EncoderError::Option {
                option: "--engine",
                value: text.into(),
                reason: "the engines are packed, int12 and candle".into(),
            }
        })
    }
}

/// How to load an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The engine.
    pub engine: EngineKind,
    /// `cpu`; with the candle engine also `cuda:N`.
    pub device: String,
    /// Cut captions at this many tokens, special tokens included, instead of at [`Spec::max_length`](crate::Spec::max_length);
    /// at most as many as the encoder has positions.
    pub max_length: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Options { engine: EngineKind::default(), device: "cpu".into(), max_length: None }
    }
}

impl Options {
    /// Whether the encoder has positions for so many tokens.
    pub(super) fn check_length(&self, spec: &Spec) -> Result<(), EncoderError> {
        match self.max_length.filter(|length| *length > spec.max_positions) {
            None => Ok(()),
            Some(length) => Err(EncoderError::Option {
                option: "--max-length",
                value: length.to_string(),
                reason: format!(
                    "this encoder takes up to {} tokens, special tokens included",
                    spec.max_positions
                ),
            }),
        }
    }

    /// Whether the engine runs on the device, as far as that is known without opening it.
    ///
    /// # Errors
    /// A GPU for an engine of the CPU or in a build without GPU support; a device of no known name.
    pub fn check_device(&self) -> Result<(), EncoderError> {
        if self.device == "cpu" {
            return Ok(());
        }
        #[cfg(feature = "candle")]
        if self.engine == EngineKind::Candle {
            return super::candle::ordinal(&self.device).map(|_| ());
        }
        Err(EncoderError::Option {
            option: "--device",
            value: self.device.clone(),
            reason: format!(
                "the {} engine runs on the CPU; a GPU needs `--engine candle`",
                self.engine
            ),
        })
    }

    /// Name and variant of the engine, such as `packed/avx2`, without loading an encoder.
    pub fn engine_label(&self) -> String {
        match self.engine {
            EngineKind::Candle => format!("candle/{}", self.device),
            EngineKind::Int12 => format!("int12/{}", Level::current().integer_name()),
            EngineKind::Packed => format!("packed/{}", Level::current()),
        }
    }
}

/// What turns chunks of tokens into embeddings.
pub(super) trait Engine: Send + Sync {
    /// Name and variant, for records: `packed/avx2`.
    fn label(&self) -> &str;
    /// Token rows that a chunk should have.
    fn chunk_rows(&self) -> usize;
    /// Writes the embeddings of the captions of `chunk`, [captions × dim].
    fn embed(&self, chunk: &Chunk, embeddings: &mut [f32]) -> Result<(), EncoderError>;
    /// [`Self::embed`] of the only chunk that there is: the same bits, on all threads of the pool where the engine can do that.
    fn embed_alone(&self, chunk: &Chunk, embeddings: &mut [f32]) -> Result<(), EncoderError> {
        self.embed(chunk, embeddings)
    }
}
