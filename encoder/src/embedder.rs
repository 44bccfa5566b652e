//! Captions to embeddings: the encoder behind its cache.
//!
//! The encoder's weights are loaded only when a caption is not in the cache, so that scoring the same
//! files again touches no model at all.

use std::path::Path;

use fgd_store::digest::{Digest, DigestError, HashMemo};
use fgd_store::hub::{self, HubError, Kind, Model};
use ndarray::{Array1, Array2};

use crate::cache::{CacheError, EmbeddingCache, EncoderKey};
use crate::distinct::Distinct;
use crate::identity::{Identity, config, is_gte_small, weights_dtype, weights_sha256};
use crate::{Encoder, EncoderError, EngineKind, Options, Spec, Tokens};

/// Captions encoded between two writes to the cache: what an interruption loses at most.
const BATCH: usize = 4096;

/// Captions that an engine that rounds encodes in f32 as well.
const CALIBRATION: usize = 128;

/// Where embeddings are kept between captions, and between runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep<'a> {
    /// In the cache of this folder, for all runs.
    Folder(&'a Path),
    /// Until the embedder is dropped, so that files share their captions.
    Process,
    /// Nowhere: what is measured must be computed.
    Nowhere,
}

/// Why captions could not be embedded.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The encoder could not be found or downloaded.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The encoder could not be loaded or run.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// A file of the encoder could not be read.
    #[error(transparent)]
    File(#[from] DigestError),
}

/// Distances ‖Δ‖ of embeddings from those of the same captions in f32. They are of the captions that an [`Embedder`] met first:
/// of more it is not measured again, since each file, step and piece of a job would be encoded twice in part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deviation {
    /// Captions that were encoded both ways.
    pub captions: u64,
    /// Their mean distance.
    pub mean: f64,
    /// Their largest distance.
    pub max: f64,
}

/// An encoder, resolved but not necessarily loaded, with its cache.
pub struct Embedder {
    model: Model,
    spec: Spec,
    options: Options,
    engine: String,
    dtype: String,
    sha256: String,
    tokenizer: String,
    /// Special tokens that every caption carries.
    specials: usize,
    cache: Option<(EmbeddingCache, EncoderKey)>,
    /// Why the cache was given up, until somebody asks.
    trouble: Option<CacheError>,
    encoder: Option<Encoder>,
    encoded: usize,
    deviation: Option<Deviation>,
}

impl Embedder {
    /// Finds the encoder `name` and opens its place among what is kept. A cache that cannot be used is given up, see
    /// [`take_trouble`](Self::take_trouble).
    ///
    /// # Errors
    /// No such encoder, or one that is not BERT-shaped.
    pub fn open(
        name: &str,
        options: Options,
        keep: Keep<'_>,
        hub: &hub::Settings,
    ) -> Result<Self, EmbedError> {
        let model = hub::resolve(name, Kind::Encoder, hub)?;
        let spec = Spec::read(&model.dir)?;
        // Here too: with everything in the cache no encoder is loaded, and the limit would label what it did not make.
        options.check_length(&spec)?;
        let tokens = Tokens::load(&spec)?;
        let mut hashes = match keep {
            Keep::Folder(folder) => HashMemo::open(&EmbeddingCache::hashes(folder)),
            Keep::Process | Keep::Nowhere => HashMemo::default(),
        };
        let mut embedder = Self {
            model,
            engine: options.engine_label(),
            dtype: weights_dtype(&spec.weight_files[0]),
            sha256: weights_sha256(&spec.weight_files, &mut hashes)?,
            specials: tokens.specials(),
            tokenizer: tokens.fingerprint()?,
            spec,
            options,
            cache: None,
            trouble: None,
            encoder: None,
            encoded: 0,
            deviation: None,
        };
        let key = embedder.cache_key(&mut hashes)?;
        let place = |cache: EmbeddingCache| {
            cache.encoder(&key, &embedder.description()).map(|place| (cache, place))
        };
        let cache = match keep {
            Keep::Nowhere => return Ok(embedder),
            Keep::Process => EmbeddingCache::temporary().and_then(place),
            Keep::Folder(folder) => EmbeddingCache::open(folder).and_then(place),
        };
        match cache {
            Ok(cache) => embedder.cache = Some(cache),
            Err(error) => {
                embedder.cache = EmbeddingCache::temporary().and_then(place).ok();
                embedder.trouble = Some(error);
            }
        }
        if matches!(keep, Keep::Folder(_)) {
            hashes.save();
        }
        Ok(embedder)
    }

