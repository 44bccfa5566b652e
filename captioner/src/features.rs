//! Query outputs kept between runs, for [`run`](crate::run).
//!
//! Checkpoints that differ only in the language model (a LoRA adapter, its training steps) share everything up to the
//! Q-Former, which is four fifths of an image's cost without decoding. The outputs are kept per image, by the hash of the
//! file's bytes, under the hash of all that decides them.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use fgd_store::file;
use safetensors::SafeTensors;

use super::error::{Error, Result};
use super::identity::Identity;

const TENSOR: &str = "queries";

/// How the folder of today's features begins: 3 since transparency is composited. Folders of version 1 have the bare hash.
const VERSION: &str = "v3-";

/// A directory of query outputs, one safetensors file per image: `DIR/v3-<frozen>/<ab>/<image>.safetensors`.
pub struct FeaturesCache {
    dir: PathBuf,
    older: Vec<PathBuf>,
    hits: usize,
}

impl FeaturesCache {
    /// Opens or creates the cache for one frozen part.
    ///
    /// # Errors
    /// A folder that cannot be made or listed.
    pub fn open(dir: &Path, identity: &Identity) -> Result<Self> {
        let own = dir.join(format!("{VERSION}{}", identity.frozen_sha256));
        std::fs::create_dir_all(&own).map_err(Error::io(&own))?;
        let mut older = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(Error::io(dir))? {
            let path = entry.map_err(Error::io(dir))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let hash = name.strip_prefix("v2-").unwrap_or(&name);
            if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                older.push(path);
            }
        }
        Ok(Self { dir: own, older, hits: 0 })
    }

    /// Images found so far.
    pub fn hits(&self) -> usize {
        self.hits
    }

    /// Folders of features that an older version of the program left here. They are not read and may be deleted.
    pub fn older(&self) -> &[PathBuf] {
        &self.older
    }

    fn path(&self, image: &str) -> PathBuf {
        self.dir.join(&image[..image.len().min(2)]).join(format!("{image}.safetensors"))
    }

    /// Whether there is a file for the image with this hash.
    pub fn has(&self, image: &str) -> bool {
        self.path(image).is_file()
    }

    /// Query outputs [1, queries, hidden] of the image with this hash. A damaged file counts as absent.
    pub fn get(&mut self, image: &str) -> Option<Tensor> {
        let found = std::fs::read(self.path(image)).ok().and_then(|bytes| parse(&bytes));
        self.hits += usize::from(found.is_some());
        found
    }

    /// Keeps them; appears whole or not at all.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub fn put(&self, image: &str, queries: &Tensor) -> Result<()> {
        let path = self.path(image);
        let dir = path.parent().unwrap_or(&self.dir);
        std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
        let queries = queries.to_dtype(DType::F32)?.to_device(&Device::Cpu)?;
        let bytes = safetensors::serialize([(TENSOR, &queries)], None)
            .map_err(|e| Error::Io { path: path.clone(), source: std::io::Error::other(e) })?;
        Ok(file::write(&path, &bytes)?)
    }
}

fn parse(bytes: &[u8]) -> Option<Tensor> {
    let view = SafeTensors::deserialize(bytes).ok()?;
    let tensor = view.tensor(TENSOR).ok()?;
    let dtype = (tensor.dtype() == safetensors::Dtype::F32).then_some(DType::F32)?;
    let is_finite = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes).is_finite();
    let whole = tensor.data().as_chunks().0.iter().all(is_finite);
    whole.then(|| Tensor::from_raw_buffer(tensor.data(), dtype, tensor.shape(), &Device::Cpu))?.ok()
}
