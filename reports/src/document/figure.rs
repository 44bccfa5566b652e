//! Which pictures a record has: the numbers of each, not its lines and colours.
//!
//! Drawing is the job of `charts`.

use fgd_record::TrendPoint;
use serde::Serialize;

use super::number::significant;
use super::{Cell, Table, visible};

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
    /// How values are spread, one row each: minimum, 5%, 25%, 50%, 75%, 95% and maximum.
    Spread {
        /// The rows.
        rows: Vec<(String, [f64; 7])>,
        /// What the axis counts.
        axis: String,
    },
    /// Two rankings and the way of each row from one to the other.
    Ranks {
        /// What the two rankings are.
        names: [String; 2],
        /// The rows: a label and the rank in each.
        rows: Vec<(String, [u64; 2])>,
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

impl Figure {
    pub(crate) fn new(title: &str, caption: impl Into<String>, plot: Plot) -> Self {
        Self { title: visible(title), caption: caption.into(), plot, numbers: None }
    }

    /// The numbers as a table: those that it brings, or else those that are drawn.
    pub(crate) fn table(&self) -> Option<Table> {
        if self.numbers.is_some() {
            return self.numbers.clone();
        }
        let number = |value: f64| Cell::new(significant(value), Some(value));
        let maybe = |value: Option<f64>| value.map_or_else(Cell::default, number);
        let table: Table = match &self.plot {
            Plot::Intervals { rows, .. } => Table::of(&self.title, rows)
                .text("of", |row| &row.label)
                .number("value", |row| number(row.value))
                .number("low", |row| maybe(row.interval.map(|[low, _]| low)))
                .number("high", |row| maybe(row.interval.map(|[_, high]| high)))
                .into(),
            Plot::Parts { names, rows } => {
                let mut table = Table::of(&self.title, rows).text("of", |(label, _)| label);
                for (at, name) in names.iter().enumerate() {
                    table = table.number(name, |(_, parts)| number(parts[at]));
                }
                table.into()
            }
            Plot::Spread { rows, .. } => {
                let names = ["least", "5%", "25%", "median", "75%", "95%", "most"];
                let mut table = Table::of(&self.title, rows).text("of", |(label, _)| label);
                for (at, name) in names.into_iter().enumerate() {
                    table = table.number(name, |(_, quantiles)| number(quantiles[at]));
                }
                table.into()
            }
            Plot::Ranks { names, rows } => Table::of(&self.title, rows)
                .text("of", |(label, _)| label)
                .number(&names[0], |(_, ranks)| Cell::count(ranks[0]))
                .number(&names[1], |(_, ranks)| Cell::count(ranks[1]))
                .into(),
            Plot::Curves { series, x, y } => {
                let points = series.iter().flat_map(|of| of.points.iter().map(|p| (&of.name, *p)));
                let points: Vec<_> = points.collect();
                Table::of(&self.title, &points)
                    .text("of", |(name, _)| *name)
                    .number(&x.name, |(_, (x, _))| number(*x))
                    .number(&y.name, |(_, (_, y))| number(*y))
                    .into()
            }
            Plot::Trend { points, .. } => Table::of(&self.title, points)
                .text("night", |point| &point.night)
                .number("value", |point| maybe(point.value))
                .number("low", |point| maybe(point.band.map(|[low, _]| low)))
                .number("high", |point| maybe(point.band.map(|[_, high]| high)))
                .into(),
            Plot::Histogram { .. } | Plot::Extrapolation { .. } => return None,
        };
        Some(table)
    }
}

impl Series {
    /// Points joined by a line.
    pub(crate) fn line(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, line: true }
    }
}

impl Axis {
    pub(crate) fn linear(name: impl AsRef<str>) -> Self {
        Self { name: visible(name.as_ref()), ..Self::default() }
    }

    pub(crate) fn logarithmic(name: impl AsRef<str>) -> Self {
        Self { logarithmic: true, ..Self::linear(name) }
    }
}
