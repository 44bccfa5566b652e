//! The results of `fgd score`: one system against references.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Measure, SetMeasure};

/// Whether candidates and references belong together image by image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pairing {
    /// Every candidate has the references of its own image.
    #[default]
    Paired,
    /// References of other images: only distances between the two sets have a meaning.
    Unpaired,
}

/// The numbers of one system.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreResults {
    /// Images scored, or candidate captions when unpaired; 0 (null in JSON) where moments do not tell.
    #[serde(with = "super::count")]
    pub n: u64,
    /// Reference captions they were scored against, likewise.
    #[serde(with = "super::count")]
    pub references: u64,
    /// Whether candidates and references belong together image by image.
    pub pairing: Pairing,
    /// Mean squared distance between a caption and its reference; lower is better.
    pub fgd_paired: Measure,
    /// Fréchet distance between the two sets; lower is better.
    pub fgd_set: SetMeasure,
    /// The three parts of `fgd_paired`; `None` when unpaired.
    pub decomposition: Option<Decomposition>,
    /// Mean cosine between a caption and its reference; higher is better.
    pub mean_cosine: Measure,
    /// The set distance at an infinite number of captions, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fgd_infinity: Option<Infinity>,
    /// Further metrics that were asked for, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Metric>,
    /// The same numbers per group of images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<Slice>,
    /// How the distances of single captions are spread; `None` when unpaired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distances: Option<Distribution>,
    /// How the influences of single captions on the set distance are spread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub influences: Option<Distribution>,
    /// What the captions look like as texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub texts: Option<TextStatistics>,
    /// The captions that hurt most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worst: Vec<WorstCaption>,
}

/// `fgd_paired` = mean shift + covariance + misalignment (covariances with ddof 0).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Decomposition {
    /// Squared distance between the two means: another style or subject on the whole.
    pub mean_shift: f64,
    /// Bures distance between the two covariances: less, or another kind of variety.
    pub covariance: f64,
    /// What remains: captions that fit the set but not their own image.
    pub misalignment: f64,
}

/// FGD∞: the intercept of a regression of the set distance on 1/N (Chong & Forsyth 2020).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Infinity {
    /// The distance extrapolated to an infinite number of captions, with its uncertainty.
    pub value: Measure,
    /// Growth of the distance per unit of 1/N; `None` without a line.
    pub slope: Option<f64>,
    /// Share of the variance that the line explains; `None` without a line.
    pub r2: Option<f64>,
    /// The points of the regression: N and the distance at N; none without a line.
    pub points: Vec<(u64, f64)>,
}

/// A further metric with its direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// The number with its uncertainty.
    #[serde(flatten)]
    pub measure: Measure,
    /// What to call it in a table.
    pub label: String,
    /// Whether a higher value is better; `None` where neither direction is.
    pub higher_is_better: Option<bool>,
    /// Whether it counts things, so that its value is whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_count: bool,
}

/// The numbers per group, for one way of grouping the images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// The column that groups.
    pub column: String,
    /// The groups, in the order of their names.
    pub parts: Vec<SlicePart>,
}

/// One group of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlicePart {
    /// The value of the column.
    pub value: String,
    /// Its numbers.
    pub results: ScoreResults,
}

/// A histogram with its quantiles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// The edges of the bins, one more than there are bins.
    pub edges: Vec<f64>,
    /// How many values fall into each bin.
    pub counts: Vec<u64>,
    /// Minimum, 5%, 25%, 50%, 75%, 95% and maximum.
    pub quantiles: [f64; 7],
}

/// What the captions look like as texts, beside their references.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextStatistics {
    /// Words per caption.
    pub lengths: Distribution,
    /// Words per reference, in the same bins.
    pub reference_lengths: Option<Distribution>,
    /// Share of the captions that are equal to another one.
    pub duplicates: f64,
    /// Share of the captions in which a word or phrase runs away.
    pub repetitive: f64,
}

/// A caption that hurts, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorstCaption {
    /// The image.
    pub image_id: String,
    /// The data row of the submission, counted from 1.
    pub row: u64,
    /// The caption.
    pub caption: String,
    /// Its references; empty when unpaired.
    pub references: Vec<String>,
    /// Squared distance to its references; `None` when unpaired.
    pub distance: Option<f64>,
    /// Influence on the set distance: how much it pushes the two sets apart.
    pub influence: Option<f64>,
    /// What the two numbers say together, in words.
    pub why: String,
}
