//! Captions to embeddings: the encoder behind its cache.
//!
//! The encoder's weights are loaded only when a caption is not in the cache, so that scoring the same
//! files again touches no model at all.

use crate::cache::{CacheError, EmbeddingCache, EncoderKey};
use crate::{Encoder, EncoderError, EngineKind, Options, Spec, Tokens};
use fgd_store::hub::{self, HubError, Kind, Model};
use ndarray::{Array1, Array2};
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Captions encoded between two writes to the cache: what an interruption loses at most.
const BATCH: usize = 4096;

/// Captions that an engine that rounds encodes in f32 as well.
const CALIBRATION: usize = 128;

/// Largest header of a safetensors file that is read.
const MOST_HEADER: u64 = 100 << 20;

/// Why captions could not be embedded.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The encoder could not be found or downloaded.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The encoder could not be loaded or run.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The cache could not be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Which encoder it is: everything that an embedding depends on, and what it is called.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Hub id, or the name of the local directory.
    pub id: String,
    /// Commit of the hub repository, where it is known.
    pub revision: Option<String>,
    /// SHA-256 of the weights.
    pub sha256: String,
    /// Number type of the weights on disk.
    pub dtype: String,
    /// Engine that runs it, such as `packed/avx2`.
    pub engine: String,
    /// Most tokens of a caption that count.
    pub max_length: usize,
    /// `mean` or `cls`.
    pub pooling: String,
    /// Whether embeddings have unit length.
    pub normalize: bool,
    /// Dimensions of an embedding.
    pub dim: usize,
    /// Whether this is the encoder that the name FGD stands for.
    pub is_gte_small: bool,
}

/// Distances ‖Δ‖ of embeddings from those of the same captions in f32.
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
    tokenizer_sha256: String,
    cache: Option<(EmbeddingCache, EncoderKey)>,
    encoder: Option<Encoder>,
    encoded: usize,
    deviation: Option<Deviation>,
}

impl Embedder {
    /// Finds the encoder `name` and opens its place in the cache of `cache_folder`, if any.
    pub fn open(
        name: &str,
        options: Options,
        cache_folder: Option<&Path>,
        hub: &hub::Settings,
    ) -> Result<Self, EmbedError> {
        let model = hub::resolve(name, Kind::Encoder, hub)?;
        let spec = Spec::read(&model.dir)?;
        let cache = cache_folder.map(EmbeddingCache::open).transpose()?;
        let sha256 = files_sha256(&spec.weight_files, cache.as_ref())?;
        let texts = [spec.tokenizer_file.clone(), spec.dir.join("config.json")];
        let mut embedder = Self {
            model,
            engine: options.engine_label(),
            dtype: weights_dtype(&spec.weight_files[0]),
            tokenizer_sha256: files_sha256(&texts, cache.as_ref())?,
            spec,
            options,
            sha256,
            cache: None,
            encoder: None,
            encoded: 0,
            deviation: None,
        };
        if let Some(cache) = cache {
            let key = cache.encoder(&embedder.cache_key())?;
            embedder.cache = Some((cache, key));
        }
        Ok(embedder)
    }

    /// Everything that an embedding depends on, besides the caption.
    fn cache_key(&self) -> String {
        let info = self.identity();
        format!(
            "{} weights={} tokenizer={} engine={} pooling={} normalize={} max_length={}",
            info.id,
            info.sha256,
            self.tokenizer_sha256,
            info.engine,
            info.pooling,
            info.normalize,
            info.max_length
        )
    }

    /// Which encoder it is.
    pub fn identity(&self) -> Identity {
        Identity {
            id: self.model.id.clone(),
            revision: self.model.revision.clone(),
            sha256: self.sha256.clone(),
            dtype: self.dtype.clone(),
            engine: self.engine.clone(),
            max_length: self.max_length(),
            pooling: self.spec.pooling.name().into(),
            normalize: self.spec.normalize,
            dim: self.spec.dim,
            is_gte_small: self.sha256 == hub::GTE_SMALL_SHA256,
        }
    }

    /// How far the embeddings so far are from those in f32, where the engine rounds.
    pub fn deviation(&self) -> Option<Deviation> {
        self.deviation
    }

    /// The encoder itself, loaded anew: what is measured must not come from the cache.
    pub fn load(&self) -> Result<Encoder, EmbedError> {
        Ok(Encoder::load(&self.spec, &self.options)?)
    }

