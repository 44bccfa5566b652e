//! What a record says, before it is decided how it looks.
//!
//! A [`Document`] is a list of blocks: lines, notices, tables and entries. Each kind of record makes its own, once, and
//! every format (terminal, Markdown, HTML) draws the same blocks, so that no format tells another story than its
//! neighbour.

pub mod number;
pub mod width;

mod figure;
mod table;
mod text;
mod tidy;

use fgd_record::{CaptionTable, Record};
pub(crate) use fgd_store::terminal::visible;
use serde::Serialize;

pub use figure::{Axis, Figure, Interval, Plot, Series};
pub(crate) use table::Columns;
pub use table::{Cell, Column, Remark, Table};
pub use tidy::{Tidy, Value};

pub(crate) use tidy::plain;

pub(crate) use text::{escaped, grouped};

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
    /// What the whole record comes to, in a sentence: read before all else.
    Verdict {
        /// Whether it is good news.
        tone: Tone,
        /// The sentence.
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
    /// Every caption, for formats that can be searched.
    Captions {
        /// The captions.
        table: Box<CaptionTable>,
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

/// Blocks are added in reading order; texts become [`visible`], and what is empty is left out.
impl Document {
    pub(crate) fn new(title: &str) -> Self {
        Self { title: visible(title), ..Self::default() }
    }

    pub(crate) fn line(&mut self, text: impl AsRef<str>) {
        let text = visible(text.as_ref());
        if !text.is_empty() {
            self.blocks.push(Block::Line { text });
        }
    }

    pub(crate) fn verdict(&mut self, tone: Tone, text: impl AsRef<str>) {
        let text = visible(text.as_ref());
        self.blocks.push(Block::Verdict { tone, text });
    }

    pub(crate) fn notice(&mut self, tone: Tone, text: impl AsRef<str>) {
        let text = visible(text.as_ref());
        self.blocks.push(Block::Notice { tone, text });
    }

    pub(crate) fn table(&mut self, table: impl Into<Table>) {
        let table = table.into();
        if !table.rows.is_empty() {
            self.blocks.push(Block::Table(table));
        }
    }

    pub(crate) fn entries(&mut self, title: &str, entries: impl IntoIterator<Item = Entry>) {
        let entries: Vec<Entry> = entries.into_iter().collect();
        if !entries.is_empty() {
            let title = title.to_string();
            self.blocks.push(Block::Entries { title, entries });
        }
    }

    /// The captions of a record, or of one of its systems.
    pub(crate) fn captions(&mut self, record: &Record, system: Option<&str>) {
        let whole = record.captions.as_ref().filter(|table| table.is_whole());
        let table = match system {
            Some(system) => whole.and_then(|table| table.of_system(system)),
            None => whole.cloned(),
        };
        if let Some(table) = table.filter(|table| !table.systems.is_empty()) {
            self.blocks.push(Block::Captions { table: Box::new(table) });
        }
    }

    pub(crate) fn figures(&mut self, figures: impl IntoIterator<Item = Figure>) {
        let figures: Vec<Figure> = figures.into_iter().collect();
        if !figures.is_empty() {
            self.blocks.push(Block::Figures { figures });
        }
    }

    /// All tables, those of the pictures included.
    pub(crate) fn tables_mut(&mut self) -> impl Iterator<Item = &mut Table> {
        let blocks = self.blocks.iter_mut().chain(&mut self.appendix);
        blocks.flat_map(|block| match block {
            Block::Table(table) => vec![table],
            Block::Figures { figures } => {
                figures.iter_mut().filter_map(|figure| figure.numbers.as_mut()).collect()
            }
            _ => Vec::new(),
        })
    }

    /// The end of every document: the line to quote, and in the appendix how the numbers were made.
    pub(crate) fn signed(mut self, record: &Record, appendix: [Table; 2]) -> Self {
        let text = visible(&record.signature);
        self.blocks.push(Block::Signature { text });
        self.appendix = appendix.map(Block::Table).into();
        self
    }
}

impl Entry {
    pub(crate) fn new(title: &str, detail: impl AsRef<str>) -> Self {
        Self { title: visible(title), detail: visible(detail.as_ref()), ..Self::default() }
    }

    /// Adds a labelled text. An empty one is named, or a reader would take it for a defect of the report.
    pub(crate) fn field(mut self, label: &str, text: &str) -> Self {
        let text = if text.is_empty() { "(empty)" } else { text };
        self.fields.push(Field { label: visible(label), text: visible(text) });
        self
    }
}