    /// Why the cache was given up since this was last asked: it is damaged, full or read-only. The embeddings are the same
    /// without it; they only have to be computed again.
    pub fn take_trouble(&mut self) -> Option<CacheError> {
        self.trouble.take()
    }

    /// Goes on without the cache that failed: the captions of this process still share their embeddings.
    fn give_up(&mut self, key: &EncoderKey, error: CacheError) {
        let fresh = |cache: EmbeddingCache| key.place_in(&cache).map(|place| (cache, place));
        self.cache = EmbeddingCache::temporary().and_then(fresh).ok();
        self.trouble.get_or_insert(error);
    }

    /// Everything that an embedding depends on, besides the caption.
    fn cache_key(&self, hashes: &mut HashMemo) -> Result<String, DigestError> {
        Ok(Digest::new("embedding-cache", 3)
            .field("weights", &self.sha256)
            .field("config", config(&self.spec))
            .field("tokenizer", hashes.sha256(&self.spec.tokenizer_file)?)
            .field("lower_case", self.spec.lower_case.to_string())
            .field("max_length", self.max_length().to_string())
            .field("engine", &self.engine)
            .field("pooling", self.spec.pooling.name())
            .field("normalize", self.spec.normalize.to_string())
            .finish())
    }

    /// The encoder in a list of what the cache holds.
    fn description(&self) -> String {
        format!(
            "{} weights={} engine={} pooling={} normalize={} max_length={}",
            self.model.id,
            self.sha256,
            self.engine,
            self.spec.pooling.name(),
            self.spec.normalize,
            self.max_length()
        )
    }

    /// Which encoder it is.
    pub fn identity(&self) -> Identity {
        Identity {
            id: self.model.id.clone(),
            revision: self.model.revision.clone(),
            sha256: self.sha256.clone(),
            tokenizer: self.tokenizer.clone(),
            config: config(&self.spec),
            dtype: self.dtype.clone(),
            engine: self.engine.clone(),
            max_length: self.max_length(),
            pooling: self.spec.pooling.name().into(),
            normalize: self.spec.normalize,
            dim: self.spec.dim,
            is_gte_small: is_gte_small(&self.sha256, &self.tokenizer, &self.spec),
        }
    }

    /// How far embeddings are from those in f32, where the engine rounds: measured on the captions of the first
    /// [`embed`](Self::embed).
    pub fn deviation(&self) -> Option<Deviation> {
        self.deviation
    }

    /// The encoder itself, loaded anew: what is measured must not come from the cache.
    ///
    /// # Errors
    /// As [`Encoder::load`].
    pub fn load(&self) -> Result<Encoder, EmbedError> {
        Ok(Encoder::load(&self.spec, &self.options)?)
    }

    /// Dimensions of an embedding.
    pub fn dim(&self) -> usize {
        self.spec.dim
    }

    /// Most tokens of a caption that count.
    pub fn max_length(&self) -> usize {
        self.options.max_length.unwrap_or(self.spec.max_length)
    }

    /// Captions that were encoded rather than found in the cache, so far.
    pub fn encoded(&self) -> usize {
        self.encoded
    }

    /// Token counts of captions, as far as they matter for the maximum: a caption too short to reach it
    /// gets its bytes as an upper bound, so that only long captions need the tokenizer at all.
    ///
    /// # Errors
    /// The tokenizer cannot be read, or refused a caption.
    pub fn token_counts(&self, captions: &[&str]) -> Result<Vec<usize>, EmbedError> {
        // A token covers at least one byte.
        let most = |caption: &&str| caption.len() + self.specials;
        let mut counts: Vec<usize> = captions.iter().map(most).collect();
        let suspects: Vec<usize> =
            (0..captions.len()).filter(|&i| counts[i] > self.max_length()).collect();
        if !suspects.is_empty() {
            let texts: Vec<&str> = suspects.iter().map(|&i| captions[i]).collect();
            let exact = Tokens::load(&self.spec)?.counts(&texts)?;
            for (i, count) in suspects.into_iter().zip(exact) {
                counts[i] = count;
            }
        }
        Ok(counts)
    }

