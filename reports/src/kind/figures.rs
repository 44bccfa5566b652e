//! Pictures of scores: distances with their intervals, what they are made of, and differences.

use fgd_record::{Difference, Measure, ScoreResults, Slice, Standing};

use super::columns::Further;
use super::differences;
use crate::document::number::{ROUNDING, percent, value};
use crate::document::{Axis, Figure, Interval, Plot, Series, grouped, visible};

/// A picture shows at most this many rows; the table beside it has all.
const MOST_ROWS: usize = 30;
/// Names beside points stand apart up to this many.
const MOST_POINTS: usize = 12;
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
        spread(&systems),
        scatter(&systems),
    ];
    figures.into_iter().flatten().collect()
}

/// How the distances of single captions are spread, per system.
fn spread(systems: &[(String, &ScoreResults)]) -> Option<Figure> {
    let of = |(name, scores): &(String, &ScoreResults)| {
        Some((name.clone(), scores.distances.as_ref()?.quantiles))
    };
    let rows: Vec<_> = systems.iter().filter_map(of).take(MOST_ROWS).collect();
    let caption =
        "Boxes hold the middle half of the captions with their median, lines reach from 5% to 95%.";
    let axis = "squared distance of a caption to its reference".to_owned();
    let plot = Plot::Spread { rows, axis };
    let is_empty = matches!(&plot, Plot::Spread { rows, .. } if rows.is_empty());
    (!is_empty).then(|| Figure::new("Distances of single captions", caption, plot))
}

/// Two metrics of three systems or more: the paired distance beside the first metric of another kind.
fn scatter(systems: &[(String, &ScoreResults)]) -> Option<Figure> {
    let (_, first) = systems.first()?;
    let further = first.metrics.iter().find(|(_, metric)| metric.measure.value.is_some());
    let (name, label) = match further {
        Some((name, metric)) => (Some(name), metric.label.as_str()),
        None => (None, "fgd_set, bias removed"),
    };
    let other = |scores: &ScoreResults| match name {
        Some(name) => scores.metrics.get(name)?.measure.value,
        None => scores.fgd_set.without_bias().value,
    };
    let point = |(system, scores): &(String, &ScoreResults)| {
        Some(Series {
            name: system.clone(),
            points: vec![(scores.fgd_paired.value?, other(scores)?)],
            line: false,
        })
    };
    let series: Vec<Series> = systems.iter().filter_map(point).take(MOST_POINTS).collect();
    if series.len() < 3 {
        return None;
    }
    let caption = "Each point is a system; where two metrics agree, the points lie along a line.";
    let plot = Plot::Curves { series, x: Axis::linear("fgd_paired"), y: Axis::linear(label) };
    Some(Figure::new(&format!("fgd_paired and {label}"), caption, plot))
}

/// How the two parts of a split rank the submissions.
pub fn shake_up(standings: &[Standing]) -> Option<Figure> {
    let of = |standing: &Standing| {
        let ranks = [standing.public_rank?, standing.private_rank?];
        Some((visible(&standing.name), ranks))
    };
    let rows: Vec<_> = standings.iter().filter_map(of).take(MOST_ROWS).collect();
    let moved = rows.iter().filter(|(_, [public, private])| public != private).count();
    let caption =
        format!("{moved} of {} submissions have another rank on the private images.", rows.len());
    let names = [fgd_record::PUBLIC.to_owned(), fgd_record::PRIVATE.to_owned()];
    (!rows.is_empty()).then(|| Figure::new("Shake-up", caption, Plot::Ranks { names, rows }))
}

/// The paired distance per group.
pub fn slice(slice: &Slice) -> Option<Figure> {
    let rows = slice.parts.iter().map(|part| row(&part.value, &part.results.fgd_paired));
    intervals(&format!("fgd_paired by {}", slice.column), LOWER, false, rows)
}

/// Differences, one picture per metric.
pub fn differences(
    differences: &[Difference],
    further: &Further<'_>,
) -> impl Iterator<Item = Figure> {
    let by_metric = grouped(differences.iter().map(|d| (&d.metric, d)));
    by_metric.into_iter().filter_map(|(_, differences)| {
        let rows = differences.iter().map(|d| {
            let row = row(&format!("{} − {}", d.system, d.versus), &d.estimate)?;
            Some(Interval { text: differences::size(d, &d.estimate, further), ..row })
        });
        let axis = match differences[0].higher_is_better {
            Some(true) => "Right of zero: the first system is better",
            Some(false) => "Left of zero: the first system is better",
            None => "Zero: no difference",
        };
        let metric = differences::name(differences[0], further);
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
            if sum <= ROUNDING {
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
    let names = ["mean shift", "covariance", "misalignment"].map(str::to_owned);
    let title = "What fgd_paired is made of";
    Some(Figure::new(title, caption, Plot::Parts { names, rows }))
}
