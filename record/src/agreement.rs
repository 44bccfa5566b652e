//! The results of `fgd agreement`: metrics of single captions beside judgements of people.

use serde::{Deserialize, Serialize};

use super::Measure;

/// How well metrics agree with people.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgreementResults {
    /// Images with judged captions.
    pub images: u64,
    /// Judged captions.
    pub captions: u64,
    /// Judgements.
    pub judgements: u64,
    /// Captions that were left out since they are a reference of their image.
    pub left_out: u64,
    /// The columns that hold the judgements.
    pub ratings: Vec<String>,
    /// The metrics, in the order of the table of metrics.
    pub metrics: Vec<MetricAgreement>,
}

/// How well one metric agrees with people.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricAgreement {
    /// Its name, such as `fgd_paired`.
    pub metric: String,
    /// What to call it in a table.
    pub label: String,
    /// Kendall's τ-b between the metric, turned so that higher is better, and the judgements.
    pub tau_b: Measure,
    /// Kendall's τ-c.
    pub tau_c: Measure,
    /// Share of pairs of captions of one image that the metric puts in the order of people.
    pub accuracy: Measure,
    /// τ-c of the first metric less that of this one; `None` for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind_first: Option<Measure>,
    /// Two-sided p-value of that difference after Holm's correction over the metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_holm: Option<f64>,
}
