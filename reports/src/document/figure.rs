//! Which pictures a record has: the numbers of each, not its lines and colours.
//!
//! Drawing is the job of `charts`.

use super::number::{percent, signed, value};
use super::{Table, visible};
use fgd_record::{Difference, Measure, ScoreResults, Slice, TrendPoint};
use serde::Serialize;

/// A picture shows at most this many rows; the table beside it has all.
const MOST_ROWS: usize = 30;

/// A picture of numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What it shows, in a few words.
    pub title: String,
    /// The same in a sentence, with the numbers that matter.
    pub caption: String,
    /// The numbers.
    pub plot: Plot,
    /// The numbers as a table, where no table of the document has them.
    pub numbers: Option<Table>,
}

/// The numbers of a picture, by the kind of picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Plot {
    /// Values with their intervals, one row each.
    Intervals {
        /// The rows.
        rows: Vec<Interval>,
        /// Whether zero belongs into the picture, as for differences.
        with_zero: bool,
        /// What the axis counts.
        axis: String,
    },
    /// Sums with their parts, one row each.
    Parts {
        /// Names of the parts.
        names: [String; 3],
        /// The rows: a label and the three parts, none negative.
        rows: Vec<(String, [f64; 3])>,
    },
    /// How values are spread.
    Histogram {
        /// Edges of the bins, one more than there are bins.
        edges: Vec<f64>,
        /// Share of the values in each bin.
        shares: Vec<f64>,
        /// The same for the references.
        overlay: Option<Vec<f64>>,
        /// The median of the values.
        median: f64,
        /// What the axis counts.
        axis: String,
    },
    /// A line through points over 1/N.
    Extrapolation {
        /// N and the distance at N.
        points: Vec<(f64, f64)>,
        /// The distance at infinite N.
        intercept: f64,
        /// Its 95% interval.
        ci95: Option<[f64; 2]>,
        /// Growth per unit of 1/N.
        slope: f64,
    },
    /// Lines and points on two axes.
    Curves {
        /// What the lines and points are.
        series: Vec<Series>,
        /// The horizontal axis.
        x: Axis,
        /// The vertical axis.
        y: Axis,
    },
    /// A series over time.
    Trend {
        /// Its points.
        points: Vec<TrendPoint>,
        /// Nights with which a level began.
        changes: Vec<String>,
        /// Unit of the values.
        unit: String,
    },
}

/// Points that belong together, joined by a line or not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    /// What it is called, beside its last point.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
    /// Whether a line joins them; alone they are marked.
    pub line: bool,
}

/// One axis of a picture of curves.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Axis {
    /// What it counts.
    pub name: String,
    /// Whether it is logarithmic; its values are then above zero.
    pub logarithmic: bool,
    /// Values to name, with their names; the picture chooses where there are none.
    pub ticks: Vec<(f64, String)>,
}

/// A value with its interval, 95% where the picture says nothing else.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Interval {
    /// What the value belongs to.
    pub label: String,
    /// The value as tables show it.
    pub text: String,
    /// The value.
    pub value: f64,
    /// Its interval; `None` where it is not known.
    pub interval: Option<[f64; 2]>,
}

fn row(label: &str, measure: &Measure) -> Option<Interval> {
    Some(Interval {
        label: label.to_string(),
        text: value(measure.value, measure.se),
        value: measure.value?,
        interval: measure.ci95,
    })
}

fn intervals(title: &str, axis: &str, rows: Vec<Interval>) -> Option<Figure> {
    let all = rows.len();
    let rows: Vec<Interval> = rows.into_iter().take(MOST_ROWS).collect();
    if rows.is_empty() {
        return None;
    }
    let rest = if all > rows.len() {
        format!(" The first {} of {all}.", rows.len())
    } else {
        String::new()
    };
    Some(Figure {
        title: title.to_string(),
        caption: format!("Points are values, lines their 95% intervals.{rest}"),
        plot: Plot::Intervals {
            rows,
            with_zero: false,
            axis: axis.trim_end_matches('.').to_string(),
        },
        numbers: None,
    })
}

