//! Captions in, embeddings out: what `SentenceTransformer(dir).encode(captions)` computes, in f32, from the same
//! directory of files.
//!
//! [`Spec`] reads what the directory says, [`Tokens`] turns captions into token ids, and an engine takes chunks of
//! whole captions to unit vectors. The embedding of a caption does not depend, to the bit, on the captions encoded
//! beside it, on their order or on the number of threads (packed and int12 engines).

pub mod cache;
#[cfg(feature = "candle")]
mod candle;
mod chunk;
pub mod embedder;
mod error;
mod packed;
mod pooling;
pub mod probe;
pub mod spec;
mod tokens;
mod weights;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use error::EncoderError;
pub use spec::Spec;
pub use tokens::Tokens;

#[cfg(feature = "candle")]
use candle::Candle;
use chunk::Chunk;
use fgd_kernels::Level;
use packed::Packed;

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
    /// candle's tensors, on the CPU or a GPU.
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
        EngineKind::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| EncoderError::Option {
                option: "--engine",
                value: text.into(),
                reason: "the engines are packed, int12 and candle".into(),
            })
    }
}

/// How to load an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The engine.
    pub engine: EngineKind,
    /// `cpu`; with the candle engine also `cuda:N`, or `cuda:N@bf16` for products in bf16.
    pub device: String,
    /// Cut captions at this many tokens, special tokens included, instead of at [`Spec::max_length`].
    pub max_length: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            engine: EngineKind::default(),
            device: "cpu".into(),
            max_length: None,
        }
    }
}

impl Options {
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
trait Engine: Send + Sync {
    /// Name and variant, for records: `packed/avx2`.
    fn label(&self) -> &str;
    /// Token rows that a chunk should have.
    fn chunk_rows(&self) -> usize;
    /// Writes the embeddings of the captions of `chunk`, [captions × dim].
    fn embed(&self, chunk: &Chunk, embeddings: &mut [f32]) -> Result<(), EncoderError>;
}

/// A loaded sentence encoder.
pub struct Encoder {
    spec: Spec,
    tokens: Tokens,
    max_length: usize,
    engine: Box<dyn Engine>,
}

/// Captions whose tokens are held in memory at once. While one window is encoded the next one is tokenised.
const WINDOW: usize = 1024;

impl Encoder {
    /// Loads the weights and prepares them for the engine.
    ///
    /// # Errors
    /// Files that cannot be read, tensors that are missing or misshapen (all listed), options that cannot be met.
    pub fn load(spec: &Spec, options: &Options) -> Result<Encoder, EncoderError> {
        let mut tokens = Tokens::load(spec)?;
        let max_length = options.max_length.unwrap_or(spec.max_length);
        if max_length <= tokens.specials() || max_length > spec.max_positions {
            return Err(EncoderError::Option {
                option: "--max-length",
                value: max_length.to_string(),
                reason: format!(
                    "this encoder takes {} to {} tokens, special tokens included",
                    tokens.specials() + 1,
                    spec.max_positions
                ),
            });
        }
        tokens.limit(max_length);
        if options.device != "cpu" && options.engine != EngineKind::Candle {
            return Err(EncoderError::Option {
                option: "--device",
                value: options.device.clone(),
                reason: format!(
                    "the {} engine runs on the CPU; a GPU needs `--engine candle`",
                    options.engine
                ),
            });
        }
        let engine: Box<dyn Engine> = match options.engine {
            EngineKind::Packed => Box::new(Packed::float(spec)?),
            EngineKind::Int12 => Box::new(Packed::int12(spec)?),
            #[cfg(feature = "candle")]
            EngineKind::Candle => Box::new(Candle::load(spec, &options.device)?),
            #[cfg(not(feature = "candle"))]
            EngineKind::Candle => {
                return Err(EncoderError::Option {
                    option: "--engine",
                    value: "candle".into(),
                    reason: "this build has no candle engine".into(),
                });
            }
        };
        Ok(Encoder {
            spec: spec.clone(),
            tokens,
            max_length,
            engine,
        })
    }

    /// Floats per embedding.
    pub fn dim(&self) -> usize {
        self.spec.dim
    }

