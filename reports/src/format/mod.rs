//! The formats that a command prints or saves: one file each, all behind [`render`].

mod csv;
mod markdown;
mod text;

use std::fmt;
use std::str::FromStr;

use fgd_record::Record;

use crate::kind;

pub(crate) use csv::of_table as csv_of;

/// A format of a single document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For a person at a terminal.
    #[default]
    Text,
    /// The record itself.
    Json,
    /// One row per number, for a data frame.
    Csv,
    /// For a pull request or a notebook.
    Md,
}

impl Format {
    /// All formats, in the order of the documentation.
    pub const ALL: [Format; 4] = [Format::Text, Format::Json, Format::Csv, Format::Md];

    /// The word that selects the format.
    pub fn name(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Md => "md",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no format is called {0:?}: choose text, json, csv or md")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Format::ALL
            .into_iter()
            .find(|format| format.name() == word)
            .ok_or_else(|| UnknownFormat(word.to_string()))
    }
}

/// What the terminal can show. Formats other than text do not look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, width: 100 }
    }
}

/// Renders a record. The same record, format and style give the same bytes.
pub fn render(record: &Record, format: Format, style: &Style) -> String {
    match format {
        Format::Text => text::render(&kind::document(record), style),
        Format::Json => record.to_json(),
        Format::Csv => csv::render(&kind::of(record).numbers(record)),
        Format::Md => markdown::render(&kind::document(record)),
    }
}
