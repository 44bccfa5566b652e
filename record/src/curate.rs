//! The results of `fgd curate`: which captions are worth training on, and why the others are not.

use serde::{Deserialize, Serialize};

/// Captions to train on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CurateResults {
    /// Captions that were there.
    pub captions: u64,
    /// Captions that stay.
    pub kept: u64,
    /// Their images.
    pub images: u64,
    /// Captions by where they come from.
    pub sources: Vec<CurateSource>,
    /// Captions that go, by rule, in the order in which the rules are gone by.
    pub dropped: Vec<CurateRule>,
    /// Captions that stay unjudged, since the model says nothing of their images.
    pub unjudged: u64,
    /// Some of the captions that go, those of one rule together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<CurateExample>,
}

/// Captions that come from one place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CurateSource {
    /// `real`, or what the column `source` says.
    pub name: String,
    /// Captions that were there.
    pub captions: u64,
    /// Captions that stay.
    pub kept: u64,
}

/// What one rule did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CurateRule {
    /// `harmful`, `repeated`, `unlike` or `surplus`.
    pub rule: String,
    /// Captions that go by it.
    pub captions: u64,
}

/// A caption that goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CurateExample {
    /// The rule.
    pub rule: String,
    /// Its image.
    pub image_id: String,
    /// The caption.
    pub caption: String,
    /// Where it comes from.
    pub source: String,
    /// Why it goes.
    pub reason: String,
}
