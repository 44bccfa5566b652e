//! Tonight's figure beside the runs of the past.

use super::change::levels;
use super::{Baseline, ChangePoint, Rule, Run, Standing, baseline, change_points};

/// Runs that change points are looked for in; older ones have been judged long ago.
const HORIZON: usize = 400;
/// An improvement is news for this many nights.
const NEWS: usize = 7;

/// What is said of tonight's figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Better than the level.
    Improved,
    /// An ordinary run, or one that stands out for the first night.
    Unchanged,
    /// Worse than the level, and it stays so.
    Regressed,
    /// Too few accepted runs.
    InsufficientHistory,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// It lies within the bounds.
    Ordinary,
    /// It lies beyond the bounds, for the first night.
    FirstNight,
    /// It lies beyond the bounds as the run before it did.
    TwoNights,
    /// It lies so far beyond the bounds, and so much further than any run before, that one night is enough.
    Severe,
    /// The level of the series has changed.
    LevelChanged(ChangePoint),
    /// There are this many accepted runs.
    TooFew(usize),
}

/// Tonight's figure, judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// What is said.
    pub finding: Finding,
    /// Why.
    pub reason: Reason,
    /// How the run stands from now on.
    pub standing: Standing,
    /// What ordinary runs look like; `None` with too few of them.
    pub baseline: Option<Baseline>,
    /// Relative change from the level, such as 0.1 for ten percent worse; `None` without a level.
    pub change: Option<f64>,
    /// Index of the run with which the regression began; tonight's is the number of past runs.
    pub since: Option<usize>,
}

/// Judges tonight's figure by the runs of the past, oldest first. `from` is the run with which the level began that
/// somebody accepted last, 0 if nobody did.
pub fn judge(runs: &[Run], tonight: f64, from: usize, rule: &Rule) -> Judgement {
    let from = from.min(runs.len()).max(runs.len().saturating_sub(HORIZON));
    let mut values: Vec<f64> = runs[from..].iter().map(|run| run.value).collect();
    values.push(tonight);
    let trend = segments(&values, rule);
    let mut judgement = Judgement {
        finding: Finding::InsufficientHistory,
        reason: Reason::TooFew(
            (runs.iter()).filter(|run| run.standing == Standing::Accepted).count(),
        ),
        standing: Standing::Accepted,
        baseline: baseline(runs, from + trend.level_from, rule),
        change: None,
        since: None,
    };
    let Some(base) = judgement.baseline else {
        return judgement;
    };
    let excess = tonight - base.level;
    judgement.change = Some(excess.exp_m1());
    let beyond = excess > base.above;
    let better = |value: f64| value < base.level - base.below;
    (judgement.finding, judgement.reason) = if let Some(worse) = trend.worse {
        (Finding::Regressed, Reason::LevelChanged(shifted(worse, from)))
    } else if beyond && runs.last().is_some_and(|run| run.standing.is_beyond()) {
        (Finding::Regressed, Reason::TwoNights)
    } else if beyond && excess > (1.0 + rule.severe).ln().max(2.0 * base.furthest) {
        (Finding::Regressed, Reason::Severe)
    } else if beyond {
        (Finding::Unchanged, Reason::FirstNight)
    } else if better(tonight) && runs.last().is_some_and(|run| better(run.value)) {
        (Finding::Improved, Reason::TwoNights)
    } else if let Some(change) = trend.better.filter(|c| values.len() - c.at <= NEWS) {
        (Finding::Improved, Reason::LevelChanged(shifted(change, from)))
    } else {
        (Finding::Unchanged, Reason::Ordinary)
    };
    judgement.standing = match (judgement.finding, judgement.reason) {
        (Finding::Regressed, _) => Standing::Regressed,
        (_, Reason::FirstNight) => Standing::Suspicious,
        _ => Standing::Accepted,
    };
    if judgement.finding == Finding::Regressed {
        judgement.since = Some(match judgement.reason {
            Reason::LevelChanged(change) => change.at,
            _ => 1 + (runs.iter()).rposition(|run| run.standing == Standing::Accepted).unwrap_or(0),
        });
    }
    judgement
}

/// Whether a figure is worth a second measurement before it counts.
pub fn is_suspicious(runs: &[Run], tonight: f64, from: usize, rule: &Rule) -> bool {
    let judgement = judge(runs, tonight, from, rule);
    let beyond = |base: Baseline| tonight - base.level > base.above;
    judgement.finding == Finding::Regressed || judgement.baseline.is_some_and(beyond)
}

fn shifted(change: ChangePoint, by: usize) -> ChangePoint {
    let at = change.at + by;
    ChangePoint { at, ..change }
}

/// What the change points of a series come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// The value with which the current good level began.
    pub level_from: usize,
    /// The change to a worse level that still lasts.
    pub worse: Option<ChangePoint>,
    /// The last change to a better level.
    pub better: Option<ChangePoint>,
}

/// Follows the level through its change points: a better level becomes the one to hold, a worse one does not. A change
/// below the floor moves nothing, so that many small ones add up and are found.
pub fn segments(values: &[f64], rule: &Rule) -> Trend {
    let changes = change_points(values, rule.change_statistic);
    let levels = levels(values, &changes);
    let floor = (1.0 + rule.floor).ln();
    let mut trend = Trend { level_from: 0, worse: None, better: None };
    let Some(&(_, mut held)) = levels.first() else {
        return trend;
    };
    for (change, &(start, level)) in changes.iter().zip(&levels[1..]) {
        if level - held <= -floor {
            held = level;
            trend.level_from = start;
            trend.better = Some(*change);
            trend.worse = None;
        } else if level - held >= floor {
            trend.worse = trend.worse.or(Some(*change));
        } else {
            trend.worse = None;
        }
    }
    trend
}
