//! A figure over all nights, small enough to draw.

use serde::{Deserialize, Serialize};

use super::nightly::Acceptance;

/// A series over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// The system or the benchmark.
    pub system: String,
    /// The metric or the benchmark's figure.
    pub metric: String,
    /// Unit of the figure, empty where it has none.
    pub unit: String,
    /// Whether a higher value is better; `None` where neither direction is.
    pub higher_is_better: Option<bool>,
    /// Machine, engine, number type and threads, where they are part of the key.
    pub setting: String,
    /// Nights behind the points.
    pub nights: u64,
    /// The points in order of time; where there are many nights, each stands for some of them.
    pub points: Vec<TrendPoint>,
    /// Where the level changed.
    pub changes: Vec<TrendChange>,
}

/// Some nights of a series.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrendPoint {
    /// The last of the nights.
    pub night: String,
    /// The value, or the median of the nights' values; `None` where none was measured.
    pub value: Option<f64>,
    /// Lowest and highest value of the nights.
    pub range: Option<[f64; 2]>,
    /// The band: interval of a quality, bounds of ordinary runs of a speed.
    pub band: Option<[f64; 2]>,
    /// Whether one of the nights stands as a regression.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub regressed: bool,
    /// Nights in which nothing was measured although it should have been.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A night with which a level began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrendChange {
    /// The night.
    pub night: String,
    /// Commit of the program in that night, where it is known.
    pub commit: Option<String>,
    /// Processor of that night.
    pub host: String,
    /// Relative change of the level.
    pub change: f64,
    /// Whether the new level was accepted.
    pub accepted: bool,
    /// When and why, where somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<Acceptance>,
}
