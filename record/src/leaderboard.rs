//! The results of `fgd leaderboard`: many submissions, ranked.

use serde::{Deserialize, Serialize};

use super::{Difference, Finding, Measure, ScoreResults};

/// Submissions in the order of their rank.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LeaderboardResults {
    /// Images that every submission was scored on; those of the public part where the record shows only that.
    pub n: u64,
    /// Reference captions they were scored against.
    pub references: u64,
    /// The metric that ranks, such as `fgd_paired`.
    pub ranked_by: String,
    /// How the images were split in a public and a private part, where they were.
    pub split: Option<Split>,
    /// The ranked submissions, best first.
    pub standings: Vec<Standing>,
    /// Differences between submissions, at least between neighbours in rank.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Submissions that are not ranked, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejected>,
}

/// How the images were split in a public and a private part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Where the split comes from: `seed` or the name of a column.
    pub source: String,
    /// The seed, where it was drawn; `None` in a record of the public part, as the seed tells which images those are.
    pub seed: Option<u64>,
    /// Images of the public part.
    pub public: u64,
    /// Images of the private part.
    pub private: u64,
    /// Kendall's τ-b between the public and the private ranking; 1 means no shake-up.
    pub rank_correlation: Option<f64>,
}

/// A ranked submission.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// What reports call it; unique within the record.
    pub name: String,
    /// Its rank by value, from 1; equal values share a rank.
    pub rank: u64,
    /// Best and worst rank that its differences to the others leave open at the 95% level.
    pub rank_range: [u64; 2],
    /// Its numbers over all images.
    pub scores: ScoreResults,
    /// The ranking metric over the public part.
    pub public: Option<Measure>,
    /// The ranking metric over the private part.
    pub private: Option<Measure>,
    /// Rank on the public part.
    pub public_rank: Option<u64>,
    /// Rank on the private part.
    pub private_rank: Option<u64>,
    /// The key that all ranked submissions share, see [`super::Comparability`].
    pub comparability_key: String,
}

/// A submission that is not ranked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// What reports call it.
    pub name: String,
    /// Why, in a sentence.
    pub reason: String,
    /// What the captions' linter found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}
