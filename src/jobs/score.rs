//! How good is one submission, and which captions hurt?

use super::options::{Encoding, Measuring, References};
use fgd_captions::ReadOptions;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What `fgd score` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Captions, `.npy` embeddings, or `.npz` moments.
    pub submission: PathBuf,
    /// The references.
    pub references: References,
    /// Compare the two sets as wholes; for references of other images.
    #[serde(default)]
    pub unpaired: bool,
    /// Show this many of the captions that hurt most.
    #[serde(default)]
    pub worst: usize,
    /// Write one row per image: `.csv`, `.parquet` or `.jsonl`.
    #[serde(default)]
    pub per_caption: Option<PathBuf>,
    /// How caption files are read.
    #[serde(default)]
    pub reading: ReadOptions,
    /// How captions are embedded.
    #[serde(default)]
    pub encoding: Encoding,
    /// Which numbers.
    #[serde(default)]
    pub measuring: Measuring,
}
