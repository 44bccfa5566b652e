//! What this program needs to know of a folder of buckets.

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::storage::Folder;

/// The name of its file.
pub const MANIFEST: &str = "pairs.json";
const VERSION: u32 = 1;

/// What a folder of buckets holds.
#[derive(Debug, Deserialize)]
pub struct Manifest {
    version: u32,
    /// Images in all.
    pub pairs: u64,
    /// Images of every bucket.
    pub buckets: Vec<u64>,
    references: Option<u64>,
    sources: Sources,
    #[serde(default)]
    others: Vec<Sources>,
}

#[derive(Debug, Deserialize)]
struct Sources {
    inputs: Vec<Input>,
    slice: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Input {
    name: String,
}

impl Manifest {
    /// Reads that of a folder; with its bytes.
    pub async fn read(folder: &Folder, place: &str) -> anyhow::Result<(Self, Vec<u8>)> {
        let bytes = folder.read(MANIFEST).await?.with_context(|| {
            format!("{place}: holds no {MANIFEST}; `fgd-cluster prepare` writes such a folder")
        })?;
        let manifest: Self =
            serde_json::from_slice(&bytes).with_context(|| format!("{place}/{MANIFEST}"))?;
        if manifest.version != VERSION {
            bail!(
                "{place}: version {} of buckets, and this program knows {VERSION}",
                manifest.version
            );
        }
        Ok((manifest, bytes))
    }

    /// Submissions.
    pub fn systems(&self) -> usize {
        1 + self.others.len()
    }

    /// References in all.
    pub fn references(&self) -> u64 {
        self.references.unwrap_or(self.pairs)
    }

    /// Whether images have several references.
    pub fn has_several(&self) -> bool {
        self.references.is_some()
    }

    /// Columns that scores are sliced by.
    pub fn slices(&self) -> usize {
        self.sources.slice.len()
    }

    /// What the record of each submission is called.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let all = [&self.sources].into_iter().chain(&self.others).enumerate();
        all.map(|(system, sources)| match sources.inputs.first() {
            Some(input) => format!("{system:03}-{}.json", input.name),
            None => format!("{system:03}.json"),
        })
    }
}
