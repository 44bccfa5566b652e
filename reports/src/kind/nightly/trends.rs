//! The pictures of a history: each series over time, with its band and the places where its level changed.

use fgd_record::{NightlyFinding, Trend};

use crate::document::number::{change, day, followed};
use crate::document::{Cell, Figure, Plot, Table, Tone, visible};

/// Nights of a figure that are drawn beside it.
const DRAWN: usize = 60;

/// The last values of a figure, for the small picture beside it.
pub fn values(trends: &[Trend], finding: &NightlyFinding) -> Vec<Option<f64>> {
    let is_of = |trend: &&Trend| trend.system == finding.system && trend.metric == finding.metric;
    let Some(trend) = trends.iter().find(is_of) else { return Vec::new() };
    let skipped = trend.points.len().saturating_sub(DRAWN);
    trend.points[skipped..].iter().map(|point| point.value).collect()
}

/// The picture of a trend.
pub fn figure(trend: &Trend) -> Figure {
    let last = trend.points.iter().rev().find_map(|point| point.value);
    let better = match trend.higher_is_better {
        Some(true) => " Higher is better.",
        Some(false) => " Lower is better.",
        None => "",
    };
    let caption = format!(
        "Last {} over {} nights; {}.{better} {}.",
        followed(last, &trend.unit),
        trend.nights,
        visible(&changes(trend)),
        visible(&trend.setting)
    );
    let nights = trend.changes.iter().map(|change| change.night.clone());
    let plot = Plot::Trend {
        points: trend.points.clone(),
        changes: nights.collect(),
        unit: visible(&trend.unit),
    };
    Figure {
        numbers: (!trend.changes.is_empty()).then(|| changes_of_level(trend)),
        ..Figure::new(&trend.metric, caption, plot)
    }
}

/// How often the level changed, and how it did last.
fn changes(trend: &Trend) -> String {
    let Some(last) = trend.changes.last() else {
        return "no change of level is known".into();
    };
    let times = match trend.changes.len() {
        1 => "once".into(),
        times => format!("{times} times, last"),
    };
    let accepted = match (&last.acceptance, last.accepted) {
        (Some(acceptance), _) => format!("accepted {acceptance}"),
        (None, true) => "accepted".into(),
        (None, false) => "not accepted".into(),
    };
    let (night, by) = (day(&last.night), change(last.change));
    format!("the level changed {times} with the night of {night}: {by}, {accepted}")
}

fn changes_of_level(trend: &Trend) -> Table {
    Table::of("Changes of level", &trend.changes)
        .text("since", |level| day(&level.night))
        .text("commit", |level| {
            let commit = level.commit.as_deref().unwrap_or("unknown");
            commit.get(..12).unwrap_or(commit)
        })
        .text("machine", |level| &level.host)
        .number("change", |level| Cell::new(change(level.change), Some(level.change)))
        .text("accepted", |level| match &level.acceptance {
            Some(acceptance) => Cell::from(acceptance.to_string()),
            None => Cell::from(if level.accepted { "yes" } else { "no" }).tone(Tone::Dim),
        })
        .into()
}
