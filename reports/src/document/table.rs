//! Tables: columns of text and of numbers, and cells that know what they mean.
//!
//! A table is written column by column: heading and cell stand on one line, and a column that only some records have is
//! one condition.

use fgd_record::{Measure, Metric};
use serde::Serialize;

use super::number::{MISSING, count, interval, percent, signed, significant, value};
use super::{Tone, visible};

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Table {
    /// The heading above.
    pub title: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each with as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// What is to be known of it, below.
    pub remarks: Vec<Remark>,
    /// Whether the order of the rows means nothing, so that a reader may change it.
    pub sortable: bool,
}

/// A sentence below a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Remark {
    /// The column that it explains; `None` where it is on the whole table.
    pub column: Option<String>,
    /// The sentence.
    pub text: String,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// The heading.
    pub name: String,
    /// Whether it holds numbers, which are aligned at the decimal point.
    pub number: bool,
    /// Whether a narrow terminal may leave it out.
    pub optional: bool,
}

/// A cell of a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cell {
    /// The text.
    pub text: String,
    /// The number to sort by, where there is one.
    pub sort: Option<f64>,
    /// How it is meant.
    pub tone: Tone,
    /// The system or record whose page it leads to, where documents have pages.
    pub subject: Option<String>,
    /// The ends of the interval around the number, for formats that draw it.
    pub interval: Option<[f64; 2]>,
    /// Earlier values up to this one, for formats that draw them.
    pub trend: Vec<Option<f64>>,
    /// The file it leads to; a site gives subjects theirs.
    pub href: Option<String>,
}

/// A table of things that is being written.
pub(crate) struct Columns<T> {
    things: Vec<T>,
    table: Table,
}

impl Table {
    /// A table with a row for each thing, and as yet no column.
    pub(crate) fn of<T: Copy>(title: &str, things: impl IntoIterator<Item = T>) -> Columns<T> {
        let things: Vec<T> = things.into_iter().collect();
        let table = Table {
            title: visible(title),
            rows: vec![Vec::new(); things.len()],
            ..Self::default()
        };
        Columns { things, table }
    }

    /// The remarks on the table and on those of its columns that are `shown`.
    pub fn remark(&self, shown: impl Fn(&Column) -> bool) -> Option<String> {
        let is_shown = |name: &str| self.columns.iter().any(|c| c.name == name && shown(c));
        let remarks = self.remarks.iter().filter(|r| r.column.as_deref().is_none_or(is_shown));
        let texts: Vec<&str> = remarks.map(|remark| remark.text.as_str()).collect();
        (!texts.is_empty()).then(|| texts.join(" "))
    }
}

impl<T: Copy> Columns<T> {
    fn column<C: Into<Cell>>(mut self, name: &str, number: bool, cell: impl Fn(T) -> C) -> Self {
        self.table.columns.push(Column { name: visible(name), number, optional: false });
        for (row, thing) in self.table.rows.iter_mut().zip(&self.things) {
            row.push(cell(*thing).into());
        }
        self
    }

    /// A column of text.
    pub(crate) fn text<C: Into<Cell>>(self, name: &str, cell: impl Fn(T) -> C) -> Self {
        self.column(name, false, cell)
    }

    /// A column of numbers.
    pub(crate) fn number<C: Into<Cell>>(self, name: &str, cell: impl Fn(T) -> C) -> Self {
        self.column(name, true, cell)
    }

    /// A narrow terminal may leave the last column out.
    pub(crate) fn optional(mut self) -> Self {
        if let Some(last) = self.table.columns.last_mut() {
            last.optional = true;
        }
        self
    }

    /// Columns that the table has only on a condition.
    pub(crate) fn when(self, condition: bool, columns: impl FnOnce(Self) -> Self) -> Self {
        if condition { columns(self) } else { self }
    }

    /// A remark below; none where the text is empty.
    pub(crate) fn remark(mut self, text: impl AsRef<str>) -> Self {
        let remark = Remark { column: None, text: visible(text.as_ref()) };
        self.table.remarks.extend(Some(remark).filter(|remark| !remark.text.is_empty()));
        self
    }

    /// A remark that explains a column, and is left out where the column is.
    pub(crate) fn explain(mut self, column: &str, text: impl AsRef<str>) -> Self {
        let text = visible(text.as_ref());
        self.table.remarks.push(Remark { column: Some(visible(column)), text });
        self
    }

    /// The order of the rows means nothing.
    pub(crate) fn sortable(mut self) -> Self {
        self.table.sortable = true;
        self
    }
}

impl<T> From<Columns<T>> for Table {
    fn from(columns: Columns<T>) -> Self {
        columns.table
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(visible(text), None)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl Cell {
    /// A text of our own making, and the number it sorts by.
    pub(crate) fn new(text: impl Into<String>, sort: Option<f64>) -> Self {
        Self { text: text.into(), sort, ..Self::default() }
    }

    /// The name of something that may have a page.
    pub(crate) fn subject(name: &str) -> Self {
        Self { subject: Some(name.to_string()), ..Self::from(name) }
    }

    pub(crate) fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    /// The number to look at first.
    pub(crate) fn strong(self) -> Self {
        self.tone(Tone::Strong)
    }

    /// A count with separators.
    pub(crate) fn count(n: impl Into<Option<u64>>) -> Self {
        let n = n.into();
        Self::new(n.map_or(MISSING.into(), count), n.map(|n| n as f64))
    }

    /// A measurement to three significant digits.
    pub(crate) fn significant(number: impl Into<Option<f64>>) -> Self {
        let number = number.into();
        Self::new(number.map_or(MISSING.into(), significant), number)
    }

    /// A share in whole per cent.
    pub(crate) fn percent(share: impl Into<Option<f64>>) -> Self {
        let share = share.into();
        Self::new(share.map_or(MISSING.into(), percent), share)
    }

    /// A number to the digits that a standard error justifies.
    pub(crate) fn value(number: Option<f64>, se: Option<f64>) -> Self {
        Self::new(value(number, se), number)
    }

    /// A measure's value.
    pub(crate) fn measure(measure: &Measure) -> Self {
        Self::value(measure.value, measure.se)
    }

    /// A metric's value, whole where it counts.
    pub(crate) fn metric(metric: &Metric) -> Self {
        match metric.is_count {
            true => Self::count(metric.measure.value.map(|count| count as u64)),
            false => Self::measure(&metric.measure),
        }
    }

    /// A measure's interval, empty where it has none.
    pub(crate) fn interval(measure: &Measure) -> Self {
        let text = measure.interval().map(|_| interval(measure));
        Self::new(text.unwrap_or_default(), measure.se)
    }

    /// A measure's value and interval.
    pub(crate) fn with_interval(measure: &Measure) -> Self {
        Self::measure(measure).followed_by_interval(measure)
    }

    /// A difference with its sign and interval.
    pub(crate) fn difference(measure: &Measure) -> Self {
        Self::new(signed(measure.value, measure.se), measure.value).followed_by_interval(measure)
    }

    /// The same with a measure's interval behind it, where it has one.
    pub(crate) fn followed_by_interval(mut self, measure: &Measure) -> Self {
        self.interval = measure.interval();
        if self.interval.is_some() {
            self.text = format!("{} {}", self.text, interval(measure));
        }
        self
    }
}
