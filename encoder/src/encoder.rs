//! The encoder: captions through tokens, chunks and an engine to unit vectors.

use ndarray::{Array2, ArrayViewMut2};
use rayon::prelude::*;

#[cfg(feature = "candle")]
use super::candle::Candle;
use super::chunk::{self, Chunk};
use super::distinct::Distinct;
use super::engine::{Engine, EngineKind, Options};
use super::packed::Packed;
use super::{EncoderError, Spec, Tokens};

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
        options.check_length(spec)?;
        if max_length <= tokens.specials() {
            return Err(EncoderError::Option {
                option: "--max-length",
                value: max_length.to_string(),
                reason: format!(
                    "this encoder takes {} tokens at least, special tokens included",
                    tokens.specials() + 1
                ),
            });
        }
        tokens.limit(max_length);
        options.check_device()?;
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
        Ok(Encoder { spec: spec.clone(), tokens, max_length, engine })
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
        let distinct = Distinct::of(captions);
        progress(distinct.repetitions());
        Ok(distinct.spread(self.encode_distinct(&distinct.captions, progress)?))
    }

    /// [`encode`](Encoder::encode) for captions that are known to differ.
    pub(super) fn encode_distinct(
        &self,
        captions: &[&str],
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Array2<f32>, EncoderError> {
        let mut rows = Array2::zeros((captions.len(), self.dim()));
        let mut windows = captions.chunks(WINDOW);
        let mut tokens = self.tokens.ids(windows.next().unwrap_or_default())?;
        let mut done = 0;
        while !tokens.is_empty() {
            let count = tokens.len();
            let window = rows.slice_mut(ndarray::s![done..done + count, ..]);
            let next = windows.next().unwrap_or_default();
            let (encoded, next) = rayon::join(
                || self.encode_window(tokens, window, progress),
                || self.tokens.ids(next),
            );
            encoded?;
            tokens = next?;
            done += count;
        }
        Ok(rows)
    }

    /// Encodes one window chunk by chunk, on all threads.
    fn encode_window(
        &self,
        tokens: Vec<Vec<u32>>,
        mut rows: ArrayViewMut2<f32>,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<(), EncoderError> {
        let chunks =
            chunk::compose(&tokens, self.engine.chunk_rows(), rayon::current_num_threads());
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
                let rows = chunk.members().iter().filter_map(|i| slots[*i].take()).collect();
                (chunk, rows)
            })
            .collect();
        let alone = jobs.len() == 1;
        jobs.into_par_iter().with_max_len(1).try_for_each(|(chunk, rows)| {
            let mut embeddings = vec![0.0; rows.len() * dim];
            match alone {
                true => self.engine.embed_alone(&chunk, &mut embeddings)?,
                false => self.engine.embed(&chunk, &mut embeddings)?,
            }
            if !embeddings.iter().all(|value| value.is_finite()) {
                return Err(EncoderError::Corrupt {
                    path: self.spec.weight_files[0].clone(),
                    reason: "the encoder gives embeddings that are not finite".into(),
                });
            }
            for (row, embedding) in rows.into_iter().zip(embeddings.chunks_exact(dim)) {
                row.copy_from_slice(embedding);
            }
            progress(chunk.members().len());
            Ok(())
        })
    }
}
