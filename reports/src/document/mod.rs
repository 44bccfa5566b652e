//! What a record says, before it is decided how it looks.
//!
//! A [`Document`] is a list of blocks: lines, notices, tables and entries. It is built once per kind
//! of record, and every format (terminal, Markdown, HTML) draws the same blocks, so that no format
//! tells another story than its neighbour.

pub mod figure;
pub mod number;
pub(crate) mod width;

mod compare;
mod leaderboard;
mod provenance;
mod score;

pub use figure::{Figure, Interval, Plot};

use crate::record::{Record, Results, ScoreResults};
use serde::Serialize;

/// A record as something to read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Document {
    /// What it is about, in a few words.
    pub title: String,
    /// Its parts, in reading order.
    pub blocks: Vec<Block>,
    /// How the numbers were made, for documents with room.
    pub appendix: Vec<Block>,
}

/// One part of a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "block", rename_all = "snake_case")]
pub enum Block {
    /// A sentence or two.
    Line {
        /// The text.
        text: String,
    },
    /// Something that must not be overlooked.
    Notice {
        /// How loud it is.
        tone: Tone,
        /// The text.
        text: String,
    },
    /// Numbers.
    Table(Table),
    /// Things that need more than a row, such as a caption with its references.
    Entries {
        /// The heading above.
        title: String,
        /// The things.
        entries: Vec<Entry>,
    },
    /// Pictures of numbers, for formats that can draw; each repeats numbers that tables give.
    Figures {
        /// The pictures.
        figures: Vec<Figure>,
    },
    /// The one line to quote with the numbers.
    Signature {
        /// The text.
        text: String,
    },
}

/// How a text is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// As it stands.
    #[default]
    Plain,
    /// The number to look at first.
    Strong,
    /// Detail.
    Dim,
    /// Better, passed.
    Good,
    /// Worse, failed.
    Bad,
    /// To be read before the numbers are believed.
    Warning,
}

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

/// A thing with a heading and labelled texts.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Entry {
    /// The heading.
    pub title: String,
    /// Numbers behind the heading.
    pub detail: String,
    /// Labelled texts.
    pub fields: Vec<Field>,
    /// Base64 of a small JPEG, for formats that show pictures.
    pub thumbnail_jpeg: Option<String>,
}

/// A labelled text.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Field {
    /// The label.
    pub label: String,
    /// The text.
    pub text: String,
}

impl Document {
    /// What a record says.
    pub fn of(record: &Record) -> Self {
        match &record.results {
            Results::Score(results) => score::document(record, results),
            Results::Compare(results) => compare::document(record, results),
            Results::Leaderboard(results) => leaderboard::document(record, results),
        }
    }

    /// What a record says about one of its systems.
    pub fn of_system(record: &Record, name: &str, scores: &ScoreResults) -> Self {
        score::system(record, name, scores)
    }
}

impl Table {
    fn new(title: &str, columns: Vec<Column>) -> Self {
        Self {
            title: title.to_string(),
            columns,
            ..Self::default()
        }
    }

    fn sortable(self) -> Self {
        Self {
            sortable: true,
            ..self
        }
    }
}

impl Column {
    fn text(name: &str) -> Self {
        Self {
            name: visible(name),
            number: false,
            optional: false,
        }
    }

    fn number(name: &str) -> Self {
        Self {
            number: true,
            ..Self::text(name)
        }
    }

    fn optional(self) -> Self {
        Self {
            optional: true,
            ..self
        }
    }
}

impl Cell {
    fn text(text: &str) -> Self {
        Self {
            text: visible(text),
            ..Self::default()
        }
    }

    fn system(name: &str) -> Self {
        Self {
            system: Some(name.to_string()),
            ..Self::text(name)
        }
    }

    fn number(text: String, sort: Option<f64>) -> Self {
        Self {
            text,
            sort,
            ..Self::default()
        }
    }

    fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

impl Field {
    fn new(label: &str, text: &str) -> Self {
        Self {
            label: visible(label),
            text: visible(text),
        }
    }
}

/// A text of unknown origin with its control characters made visible.
///
/// A caption may hold a newline, an escape sequence of the terminal or a character that turns the
/// writing direction: none of them may act on the document it is quoted in.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push('⏎'),
            '\r' => shown.push('␍'),
            '\t' => shown.push(' '),
            '\0'..='\u{1f}' => shown.extend(char::from_u32(0x2400 + c as u32)),
            '\u{7f}' => shown.push('␡'),
            '\u{80}'..='\u{9f}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' => shown.extend(c.escape_unicode()),
            // Noncharacters are errors in HTML.
            '\u{fdd0}'..='\u{fdef}' => shown.push('\u{fffd}'),
            c if c as u32 & 0xfffe == 0xfffe => shown.push('\u{fffd}'),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(visible("a\nb\u{1b}[31mred\u{202e}"), "a⏎b␛[31mred\\u{202e}");
        assert_eq!(visible("naïve 你好 🐕"), "naïve 你好 🐕");
    }
}