    /// Embeddings of `captions`, row by row. `progress` hears of captions as they are done, each
    /// distinct caption counting once for every place it stands in.
    ///
    /// # Errors
    /// The encoder cannot be loaded or failed.
    pub fn embed(
        &mut self,
        captions: &[&str],
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Array2<f32>, EmbedError> {
        let distinct = Distinct::of(captions);
        let texts = &distinct.captions;
        let mut found = self.known(texts);
        let missing: Vec<usize> = (0..texts.len()).filter(|&i| found[i].is_none()).collect();
        progress(captions.len() - missing.len());
        for batch in missing.chunks(BATCH) {
            let batch_texts: Vec<&str> = batch.iter().map(|&i| texts[i]).collect();
            let rows = self.encode(&batch_texts, progress)?;
            for (&i, row) in batch.iter().zip(rows.rows()) {
                found[i] = Some(row.to_owned());
            }
        }
        if self.options.engine == EngineKind::Int12 && self.deviation.is_none() {
            self.deviation = self.deviation_of(texts, &found)?;
        }
        let mut embeddings = Array2::zeros((texts.len(), self.spec.dim));
        for (mut row, vector) in embeddings.rows_mut().into_iter().zip(&found) {
            row.assign(vector.as_ref().expect("what was not found was encoded above"));
        }
        Ok(distinct.spread(embeddings))
    }

    /// The embeddings that are kept.
    fn known(&mut self, captions: &[&str]) -> Vec<Option<Array1<f32>>> {
        let Some((cache, key)) = &self.cache else { return vec![None; captions.len()] };
        match cache.get(key, captions, self.spec.dim) {
            Ok(found) => found,
            Err(error) => {
                let key = key.clone();
                self.give_up(&key, error);
                vec![None; captions.len()]
            }
        }
    }

    /// Encodes some of the captions in f32 too, evenly spread over them, and compares.
    fn deviation_of(
        &self,
        captions: &[&str],
        embeddings: &[Option<Array1<f32>>],
    ) -> Result<Option<Deviation>, EmbedError> {
        let step = captions.len().div_ceil(CALIBRATION).max(1);
        let sample: Vec<&str> = captions.iter().step_by(step).copied().collect();
        if sample.is_empty() {
            return Ok(None);
        }
        let options = Options { engine: EngineKind::Packed, ..self.options.clone() };
        let exact = Encoder::load(&self.spec, &options)?.encode(&sample, &|_| {})?;
        let rounded = embeddings.iter().step_by(step).flatten();
        let distances: Vec<f64> = rounded
            .zip(exact.rows())
            .map(|(a, b)| {
                let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
                squares.sum::<f64>().sqrt()
            })
            .collect();
        Ok(Some(Deviation {
            captions: distances.len() as u64,
            mean: distances.iter().sum::<f64>() / distances.len() as f64,
            max: distances.iter().copied().fold(0.0, f64::max),
        }))
    }

    /// The encoder with its weights, loaded the first time it is asked for.
    ///
    /// # Errors
    /// As [`Encoder::load`].
    pub fn encoder(&mut self) -> Result<&Encoder, EncoderError> {
        Ok(match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(Encoder::load(&self.spec, &self.options)?),
        })
    }

    fn encode(
        &mut self,
        captions: &[&str],
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Array2<f32>, EmbedError> {
        let rows = self.encoder()?.encode_distinct(captions, progress)?;
        self.encoded += captions.len();
        if let Some((cache, key)) = &mut self.cache
            && let Err(error) = cache.put(key, captions, rows.view())
        {
            let key = key.clone();
            self.give_up(&key, error);
        }
        Ok(rows)
    }
}
