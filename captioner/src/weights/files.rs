//! Safetensors files, memory-mapped: one file, or shards listed by an index.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fgd_store::digest::Digest;
use fgd_store::hub;
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use super::adapter::TENSORS;
use crate::error::{Error, Result};
use crate::json::read_json;

const SINGLE: &str = "model.safetensors";
/// How a file begins that Git LFS has not fetched.
const LFS_POINTER: &[u8] = b"version https://git-lfs";
const INDEX: &str = "model.safetensors.index.json";

/// Where one tensor lies.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Element type on disk.
    pub dtype: Dtype,
    /// Shape, outermost dimension first.
    pub shape: Vec<usize>,
    pub(super) map: Arc<Mmap>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Entry {
    /// The tensor's bytes: little-endian, row-major.
    pub fn bytes(&self) -> &[u8] {
        &self.map[self.start..self.end]
    }

    /// Whether no number is NaN or infinite, as all exponent bits set would say. Tensors that hold no floating-point numbers of
    /// 16 or 32 bits are taken for finite.
    pub fn is_finite(&self) -> bool {
        let exponent = match self.dtype {
            Dtype::F32 => return all_finite::<4>(self.bytes(), u32::from_le_bytes, 0x7f80_0000),
            Dtype::F16 => 0x7c00,
            Dtype::BF16 => 0x7f80,
            _ => return true,
        };
        all_finite::<2>(self.bytes(), |b| u32::from(u16::from_le_bytes(b)), exponent)
    }

    /// Lets the system take the tensor's pages back; they are read again from the file when touched.
    pub fn release(&self) {
        #[cfg(unix)]
        // SAFETY: the map is read-only and backed by its file, so dropped pages come back with the same bytes. Advice is
        // advice: a refusal changes nothing.
        unsafe {
            let advice = memmap2::UncheckedAdvice::DontNeed;
            let _ = self.map.unchecked_advise_range(advice, self.start, self.end - self.start);
        }
    }
}

/// Whether no number of `N` bytes has all bits of `exponent` set.
fn all_finite<const N: usize>(bytes: &[u8], bits: impl Fn([u8; N]) -> u32, exponent: u32) -> bool {
    // Without an early end in the loop over a block it is done in vectors.
    bytes.chunks(4096).all(|block| {
        let numbers = block.as_chunks::<N>().0.iter();
        numbers.fold(true, |finite, number| finite & (bits(*number) & exponent != exponent))
    })
}

