//! Tables: columns of text and of numbers, and cells that know what they mean.

use super::number::{interval, signed, value};
use super::{Tone, visible};
use fgd_record::Measure;
use serde::Serialize;

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Table {
    /// The heading above.
    pub title: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each with as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// A remark below.
    pub remark: Option<String>,
    /// Whether the order of the rows means nothing, so that a reader may change it.
    pub sortable: bool,
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
    /// The system whose page it leads to, where documents have pages.
    pub system: Option<String>,
}

impl Table {
    pub(super) fn new(title: &str, columns: Vec<Column>) -> Self {
        Self {
            title: title.to_string(),
            columns,
            ..Self::default()
        }
    }

    pub(super) fn sortable(self) -> Self {
        Self {
            sortable: true,
            ..self
        }
    }
}

impl Column {
    pub(super) fn text(name: &str) -> Self {
        Self {
            name: visible(name),
            number: false,
            optional: false,
        }
    }

    pub(super) fn number(name: &str) -> Self {
        Self {
            number: true,
            ..Self::text(name)
        }
    }

    pub(super) fn optional(self) -> Self {
        Self {
            optional: true,
            ..self
        }
    }
}

impl Cell {
    pub(super) fn text(text: &str) -> Self {
        Self {
            text: visible(text),
            ..Self::default()
        }
    }

    pub(super) fn system(name: &str) -> Self {
        Self {
            system: Some(name.to_string()),
            ..Self::text(name)
        }
    }

    pub(super) fn number(text: String, sort: Option<f64>) -> Self {
        Self {
            text,
            sort,
            ..Self::default()
        }
    }

    pub(super) fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    /// A measure's value.
    pub(super) fn measure(measure: &Measure) -> Self {
        Self::number(value(measure.value, measure.se), measure.value)
    }

    /// A measure's value and interval.
    pub(super) fn with_interval(measure: &Measure) -> Self {
        let text = value(measure.value, measure.se);
        Self::number(followed_by_interval(text, measure), measure.value)
    }

    /// A difference with its sign and interval.
    pub(super) fn difference(measure: &Measure) -> Self {
        let text = signed(measure.value, measure.se);
        Self::number(followed_by_interval(text, measure), measure.value)
    }
}

fn followed_by_interval(text: String, measure: &Measure) -> String {
    if measure.ci95.is_none() {
        return text;
    }
    let interval = interval(measure.value, measure.se, measure.ci95);
    format!("{text} {interval}")
}
