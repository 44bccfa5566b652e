//! The rule of `fgd nightly` and its two rivals, as things that say each night whether to raise the alarm.

use fgd_metrics::series::{Finding, Rule, Run, is_suspicious, judge};

use super::simulate::Series;

/// The nights on which `fgd nightly` says "regressed". Nobody accepts or mends anything.
pub fn nightly(series: &Series, rule: &Rule) -> Vec<bool> {
    let mut runs: Vec<Run> = Vec::new();
    let mut alarms = Vec::new();
    for [first, second] in &series.nights {
        let value = if is_suspicious(&runs, *first, 0, rule) { first.min(*second) } else { *first };
        let judgement = judge(&runs, value, 0, rule);
        alarms.push(judgement.finding == Finding::Regressed);
        let standing = judgement.standing;
        runs.push(Run { value, standing });
    }
    alarms
}

/// The nights that are worse than the night before by this share, as many dashboards have it.
#[allow(dead_code, reason = "the test of the rule has no use for its rivals")]
pub fn ratio_to_last(series: &Series, share: f64) -> Vec<bool> {
    let first = |night: usize| series.nights[night][0];
    (0..series.nights.len())
        .map(|night| night > 0 && first(night) - first(night - 1) > (1.0 + share).ln())
        .collect()
}
