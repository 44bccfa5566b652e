//! Many submissions, ranked with what their differences leave open.

pub mod rank;
mod ranks;
pub mod split;

use super::options::{Encoding, Measuring, Named, References};
use fgd_captions::ReadOptions;
use serde::{Deserialize, Serialize};

/// What `fgd leaderboard` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The submissions: files of captions, or `.npy` embeddings.
    pub submissions: Vec<Named>,
    /// The references.
    pub references: References,
    /// The references are of other images: rank by the distance of the sets.
    #[serde(default)]
    pub unpaired: bool,
    /// `public=SHARE`, or the column of the references that says Public or Private.
    #[serde(default)]
    pub split: Option<String>,
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