/// The tensors of a checkpoint by name, whichever shard holds them.
pub struct TensorFiles {
    paths: Vec<PathBuf>,
    metadata: BTreeMap<String, String>,
    entries: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl TensorFiles {
    /// Opens a checkpoint directory: the shards of `model.safetensors.index.json`, else `model.safetensors`.
    ///
    /// # Errors
    /// No safetensors files, or only some of the shards.
    pub fn open_dir(dir: &Path) -> Result<Self> {
        let index_path = dir.join(INDEX);
        if index_path.exists() {
            return Self::open_index(dir, &index_path);
        }
        let single = dir.join(SINGLE);
        if single.exists() {
            return Self::open(&[single]);
        }
        let reason = if dir.join(TENSORS).exists() {
            "this directory holds a LoRA adapter only; give the base checkpoint with --checkpoint and this with --adapter".into()
        } else {
            let advice = hub::pickle_advice(dir, hub::Kind::Checkpoint).unwrap_or_default();
            format!("no {SINGLE} and no {INDEX}{advice}")
        };
        Err(Error::checkpoint(dir, reason))
    }

    fn open_index(dir: &Path, index_path: &Path) -> Result<Self> {
        let index: Index = read_json(index_path)?;
        let mut shards: Vec<&str> = index.weight_map.values().map(String::as_str).collect();
        shards.sort_unstable();
        shards.dedup();
        if let Some(bad) = shards.iter().find(|s| Path::new(s).file_name() != Some(s.as_ref())) {
            return Err(Error::checkpoint(
                index_path,
                format!("shard name {bad:?} is not a plain file name"),
            ));
        }
        if shards.is_empty() {
            return Err(Error::checkpoint(index_path, "lists no shard"));
        }
        let absent: Vec<&str> = shards.iter().copied().filter(|s| !dir.join(s).exists()).collect();
        if !absent.is_empty() {
            let reason = format!(
                "{} of {} shards are not here: {}",
                absent.len(),
                shards.len(),
                absent.join(", ")
            );
            return Err(Error::checkpoint(dir, reason));
        }
        let paths: Vec<PathBuf> = shards.iter().map(|s| dir.join(s)).collect();
        Self::open(&paths)
    }

    /// Maps the given files; a tensor name must not occur twice.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or has a tensor that another one has.
    pub fn open(paths: &[PathBuf]) -> Result<Self> {
        let (mut entries, mut metadata) = (BTreeMap::new(), BTreeMap::new());
        for path in paths {
            for (name, entry) in map_file(path, &mut metadata)? {
                if entries.insert(name.clone(), entry).is_some() {
                    return Err(Error::checkpoint(
                        path,
                        format!("tensor {name} is in another shard as well"),
                    ));
                }
            }
        }
        Ok(Self { paths: paths.to_vec(), metadata, entries })
    }

    /// No files at all.
    pub fn none() -> Self {
        Self { paths: Vec::new(), metadata: BTreeMap::new(), entries: BTreeMap::new() }
    }

    /// The tensor called `name`.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// What the files say of themselves under `key`.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The files, in the order they were opened.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Bytes of all tensors together.
    pub fn total_bytes(&self) -> u64 {
        self.entries.values().map(|e| (e.end - e.start) as u64).sum()
    }

    /// SHA-256 of every tensor, in parallel, and whether its numbers are numbers: the one time that every byte is read. The pages
    /// are given back.
    pub fn digests(&self) -> Digests {
        use rayon::prelude::*;
        let entries: Vec<(&String, &Entry)> = self.entries.iter().collect();
        let digest = |(name, entry): (&String, &Entry)| {
            let is_finite = entry.is_finite();
            let shape: Vec<String> = entry.shape.iter().map(usize::to_string).collect();
            let digest = Digest::new("tensor", 1)
                .field("type", entry.dtype.to_string())
                .field("shape", shape.join("x"))
                .field("bytes", entry.bytes())
                .finish();
            entry.release();
            (name.clone(), (digest, is_finite))
        };
        Digests(entries.into_par_iter().map(digest).collect())
    }
}

/// SHA-256 over type, shape and bytes of each tensor, by name, and whether all its numbers are finite.
pub struct Digests(BTreeMap<String, (String, bool)>);

impl Digests {
    /// One hash over the tensors that `keep` selects, in name order: the same for one file and for its shards.
    pub fn combine(&self, keep: impl Fn(&str) -> bool) -> String {
        self.0
            .iter()
            .filter(|(name, _)| keep(name))
            .fold(Digest::new("tensors", 1), |all, (name, (digest, _))| all.field(name, digest))
            .finish()
    }

    /// Names of tensors that hold NaN or infinite numbers.
    pub fn not_finite(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, (_, is_finite))| !is_finite).map(|(name, _)| name.as_str())
    }
}

/// The tensors of a file; what it says of itself goes to `said`.
fn map_file(path: &Path, said: &mut BTreeMap<String, String>) -> Result<Vec<(String, Entry)>> {
    let file = File::open(path).map_err(Error::io(path))?;
    // SAFETY: the map is read-only and private to this process. A checkpoint file that another process truncates while
    // it is mapped would raise SIGBUS; that hazard is inherent to mapping and accepted, as every safetensors reader does.
    let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path))?;
    if map.starts_with(LFS_POINTER) {
        let reason = "is a pointer of Git LFS, not the file that it stands for: run `git lfs pull` where it was cloned";
        return Err(Error::checkpoint(path, reason));
    }
    let broken = |e: safetensors::SafeTensorError| {
        Error::checkpoint(
            path,
            format!("truncated or corrupt safetensors file ({e}); put a whole copy in its place"),
        )
    };
    let map = Arc::new(map);
    let (header, metadata) = SafeTensors::read_metadata(&map).map_err(broken)?;
    said.extend(metadata.metadata().clone().unwrap_or_default());
    let data = header + size_of::<u64>();
    let tensors = metadata.tensors().into_iter();
    Ok(tensors
        .map(|(name, info)| {
            let (start, end) = info.data_offsets;
            let entry = Entry {
                dtype: info.dtype,
                shape: info.shape.clone(),
                map: map.clone(),
                start: data + start,
                end: data + end,
            };
            (name, entry)
        })
        .collect())
}