    /// Dimensions of an embedding.
    pub fn dim(&self) -> usize {
        self.spec.dim
    }

    /// Most tokens of a caption that count.
    pub fn max_length(&self) -> usize {
        self.options
            .max_length
            .map_or(self.spec.max_length, |limit| {
                limit.min(self.spec.max_length)
            })
    }

    /// Captions that were encoded rather than found in the cache, so far.
    pub fn encoded(&self) -> usize {
        self.encoded
    }

    /// Token counts of captions, as far as they matter for the maximum: a caption too short to reach it
    /// gets its bytes as an upper bound, so that only long captions need the tokenizer at all.
    pub fn token_counts(&self, captions: &[&str]) -> Result<Vec<usize>, EmbedError> {
        // A token covers at least one byte, and two more mark the ends.
        let mut counts: Vec<usize> = captions.iter().map(|caption| caption.len() + 2).collect();
        let suspects: Vec<usize> = (0..captions.len())
            .filter(|&i| counts[i] > self.max_length())
            .collect();
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
    pub fn embed(
        &mut self,
        captions: &[&str],
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Array2<f32>, EmbedError> {
        let mut index: HashMap<&str, usize> = HashMap::with_capacity(captions.len());
        let mut distinct: Vec<&str> = Vec::new();
        let places: Vec<usize> = captions
            .iter()
            .map(|&caption| {
                *index.entry(caption).or_insert_with(|| {
                    distinct.push(caption);
                    distinct.len() - 1
                })
            })
            .collect();
        let mut found = match &self.cache {
            Some((cache, key)) => cache.get(*key, &distinct, self.spec.dim)?,
            None => vec![None; distinct.len()],
        };
        let missing: Vec<usize> = (0..distinct.len())
            .filter(|&i| found[i].is_none())
            .collect();
        progress(captions.len() - missing.len());
        for batch in missing.chunks(BATCH) {
            let texts: Vec<&str> = batch.iter().map(|&i| distinct[i]).collect();
            let rows = self.encode(&texts, progress)?;
            for (&i, row) in batch.iter().zip(rows.rows()) {
                found[i] = Some(row.to_owned());
            }
        }
        if self.options.engine == EngineKind::Int12 && self.deviation.is_none() {
            self.deviation = self.deviation_of(&distinct, &found)?;
        }
        let mut embeddings = Array2::zeros((captions.len(), self.spec.dim));
        for (mut row, place) in embeddings.rows_mut().into_iter().zip(places) {
            let vector: &Array1<f32> = found[place]
                .as_ref()
                .expect("every distinct caption was found or encoded above");
            row.assign(vector);
        }
        Ok(embeddings)
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
        let options = Options {
            engine: EngineKind::Packed,
            ..self.options.clone()
        };
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
        let rows = self.encoder()?.encode(captions, progress)?;
        self.encoded += captions.len();
        if let Some((cache, key)) = &mut self.cache {
            cache.put(*key, captions, rows.view())?;
        }
        Ok(rows)
    }
}

/// SHA-256 of one file, or of the hashes of all where there are several.
fn files_sha256(files: &[PathBuf], cache: Option<&EmbeddingCache>) -> Result<String, EmbedError> {
    use sha2::{Digest, Sha256};
    let one = |path: &Path| -> Result<String, EmbedError> {
        Ok(match cache {
            Some(cache) => cache.file_sha256(path)?,
            None => hub::sha256(path)?,
        })
    };
    if let [file] = files {
        return one(file);
    }
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(one(file)?);
    }
    Ok(format!("{:x}", hasher.finalize()))
}

/// Number type of the first tensor of floats in a safetensors file; `unknown` where the file does not
/// tell, which loading it will explain.
fn weights_dtype(path: &Path) -> String {
    let dtype = || -> Option<String> {
        let mut file = std::fs::File::open(path).ok()?;
        let mut length = [0; 8];
        file.read_exact(&mut length).ok()?;
        let mut header = Vec::new();
        file.take(u64::from_le_bytes(length).min(MOST_HEADER))
            .read_to_end(&mut header)
            .ok()?;
        let header: serde_json::Value = serde_json::from_slice(&header).ok()?;
        let tensors = header.as_object()?.values();
        tensors
            .filter_map(|tensor| tensor.get("dtype")?.as_str())
            .find(|dtype| dtype.contains('F'))
            .map(str::to_ascii_lowercase)
    };
    dtype().unwrap_or_else(|| "unknown".into())
}
