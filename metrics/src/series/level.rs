//! The level of a series and how far an ordinary run may lie off it.

use super::{Rule, Run, Standing};

/// Makes the median absolute deviation an estimate of a normal distribution's standard deviation.
const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;
/// Share of the baseline's runs that a suspicious one lies beyond.
const RARE: f64 = 0.95;

/// What ordinary runs look like. All in units of the series: logarithms of costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// Median of the accepted runs of the current level.
    pub level: f64,
    /// Robust standard deviation of accepted runs around the median of their own level.
    pub sigma: f64,
    /// How far above the level a run is still ordinary.
    pub above: f64,
    /// How far below the level a run is still ordinary.
    pub below: f64,
    /// How far above its level the worst of these runs lay.
    pub furthest: f64,
    /// Accepted runs behind the level.
    pub at_level: usize,
    /// Accepted runs behind the deviations.
    pub runs: usize,
}

/// The baseline of a series whose current level began at run `from`; `None` without enough accepted runs.
///
/// Nights that were suspicious just before tonight are left out: they are what tonight is to confirm. A suspicious night
/// that was followed by an ordinary one stays in, and makes the next one like it less remarkable.
pub fn baseline(runs: &[Run], from: usize, rule: &Rule) -> Option<Baseline> {
    let settled = (runs.iter()).rposition(|run| run.standing == Standing::Accepted)? + 1;
    let accepted = |runs: &[Run]| -> Vec<f64> {
        let ordinary = runs.iter().filter(|run| run.standing.is_of_the_level());
        ordinary.map(|run| run.value).collect()
    };
    let from = from.min(settled - 1);
    let current = accepted(&runs[from..settled]);
    let current = &current[current.len().saturating_sub(rule.window)..];
    let level = median(current)?;
    let mut residuals: Vec<f64> = current.iter().map(|value| value - level).collect();
    if residuals.len() < rule.window {
        // A new level has few runs; the spread of the one before it stands in.
        let before = accepted(&runs[..from]);
        let wanted = rule.window - residuals.len();
        let before = &before[before.len().saturating_sub(wanted)..];
        if let Some(center) = median(before) {
            residuals.extend(before.iter().map(|value| value - center));
        }
    }
    if residuals.len() < rule.min_runs {
        return None;
    }
    let deviations: Vec<f64> = residuals.iter().map(|r| r.abs()).collect();
    let sigma = MAD_TO_SIGMA * median(&deviations)?;
    // The variance of a median of n values is about π/2n of theirs: a level of few runs is itself uncertain.
    let uncertainty = (1.0 + std::f64::consts::FRAC_PI_2 / current.len() as f64).sqrt();
    let bound = (rule.deviations * sigma * uncertainty).max((1.0 + rule.floor).ln());
    residuals.sort_by(f64::total_cmp);
    let rare = (RARE * (residuals.len() - 1) as f64).round() as usize;
    Some(Baseline {
        level,
        sigma,
        above: bound.max(residuals[rare]),
        below: bound.max(-residuals[residuals.len() - 1 - rare]),
        furthest: residuals[residuals.len() - 1],
        at_level: current.len(),
        runs: residuals.len(),
    })
}

/// The median; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some(0.5 * (sorted[middle - 1] + sorted[middle])),
    }
}
