//! The results of `fgd select` and `fgd ensemble`: one of several captions of each image, and what the choice is worth.

use serde::{Deserialize, Serialize};

use super::{CompareResults, Measure};

/// One caption for each image, out of several.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SelectResults {
    /// How the captions were chosen: `mbr`, `mbr-weighted`, `medoid`, `logprob` or `oracle`.
    pub by: String,
    /// The metric of a medoid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Images, each of which has one caption now.
    pub images: u64,
    /// Captions that could be chosen.
    pub candidates: u64,
    /// Where they come from.
    pub sources: Vec<SelectSource>,
    /// Mean cosine of two captions of an image: how much they agree.
    pub agreement: Measure,
    /// Share of the images all of whose captions are the same text; `None` where no image has two.
    pub identical: Option<f64>,
    /// The chosen captions beside each source's own, where there are references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<CompareResults>,
    /// `fgd_paired` of the best candidate of each image, which no choice passes; known where there are references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oracle: Option<Measure>,
    /// The same by an encoder that had no part in the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<Judged>,
    /// What a reader must know before quoting the numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A file of captions that could be chosen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SelectSource {
    /// What reports call it.
    pub name: String,
    /// Its captions.
    pub captions: u64,
    /// Images that it has a caption of.
    pub images: u64,
    /// Images whose caption is now one of its.
    pub chosen: u64,
    /// How much it was listened to, where that was learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
}

/// Numbers by a second encoder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The encoder.
    pub encoder: String,
    /// The chosen captions beside each source's own.
    pub quality: CompareResults,
}
