//! Several systems on the same images: do they differ, and where?

pub mod contrasts;
pub mod differences;
pub mod gate;

use super::caption::Captioning;
use super::options::{Encoding, Measuring, Named, References};
use fgd_captions::ReadOptions;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What `fgd compare` is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// The systems; the first is the baseline. A path is a file of captions, embeddings or moments, a saved record,
    /// or a checkpoint: a directory, a hub id, or `CHECKPOINT+ADAPTER`.
    pub systems: Vec<Named>,
    /// The references; only saved records do without.
    pub references: Option<References>,
    /// The images, for checkpoints and for thumbnails: a directory or a list.
    pub images: Option<PathBuf>,
    /// Where the paths of the list start; its own directory by default.
    pub image_root: Option<PathBuf>,
    /// Where checkpoints' captions, journals and records are kept: the same request goes on from there.
    pub work: PathBuf,
    /// Conditions that must hold, such as `fgd_paired<=base+0.002`.
    pub gate: Vec<String>,
    /// Show this many images on which the systems differ most.
    pub contrasts: usize,
    /// Bootstrap replicates behind every interval of a difference.
    pub replicates: usize,
    /// How checkpoints caption.
    pub captioning: Captioning,
    /// How caption files are read.
    pub reading: ReadOptions,
    /// How captions are embedded.
    pub encoding: Encoding,
    /// Which numbers.
    pub measuring: Measuring,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            systems: Vec::new(),
            references: None,
            images: None,
            image_root: None,
            work: "fgd-compare.work".into(),
            gate: Vec::new(),
            contrasts: 10,
            replicates: 1000,
            captioning: Captioning::default(),
            reading: ReadOptions::default(),
            encoding: Encoding::default(),
            measuring: Measuring::default(),
        }
    }
}