/// The distances of one system.
pub fn distances(results: &ScoreResults) -> Option<Figure> {
    let infinity = results.fgd_infinity.as_ref().map(|i| &i.value);
    let rows = [
        row("fgd_paired", &results.fgd_paired),
        row("fgd_set, bias removed", &results.fgd_set.without_bias()),
        infinity.and_then(|measure| row("fgd_infinity", measure)),
    ];
    let rows = rows.into_iter().flatten().collect();
    intervals("Distances", "Lower is better.", rows)
}

/// The paired distance of several systems.
pub fn paired(systems: &[(String, &ScoreResults)]) -> Option<Figure> {
    let rows = systems
        .iter()
        .filter_map(|(name, scores)| row(name, &scores.fgd_paired));
    intervals("fgd_paired", "Lower is better.", rows.collect())
}

/// The set distance of several systems.
pub fn set(systems: &[(String, &ScoreResults)]) -> Option<Figure> {
    let rows = systems
        .iter()
        .filter_map(|(name, scores)| row(name, &scores.fgd_set.without_bias()));
    intervals("fgd_set, bias removed", "Lower is better.", rows.collect())
}

/// The paired distance per group.
pub fn slice(slice: &Slice) -> Option<Figure> {
    let rows = slice
        .parts
        .iter()
        .filter_map(|part| row(&visible(&part.value), &part.results.fgd_paired));
    let title = format!("fgd_paired by {}", visible(&slice.column));
    intervals(&title, "Lower is better.", rows.collect())
}

/// Differences, one picture per metric.
pub fn differences(differences: &[Difference]) -> Vec<Figure> {
    let mut metrics: Vec<&str> = Vec::new();
    for difference in differences {
        if !metrics.contains(&difference.metric.as_str()) {
            metrics.push(&difference.metric);
        }
    }
    metrics
        .into_iter()
        .filter_map(|metric| difference_figure(metric, differences))
        .collect()
}

fn difference_figure(metric: &str, differences: &[Difference]) -> Option<Figure> {
    let of_metric: Vec<&Difference> = (differences.iter().filter(|d| d.metric == metric)).collect();
    let rows = of_metric.iter().filter_map(|d| {
        let label = visible(&format!("{} − {}", d.system, d.versus));
        let row = row(&label, &d.estimate)?;
        let text = signed(d.estimate.value, d.estimate.se);
        Some(Interval { text, ..row })
    });
    let axis = match of_metric.first()?.higher_is_better {
        Some(true) => "Right of zero: the first system is better.",
        Some(false) => "Left of zero: the first system is better.",
        None => "Zero: no difference.",
    };
    let title = format!("Differences in {}", visible(metric));
    let mut figure = intervals(&title, axis, rows.collect())?;
    if let Plot::Intervals { with_zero, .. } = &mut figure.plot {
        *with_zero = true;
    }
    Some(figure)
}

/// What the paired distance of each system is made of.
pub fn parts(systems: &[(String, &ScoreResults)]) -> Option<Figure> {
    let rows: Vec<(String, [f64; 3])> = systems
        .iter()
        .filter_map(|(name, scores)| {
            let d = scores.decomposition?;
            let parts = [d.mean_shift, d.covariance, d.misalignment];
            Some((name.clone(), parts.map(|part| part.max(0.0))))
        })
        .collect();
    let all = rows.len();
    let rows: Vec<_> = rows.into_iter().take(MOST_ROWS).collect();
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
        _ if all > rows.len() => format!("The first {} of {all} systems.", rows.len()),
        _ => "Mean shift, covariance and misalignment add up to fgd_paired.".to_string(),
    };
    Some(Figure {
        title: "What fgd_paired is made of".into(),
        caption,
        plot: Plot::Parts {
            names: ["mean shift", "covariance", "misalignment"].map(str::to_string),
            rows,
        },
        numbers: None,
    })
}
