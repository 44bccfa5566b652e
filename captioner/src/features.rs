//! Query outputs kept between runs.
//!
//! Checkpoints that differ only in the language model (a LoRA adapter, its training steps) share everything up to the
//! Q-Former, which is four fifths of an image's cost without decoding. The outputs are kept per image, by the hash of the
//! file's bytes, under the hash of all that decides them.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;

use super::error::{Error, Result};
use super::identity::Identity;

const TENSOR: &str = "queries";

/// A directory of query outputs, one safetensors file per image: `DIR/<frozen>/<ab>/<image>.safetensors`.
pub struct FeaturesCache {
    dir: PathBuf,
    hits: usize,
    misses: usize,
}

impl FeaturesCache {
    /// Opens or creates the cache for one frozen part.
    pub fn open(dir: &Path, identity: &Identity) -> Result<Self> {
        let dir = dir.join(&identity.frozen_sha256);
        std::fs::create_dir_all(&dir).map_err(Error::io(&dir))?;
        Ok(Self {
            dir,
            hits: 0,
            misses: 0,
        })
    }

    /// Images found so far.
    pub fn hits(&self) -> usize {
        self.hits
    }

    /// Images looked for in vain so far.
    pub fn misses(&self) -> usize {
        self.misses
    }

    fn path(&self, image: &str) -> PathBuf {
        self.dir
            .join(&image[..image.len().min(2)])
            .join(format!("{image}.safetensors"))
    }

    /// Query outputs [1, queries, hidden] of the image with this hash. A damaged file counts as absent.
    pub fn get(&mut self, image: &str) -> Option<Tensor> {
        let found = std::fs::read(self.path(image))
            .ok()
            .and_then(|bytes| parse(&bytes));
        *(if found.is_some() {
            &mut self.hits
        } else {
            &mut self.misses
        }) += 1;
        found
    }

    /// Keeps them; appears whole or not at all.
    pub fn put(&self, image: &str, queries: &Tensor) -> Result<()> {
        let path = self.path(image);
        let dir = path.parent().unwrap_or(&self.dir);
        std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
        let queries = queries.to_dtype(DType::F32)?.to_device(&Device::Cpu)?;
        let bytes = safetensors::serialize([(TENSOR, &queries)], None).map_err(|e| Error::Io {
            path: path.clone(),
            source: std::io::Error::other(e),
        })?;
        let mut file = tempfile::NamedTempFile::new_in(dir).map_err(Error::io(dir))?;
        std::io::Write::write_all(&mut file, &bytes).map_err(Error::io(&path))?;
        file.persist(&path).map_err(|e| Error::Io {
            path,
            source: e.error,
        })?;
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> Option<Tensor> {
    let view = SafeTensors::deserialize(bytes).ok()?;
    let tensor = view.tensor(TENSOR).ok()?;
    let dtype = (tensor.dtype() == safetensors::Dtype::F32).then_some(DType::F32)?;
    Tensor::from_raw_buffer(tensor.data(), dtype, tensor.shape(), &Device::Cpu).ok()
}
