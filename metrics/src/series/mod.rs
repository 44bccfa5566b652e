//! Series of a figure over many nights: is tonight's an ordinary one, and when did the level change?
//!
//! Benchmarks on shared machines are noisy, and their noise is neither normal nor always of one piece: single nights
//! stand out, and some figures live on two levels (another memory layout, another core). So nothing here assumes a
//! distribution. Two detectors look at the same series:
//!
//! - [`judge()`] holds tonight's figure against the last accepted runs: beyond their median by several median absolute
//!   deviations, by a relative floor, *and* by more than nearly every one of those runs was, on two nights in a row
//!   (or once, if it is severe). It finds a large step at once.
//! - [`change_points`] looks for the place where the level changed, by the largest standardised rank sum
//!   (Pettitt 1979; Hawkins & Deng 2010). It finds a small step or a slow drift within some nights.
//!
//! Values are natural logarithms of costs (larger is worse), so that differences are relative changes.

mod change;
mod judge;
mod level;

pub use change::{ChangePoint, change_points};
pub use judge::{Finding, Judgement, Reason, is_suspicious, judge, segments};
pub use level::{Baseline, baseline, median};

/// How a series is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Accepted runs that make the baseline, at most.
    pub window: usize,
    /// Accepted runs without which nothing is said.
    pub min_runs: usize,
    /// Standard deviations (estimated as 1.4826 median absolute deviations) that a figure may lie off its level.
    pub deviations: f64,
    /// Relative change below which nothing counts, such as 0.03.
    pub floor: f64,
    /// Relative change that counts on its first night, such as 0.75.
    pub severe: f64,
    /// Smallest standardised rank sum of a change point.
    pub change_statistic: f64,
}

impl Default for Rule {
    /// What the simulation in `examples/nightly_simulation` was made with.
    fn default() -> Self {
        Self {
            window: 30,
            min_runs: 8,
            deviations: 2.0,
            floor: 0.03,
            severe: 0.75,
            change_statistic: 3.4,
        }
    }
}

/// How a run of the past stood when it was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// An ordinary run, or one of a level that was accepted.
    Accepted,
    /// Beyond the bound for one night.
    Suspicious,
    /// A regression that nobody has accepted.
    Regressed,
    /// Of something other than what is accepted, and not shown to differ from it: neither a level to hold others to nor beyond one.
    Unproven,
}

impl Standing {
    /// Whether such runs tell what ordinary ones look like.
    fn is_of_the_level(self) -> bool {
        matches!(self, Self::Accepted | Self::Suspicious)
    }

    /// Whether such a run lay beyond the bound.
    fn is_beyond(self) -> bool {
        matches!(self, Self::Suspicious | Self::Regressed)
    }
}

/// A run of the past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// Logarithm of its cost.
    pub value: f64,
    /// How it stood.
    pub standing: Standing,
}
