//! What a record says, before it is decided how it looks.
//!
//! A [`Document`] is a list of blocks: lines, notices, tables and entries. It is built once per kind
//! of record, and every format (terminal, Markdown, HTML) draws the same blocks, so that no format
//! tells another story than its neighbour.

pub mod figure;
pub mod number;
pub(crate) mod width;

mod bench;
mod bench_figures;
mod caption;
mod captions;
mod compare;
mod differences;
mod leaderboard;
mod nightly;
mod nightly_figures;
mod provenance;
mod score;
mod set;
mod spread;
mod table;

pub use figure::{Axis, Figure, Interval, Plot, Series};
pub use table::{Cell, Column, Table};

use fgd_record::{NightlyResults, Record, Results, ScoreResults};
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
            Results::Caption(results) => caption::document(record, results),
            Results::Bench(results) => bench::document(record, results),
            Results::Nightly(results) => nightly::document(record, results),
        }
    }

    /// What a night says about the history of one system or benchmark.
    pub fn of_history(results: &NightlyResults, system: &str) -> Self {
        nightly::history(results, system)
    }

    /// What a record says about one of its systems.
    pub fn of_system(record: &Record, name: &str, scores: &ScoreResults) -> Self {
        score::system(record, name, scores)
    }
}

impl Field {
    /// An empty text is named, or a reader would take it for a defect of the report.
    fn new(label: &str, text: &str) -> Self {
        let text = visible(text);
        Self {
            label: visible(label),
            text: if text.is_empty() {
                "(empty)".into()
            } else {
                text
            },
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