    /// The engine and its variant, such as `packed/avx2`.
    pub fn engine(&self) -> &str {
        self.engine.label()
    }

    /// Tokens at which captions are cut, special tokens included.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// The description it was loaded from.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The number of tokens of every caption before truncation, special tokens included.
    ///
    /// # Errors
    /// The tokenizer refused a caption.
    pub fn token_counts(&self, captions: &[&str]) -> Result<Vec<usize>, EncoderError> {
        self.tokens.counts(captions)
    }

    /// The embeddings of `captions`, [captions × dim], row i for caption i. Equal captions are encoded once. Works on
    /// the threads of the current rayon pool; `progress` gets the number of captions just finished, from any thread.
    ///
    /// # Errors
    /// The tokenizer refused a caption, the engine failed, or an embedding is not finite.
    pub fn encode(
        &self,
        captions: &[&str],
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Array2<f32>, EncoderError> {
        let (distinct, place) = distinct(captions);
        let mut copies = vec![0; distinct.len()];
        for index in &place {
            copies[*index] += 1;
        }
        let mut rows = Array2::zeros((distinct.len(), self.dim()));
        let mut windows = distinct.chunks(WINDOW);
        let mut tokens = self.tokens.ids(windows.next().unwrap_or_default())?;
        let mut done = 0;
        while !tokens.is_empty() {
            let count = tokens.len();
            let window = rows.slice_mut(ndarray::s![done..done + count, ..]);
            let copies = &copies[done..done + count];
            let next = windows.next().unwrap_or_default();
            let (encoded, next) = rayon::join(
                || self.encode_window(tokens, copies, window, progress),
                || self.tokens.ids(next),
            );
            encoded?;
            tokens = next?;
            done += count;
        }
        match distinct.len() == captions.len() {
            true => Ok(rows),
            false => Ok(rows.select(ndarray::Axis(0), &place)),
        }
    }

    /// Encodes one window chunk by chunk, on all threads.
    fn encode_window(
        &self,
        tokens: Vec<Vec<u32>>,
        copies: &[usize],
        mut rows: ndarray::ArrayViewMut2<f32>,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<(), EncoderError> {
        let chunks = chunk::compose(
            &tokens,
            self.engine.chunk_rows(),
            rayon::current_num_threads(),
        );
        let dim = self.dim();
        let mut slots: Vec<Option<&mut [f32]>> = rows
            .as_slice_mut()
            .expect("a range of rows of a standard-layout array is contiguous")
            .chunks_exact_mut(dim)
            .map(Some)
            .collect();
        // Every caption is in exactly one chunk, so each slot is taken once.
        let jobs: Vec<(Chunk, Vec<&mut [f32]>)> = chunks
            .into_iter()
            .map(|chunk| {
                let rows = chunk
                    .members()
                    .iter()
                    .filter_map(|i| slots[*i].take())
                    .collect();
                (chunk, rows)
            })
            .collect();
        jobs.into_par_iter()
            .with_max_len(1)
            .try_for_each(|(chunk, rows)| {
                let mut embeddings = vec![0.0; rows.len() * dim];
                self.engine.embed(&chunk, &mut embeddings)?;
                if !embeddings.iter().all(|value| value.is_finite()) {
                    return Err(EncoderError::Corrupt {
                        path: self.spec.weight_files[0].clone(),
                        reason: "the encoder gives embeddings that are not finite".into(),
                    });
                }
                for (row, embedding) in rows.into_iter().zip(embeddings.chunks_exact(dim)) {
                    row.copy_from_slice(embedding);
                }
                progress(chunk.members().iter().map(|i| copies[*i]).sum());
                Ok(())
            })
    }
}

/// The distinct captions in order of appearance, and for every caption the index of its twin among them.
fn distinct<'a>(captions: &[&'a str]) -> (Vec<&'a str>, Vec<usize>) {
    let mut seen = HashMap::with_capacity(captions.len());
    let mut distinct = Vec::new();
    let place = captions
        .iter()
        .map(|caption| {
            *seen.entry(*caption).or_insert_with(|| {
                distinct.push(*caption);
                distinct.len() - 1
            })
        })
        .collect();
    (distinct, place)
}
