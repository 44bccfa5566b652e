//! The results of `fgd compare`: several systems on the same images.

use serde::{Deserialize, Serialize};

use super::{CaptionResults, CheckpointInfo, Mark, Measure, ScoreResults};

/// Systems side by side, and what can be said about their differences.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CompareResults {
    /// Images that every system was scored on; 0 (null in JSON) where moments do not tell.
    #[serde(with = "super::count")]
    pub n: u64,
    /// Reference captions they were scored against, likewise.
    #[serde(with = "super::count")]
    pub references: u64,
    /// The systems, in the order they were given; the first is the baseline.
    pub systems: Vec<System>,
    /// Differences of pairs of systems, by metric.
    pub differences: Vec<Difference>,
    /// The images on which the systems differ most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contrasts: Vec<Contrast>,
    /// The conditions that were asked for with `--gate`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
}

/// The setting that says of a comparison that it chooses among settings of one captioner.
pub const GRID: &str = "grid";

/// The level of the tests: what has a p-value below it, after Holm's correction, is not held for chance.
pub const LEVEL: f64 = 0.05;

impl CompareResults {
    /// Which system to take: the best of those whose `fgd_paired` is lower than the first one's beyond chance, else the first.
    pub fn choice(&self) -> String {
        let first = self.systems.first().map_or("the first", |system| system.name.as_str());
        let beats = self.differences.iter().filter(|difference| {
            difference.metric == "fgd_paired"
                && difference.is_beyond_chance() == Some(true)
                && difference.estimate.value.is_some_and(|value| value < 0.0)
        });
        let value = |difference: &&Difference| difference.estimate.value.unwrap_or_default();
        match beats.min_by(|a, b| value(a).total_cmp(&value(b))) {
            Some(best) => format!(
                "take {}: fgd_paired {:+.4} against {first}, p {:.4} after Holm's correction; score it on other images",
                best.system,
                value(&best),
                best.p_holm.unwrap_or_default()
            ),
            None => format!("keep {first}: no other setting is better beyond chance"),
        }
    }
}

impl Difference {
    /// Whether the systems are told apart, by the p-value after Holm's correction where there is one; `None` without a test.
    pub fn is_beyond_chance(&self) -> Option<bool> {
        let (p, value) = (self.p_holm.or(self.p_value)?, self.estimate.value?);
        Some(p < LEVEL && value != 0.0)
    }
}

/// One system of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct System {
    /// What reports call it; unique within the record.
    pub name: String,
    /// The checkpoint that made its captions, where the job ran one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointInfo>,
    /// Its numbers.
    pub scores: ScoreResults,
    /// How its captioner ran, where the job ran one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captioning: Option<CaptionResults>,
}

/// How one system differs from another in one metric.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The metric, such as `fgd_paired`.
    pub metric: String,
    /// Whether a higher value is better; `None` where neither direction is.
    pub higher_is_better: Option<bool>,
    /// The system compared.
    pub system: String,
    /// The system it is compared with.
    pub versus: String,
    /// Value of `system` minus value of `versus`.
    pub estimate: Measure,
    /// How the interval and the test are to be taken; none where they hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// Two-sided p-value of the null hypothesis that both systems have the same value.
    pub p_value: Option<f64>,
    /// The p-value after Holm's correction over all differences tested together.
    pub p_holm: Option<f64>,
    /// The test behind the p-value, such as `sign-flip, 10000 draws`.
    pub test: String,
    /// Two-sided p-value of the null hypothesis that the two systems' captions are interchangeable, where that is another question
    /// (`fgd_set`): systems that are equally far in different directions are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_p_value: Option<f64>,
    /// Images on which `system` is better; `None` where the metric has no value per image.
    pub wins: Option<u64>,
    /// Images on which both are equal.
    pub ties: Option<u64>,
    /// Images on which `versus` is better.
    pub losses: Option<u64>,
    /// Smallest true difference that this many images or clusters show with 80% power at the 5% level; `None` where the test would find
    /// none, however large.
    pub minimum_detectable: Option<f64>,
    /// Images needed to show the estimated difference with that power.
    pub n_needed: Option<u64>,
    /// The same difference per group of images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<DifferenceSlice>,
}

/// A difference within one group of images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DifferenceSlice {
    /// The column that groups.
    pub column: String,
    /// The value of the column.
    pub value: String,
    /// Images in the group.
    pub n: u64,
    /// Value of `system` minus value of `versus`.
    pub estimate: Measure,
    /// How the interval is to be taken; none where it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
}

/// An image on which the systems differ.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Contrast {
    /// The image.
    pub image_id: String,
    /// Its references.
    pub references: Vec<String>,
    /// What each system wrote, in the order of the systems.
    pub captions: Vec<ContrastCaption>,
    /// Base64 of a small JPEG of the image, where images were at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_jpeg: Option<String>,
}

/// One system's caption of an image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ContrastCaption {
    /// The system.
    pub system: String,
    /// Its caption.
    pub caption: String,
    /// Squared distance to the references of the image.
    pub distance: Option<f64>,
}

/// A condition on the results.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The condition as it was given.
    pub condition: String,
    /// Whether it holds; `None` where it could not be decided.
    pub passed: Option<bool>,
    /// What was compared with what, in words.
    pub explanation: String,
}
