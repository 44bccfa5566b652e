//! Which pictures a record has: the numbers of each, not its lines and colours.
//!
//! Drawing is the job of [`crate::charts`].

use super::number::{count, percent, value};
use super::{Cell, Column, Table, visible};
use crate::record::{Difference, Distribution, ScoreResults, Slice};
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
}

/// A value with its 95% interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Interval {
    /// What the value belongs to.
    pub label: String,
    /// The value as tables show it.
    pub text: String,
    /// The value.
    pub value: f64,
    /// Its interval; `None` where it is not known.
    pub ci95: Option<[f64; 2]>,
}

type Number = (Option<f64>, Option<f64>, Option<[f64; 2]>);

fn row(label: &str, (number, se, ci95): Number) -> Option<Interval> {
    Some(Interval {
        label: label.to_string(),
        text: value(number, se),
        value: number?,
        ci95,
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
    let (paired, set) = (&results.fgd_paired, &results.fgd_set);
    let infinity = results.fgd_infinity.as_ref().map(|i| &i.value);
    let rows = [
        row("fgd_paired", (paired.value, paired.se, paired.ci95)),
        row("fgd_set, bias removed", (set.corrected, set.se, set.ci95)),
        infinity.and_then(|m| row("fgd_infinity", (m.value, m.se, m.ci95))),
    ];
    let rows = rows.into_iter().flatten().collect();
    intervals("Distances", "Lower is better.", rows)
}

/// The paired distance of several systems.
pub fn paired(systems: &[(String, &ScoreResults)]) -> Option<Figure> {
    let rows = systems.iter().filter_map(|(name, scores)| {
        let paired = &scores.fgd_paired;
        row(name, (paired.value, paired.se, paired.ci95))
    });
    intervals("fgd_paired", "Lower is better.", rows.collect())
}

/// The set distance of several systems.
pub fn set(systems: &[(String, &ScoreResults)]) -> Option<Figure> {
    let rows = systems.iter().filter_map(|(name, scores)| {
        let set = &scores.fgd_set;
        row(name, (set.corrected, set.se, set.ci95))
    });
    intervals("fgd_set, bias removed", "Lower is better.", rows.collect())
}

/// The paired distance per group.
pub fn slice(slice: &Slice) -> Option<Figure> {
    let rows = slice.parts.iter().filter_map(|part| {
        let paired = &part.results.fgd_paired;
        row(
            &visible(&part.value),
            (paired.value, paired.se, paired.ci95),
        )
    });
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
        let estimate = &d.estimate;
        row(&label, (estimate.value, estimate.se, estimate.ci95))
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

/// How the distances of single captions are spread.
pub fn histogram_of_distances(results: &ScoreResults) -> Option<Figure> {
    let distances = results.distances.as_ref()?;
    let title = "Distance of each caption to its reference";
    histogram(title, "squared distance", distances, None)
}

/// How the influences of single captions are spread.
pub fn histogram_of_influences(results: &ScoreResults) -> Option<Figure> {
    let influences = results.influences.as_ref()?;
    let title = "Influence of each caption on fgd_set";
    histogram(
        title,
        "influence; right pushes the sets apart",
        influences,
        None,
    )
}

/// How long the captions are, beside the references.
pub fn histogram_of_lengths(results: &ScoreResults) -> Option<Figure> {
    let texts = results.texts.as_ref()?;
    let references = texts.reference_lengths.as_ref();
    histogram("Words per caption", "words", &texts.lengths, references)
}

fn histogram(
    title: &str,
    axis: &str,
    values: &Distribution,
    overlay: Option<&Distribution>,
) -> Option<Figure> {
    let own = shares(values)?;
    let overlay = overlay.filter(|o| o.edges == values.edges).and_then(shares);
    let [_, low, _, median, _, high, _] = values.quantiles;
    // As many digits as a twentieth of the spread of the middle justifies.
    let digits = |number: f64| value(Some(number), Some((high - low).abs() / 20.0));
    let mut numbers = Table::new(
        title,
        vec![
            Column::number("from"),
            Column::number("to"),
            Column::number("captions"),
        ],
    );
    for (edges, counted) in values.edges.windows(2).zip(&values.counts) {
        let edge = |at: f64| Cell::number(digits(at), Some(at));
        numbers.rows.push(vec![
            edge(edges[0]),
            edge(edges[1]),
            Cell::number(count(*counted), Some(*counted as f64)),
        ]);
    }
    if let Some(overlay) = &overlay {
        numbers.columns.push(Column::number("references"));
        for (row, share) in numbers.rows.iter_mut().zip(overlay) {
            row.push(Cell::number(format!("{:.1}%", 100.0 * share), Some(*share)));
        }
    }
    Some(Figure {
        title: title.to_string(),
        caption: format!(
            "Half of the captions lie below {}, nine of ten between {} and {}.",
            digits(median),
            digits(low),
            digits(high)
        ),
        plot: Plot::Histogram {
            edges: values.edges.clone(),
            shares: own,
            overlay,
            median,
            axis: axis.to_string(),
        },
        numbers: Some(numbers),
    })
}

/// Counts as shares of their sum; `None` where a record from elsewhere does not fit together.
fn shares(values: &Distribution) -> Option<Vec<f64>> {
    let total: u64 = values.counts.iter().sum();
    let fits = total > 0 && values.edges.len() == values.counts.len() + 1;
    fits.then(|| {
        let share = |count: &u64| *count as f64 / total as f64;
        values.counts.iter().map(share).collect()
    })
}

/// The set distance against 1/N.
pub fn infinity(results: &ScoreResults) -> Option<Figure> {
    let infinity = results.fgd_infinity.as_ref()?;
    let intercept = infinity.value.value?;
    let mut numbers = Table::new(
        "fgd_set at fewer captions",
        vec![Column::number("captions"), Column::number("fgd_set")],
    );
    for (n, distance) in &infinity.points {
        numbers.rows.push(vec![
            Cell::number(count(*n), Some(*n as f64)),
            Cell::number(value(Some(*distance), infinity.value.se), Some(*distance)),
        ]);
    }
    Some(Figure {
        title: "fgd_set against the number of captions".into(),
        caption: format!(
            "At infinitely many captions the line meets {} (r² {:.3}).",
            value(Some(intercept), infinity.value.se),
            infinity.r2
        ),
        plot: Plot::Extrapolation {
            points: (infinity.points.iter())
                .filter(|(n, _)| *n > 0)
                .map(|(n, distance)| (*n as f64, *distance))
                .collect(),
            intercept,
            ci95: infinity.value.ci95,
            slope: infinity.slope,
        },
        numbers: Some(numbers),
    })
}
