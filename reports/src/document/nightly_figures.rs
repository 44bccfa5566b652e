//! The pictures of a history: each series over time, with its band and the places where its level changed.

use super::nightly::{day, figure};
use super::{Cell, Column, Figure, Plot, Table, Tone, visible};
use fgd_record::{Trend, TrendChange};

/// One picture per trend.
pub fn trends(trends: &[&Trend]) -> Vec<Figure> {
    trends.iter().map(|trend| trend_figure(trend)).collect()
}

fn trend_figure(trend: &Trend) -> Figure {
    let last = trend.points.iter().rev().find_map(|point| point.value);
    let better = match trend.higher_is_better {
        Some(true) => " Higher is better.",
        Some(false) => " Lower is better.",
        None => "",
    };
    let changes = match trend.changes.len() {
        0 => "the level has not changed".into(),
        1 => "the level changed once".to_string(),
        n => format!("the level changed {n} times"),
    };
    Figure {
        title: visible(&trend.metric),
        caption: format!(
            "Last {} over {} nights; {changes}.{better} {}.",
            figure(last, &trend.unit),
            trend.nights,
            visible(&trend.setting)
        ),
        plot: Plot::Trend {
            points: trend.points.clone(),
            changes: trend
                .changes
                .iter()
                .map(|change| change.night.clone())
                .collect(),
            unit: visible(&trend.unit),
        },
        numbers: changes_table(&trend.changes),
    }
}

fn changes_table(changes: &[TrendChange]) -> Option<Table> {
    if changes.is_empty() {
        return None;
    }
    let columns = ["since", "commit", "machine"].map(Column::text).into_iter();
    let columns = columns
        .chain([Column::number("change"), Column::text("accepted")])
        .collect();
    let mut table = Table::new("Changes of level", columns);
    for change in changes {
        let commit = change.commit.as_deref().unwrap_or("unknown");
        table.rows.push(vec![
            Cell::text(&day(&change.night)),
            Cell::text(commit.get(..12).unwrap_or(commit)),
            Cell::text(&change.host),
            Cell::number(
                format!("{:+.1}%", 100.0 * change.change),
                Some(change.change),
            ),
            Cell::text(if change.accepted { "yes" } else { "no" }).tone(Tone::Dim),
        ]);
    }
    Some(table)
}
