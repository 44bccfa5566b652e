//! Pictures of scores: distances with their intervals, what they are made of, and differences.

use fgd_record::{Difference, Measure, ScoreResults, Slice};

use crate::document::number::{percent, signed, value};
use crate::document::{Figure, Interval, Plot, grouped, visible};

/// A picture shows at most this many rows; the table beside it has all.
const MOST_ROWS: usize = 30;
const LOWER: &str = "Lower is better";

fn row(label: &str, measure: &Measure) -> Option<Interval> {
    Some(Interval {
        label: visible(label),
        text: value(measure.value, measure.se),
        value: measure.value?,
        interval: measure.interval(),
    })
}

/// Values with their intervals; `None` where there are none. Differences are shown beside zero.
fn intervals(
    title: &str,
    axis: &str,
    with_zero: bool,
    rows: impl IntoIterator<Item = Option<Interval>>,
) -> Option<Figure> {
    let mut rows: Vec<Interval> = rows.into_iter().flatten().collect();
    let rest = match rows.len() {
        0 => return None,
        all if all > MOST_ROWS => format!(" The first {MOST_ROWS} of {all}."),
        _ => String::new(),
    };
    rows.truncate(MOST_ROWS);
    let caption = format!("Points are values, lines their 95% intervals.{rest}");
    let axis = axis.to_string();
    Some(Figure::new(title, caption, Plot::Intervals { rows, with_zero, axis }))
}

/// The distances of one system.
pub fn distances(results: &ScoreResults) -> Option<Figure> {
    let infinity = results.fgd_infinity.as_ref().map(|i| &i.value);
    let rows = [
        row("fgd_paired", &results.fgd_paired),
        row("fgd_set, bias removed", &results.fgd_set.without_bias()),
        infinity.and_then(|measure| row("fgd_infinity", measure)),
    ];
    intervals("Distances", LOWER, false, rows)
}

/// The distances of several systems, and what the paired one is made of.
pub fn systems<'a>(systems: impl Iterator<Item = (&'a str, &'a ScoreResults)>) -> Vec<Figure> {
    let systems: Vec<(String, &ScoreResults)> =
        systems.map(|(name, scores)| (visible(name), scores)).collect();
    let paired = systems.iter().map(|(name, scores)| row(name, &scores.fgd_paired));
    let set = systems.iter().map(|(name, scores)| row(name, &scores.fgd_set.without_bias()));
    let figures = [
        intervals("fgd_paired", LOWER, false, paired),
        intervals("fgd_set, bias removed", LOWER, false, set),
        parts(&systems),
    ];
    figures.into_iter().flatten().collect()
}

/// The paired distance per group.
pub fn slice(slice: &Slice) -> Option<Figure> {
    let rows = slice.parts.iter().map(|part| row(&part.value, &part.results.fgd_paired));
    intervals(&format!("fgd_paired by {}", slice.column), LOWER, false, rows)
}

/// Differences, one picture per metric.
pub fn differences(differences: &[Difference]) -> impl Iterator<Item = Figure> {
    let by_metric = grouped(differences.iter().map(|d| (&d.metric, d)));
    by_metric.into_iter().filter_map(|(metric, differences)| {
        let rows = differences.iter().map(|d| {
            let row = row(&format!("{} − {}", d.system, d.versus), &d.estimate)?;
            let text = signed(d.estimate.value, d.estimate.se);
            Some(Interval { text, ..row })
        });
        let axis = match differences[0].higher_is_better {
            Some(true) => "Right of zero: the first system is better",
            Some(false) => "Left of zero: the first system is better",
            None => "Zero: no difference",
        };
        intervals(&format!("Differences in {metric}"), axis, true, rows)
    })
}

/// What the paired distance of each system is made of.
pub fn parts(systems: &[(String, &ScoreResults)]) -> Option<Figure> {
    let parts = systems.iter().filter_map(|(name, scores)| {
        let d = scores.decomposition?;
        let parts = [d.mean_shift, d.covariance, d.misalignment];
        Some((name.clone(), parts.map(|part| part.max(0.0))))
    });
    let mut rows: Vec<(String, [f64; 3])> = parts.collect();
    let caption = match rows.as_slice() {
        [] => return None,
        [(_, parts)] => {
            let sum: f64 = parts.iter().sum();
            if sum <= 0.0 {
                return None;
            }
            let [mean, covariance, misalignment] = parts.map(|part| percent(part / sum));
            format!(
                "fgd_paired is {mean} mean shift, {covariance} covariance and {misalignment} misalignment."
            )
        }
        all if all.len() > MOST_ROWS => format!("The first {MOST_ROWS} of {} systems.", all.len()),
        _ => "Mean shift, covariance and misalignment add up to fgd_paired.".to_string(),
    };
    rows.truncate(MOST_ROWS);
    let names = super::set::PARTS.map(|part| part.name.to_string());
    let title = "What fgd_paired is made of";
    Some(Figure::new(title, caption, Plot::Parts { names, rows }))
}
