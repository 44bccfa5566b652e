//! Collects the rows of a caption file, whatever its format, and keeps the other columns beside them.

use polars::prelude::{DataFrame, IntoColumn, IntoSeries, StringChunkedBuilder};

use super::Caption;
use super::error::ReadProblem;
use super::finding::{Finding, FindingKind, shown};

/// Other columns kept at most: records with ever new keys must not fill the memory.
const MOST_COLUMNS: usize = 64;

/// Elements of a list of words on average, at least: two one-word references are thinkable.
const WORDS_FEWEST: usize = 3;

/// Bytes that a row takes beside its texts: the caption, two allocations, and what others keep for each row.
const ROW: u64 = 192;
/// The same of a cell of another column.
const CELL: u64 = 17;
/// The same of a finding.
const FINDING: u64 = 256;

/// Where the readers put rows and findings, up to a number of bytes: one file may repeat a long text for every short row.
pub(super) struct Builder {
    /// Bytes that rows and findings take, about.
    held: u64,
    most_held: u64,
    /// The number of the row that was begun last.
    pub(super) last_row: u64,
    pub(super) captions: Vec<Caption>,
    pub(super) findings: Vec<Finding>,
    others: Vec<OtherColumn>,
    columns_left_out: bool,
    id_column: Option<String>,
    caption_column: Option<String>,
    pub(super) document: Option<&'static str>,
    ids_are_text: bool,
    needs_ids: bool,
}

/// What was collected.
pub(super) struct Rows {
    pub last_row: u64,
    pub captions: Vec<Caption>,
    pub findings: Vec<Finding>,
    pub columns: DataFrame,
    pub id_column: Option<String>,
    pub caption_column: Option<String>,
    pub document: Option<&'static str>,
    pub ids_are_text: bool,
}

/// A column that is neither id nor caption, as long as the last row that has a cell in it.
struct OtherColumn {
    name: String,
    cells: StringChunkedBuilder,
    len: usize,
}

impl OtherColumn {
    fn pad(&mut self, len: usize) {
        for _ in self.len..len {
            self.cells.append_null();
        }
        self.len = self.len.max(len);
    }
}

impl Builder {
    /// Takes rows and findings of about `most_held` bytes.
    pub fn new(findings: Vec<Finding>, most_held: u64) -> Self {
        Self {
            held: 0,
            most_held,
            last_row: 0,
            captions: Vec::new(),
            findings,
            others: Vec::new(),
            columns_left_out: false,
            id_column: None,
            caption_column: None,
            document: None,
            ids_are_text: false,
            needs_ids: true,
        }
    }

    /// Takes rows without an id too.
    pub fn without_ids(&mut self) {
        self.needs_ids = false;
    }

    pub fn name_columns<S: AsRef<str>>(&mut self, id: Option<&str>, captions: &[S]) {
        let names: Vec<&str> = captions.iter().map(AsRef::as_ref).collect();
        self.id_column = id.map(str::to_owned);
        self.caption_column = (!names.is_empty()).then(|| names.join(", "));
    }

    /// Says which known document the file is.
    pub fn document(&mut self, name: &'static str) {
        self.document = Some(name);
    }

    /// Says that an id is text in the file's own types, so that its digits are no number.
    pub fn id_is_text(&mut self) {
        self.ids_are_text = true;
    }

    pub fn is_empty(&self) -> bool {
        self.captions.is_empty()
    }

    /// Whether there is room for so many bytes. What finds none is left out, and [`finish`](Builder::finish) says so.
    pub(super) fn takes(&mut self, bytes: u64) -> bool {
        self.held = self.held.saturating_add(bytes);
        self.held <= self.most_held
    }

    pub fn find(&mut self, finding: Finding) {
        let id = finding.id.as_ref().map_or(0, String::len);
        if self.takes(FINDING + (finding.message.len() + id) as u64) {
            self.findings.push(finding);
        }
    }

    /// Adds a caption. An id without a letter is a finding, and so are spaces around it.
    pub fn push(&mut self, row: u64, line: Option<u64>, id: &str, text: String) {
        let trimmed = id.trim();
        if trimmed.is_empty() && self.needs_ids {
            let message = "the row has no image id";
            self.find(Finding::error(FindingKind::EmptyId, message).at(row));
        } else if trimmed != id {
            let message = "there are spaces around the id, which are ignored";
            self.find(Finding::note(FindingKind::SurroundingSpace, message).at(row).of(trimmed));
        }
        let bytes = self.bytes_of(trimmed, &text);
        if self.takes(bytes) {
            self.captions.push(Caption { row, line, id: trimmed.to_owned(), text });
        }
    }

    pub(super) fn bytes_of(&self, id: &str, text: &str) -> u64 {
        ROW + (id.len() + text.len()) as u64 + CELL * self.others.len() as u64
    }

    /// The number of the other column of this name, new or known; `None` when there are too many.
    pub fn column(&mut self, name: &str) -> Option<usize> {
        if let Some(known) = self.others.iter().position(|other| other.name == name) {
            return Some(known);
        }
        if self.others.len() == MOST_COLUMNS {
            self.columns_left_out = true;
            return None;
        }
        let cells = StringChunkedBuilder::new(name.into(), 0);
        self.others.push(OtherColumn { name: name.to_owned(), cells, len: 0 });
        Some(self.others.len() - 1)
    }

    /// Fills a cell of the row pushed last.
    pub fn cell(&mut self, column: usize, value: &str) {
        if !self.takes(value.len() as u64) {
            return;
        }
        let row = self.captions.len().saturating_sub(1);
        let other = &mut self.others[column];
        other.pad(row);
        if other.len == row {
            other.cells.append_value(value);
            other.len += 1;
        }
    }

    /// Whether another column fits.
    pub fn keeps(columns: usize) -> bool {
        columns < MOST_COLUMNS
    }

    /// What was collected.
    ///
    /// # Errors
    /// More than there was room for.
    pub fn finish(mut self) -> Result<Rows, ReadProblem> {
        if self.held > self.most_held {
            return Err(ReadProblem::Unpacks { limit: self.most_held });
        }
        if self.captions.is_empty() {
            let message = "there are no rows; write one row per image";
            self.find(Finding::error(FindingKind::HeaderOnly, message));
        }
        if self.columns_left_out {
            let message =
                format!("some other columns are left out: {MOST_COLUMNS} are kept at most");
            self.find(Finding::note(FindingKind::ColumnNames, message));
        }
        let height = self.captions.len();
        let others = std::mem::take(&mut self.others).into_iter().map(|mut other| {
            other.pad(height);
            other.cells.finish().into_series().into_column()
        });
        let mut columns = DataFrame::new(height, others.collect())
            .expect("the columns are padded to one height and their names differ");
        self.take_lists_apart(&mut columns);
        self.take_quotes_off();
        self.take_escapes_off();
        self.take_numbers_off();
        self.find_word_lists();
        self.tell_document();
        if self.held > self.most_held {
            return Err(ReadProblem::Unpacks { limit: self.most_held });
        }
        Ok(Rows {
            last_row: self.last_row,
            captions: self.captions,
            findings: self.findings,
            columns,
            id_column: self.id_column,
            caption_column: self.caption_column,
            document: self.document,
            ids_are_text: self.ids_are_text,
        })
    }

    /// Notes what the file is, unless it is in the format that everybody has.
    fn tell_document(&mut self) {
        let Some(document) = self.document.filter(|document| !document.starts_with("COCO")) else {
            return;
        };
        let columns = match (&self.id_column, &self.caption_column) {
            (Some(id), Some(caption)) => {
                format!(": ids are taken from `{}`, captions from `{}`", shown(id), shown(caption))
            }
            _ => String::new(),
        };
        self.find(Finding::note(FindingKind::Document, format!("read as {document}{columns}")));
    }

    /// A caption that was split into words looks like many references.
    fn find_word_lists(&mut self) {
        let is_word = |text: &str| {
            let text = text.trim();
            // Chinese, Japanese and their neighbours write whole sentences without a space.
            !text.is_empty()
                && !text.contains(char::is_whitespace)
                && text.chars().all(|c| c < '\u{0e00}')
        };
        let lists = self.captions.chunk_by(|a, b| a.row == b.row).filter(|list| list.len() > 1);
        let (mut count, mut words, mut length) = (0, 0, 0);
        for list in lists {
            count += 1;
            length += list.len();
            words += list.iter().filter(|caption| is_word(&caption.text)).count();
        }
        if count > 0 && length >= WORDS_FEWEST * count && words * 20 > length * 19 {
            let message = format!(
                "the lists hold words, not captions ({words} of {length} elements are one word); join each list with spaces"
            );
            self.find(Finding::error(FindingKind::WordList, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_columns_stay_aligned_with_gaps() {
        let mut rows = Builder::new(Vec::new(), u64::MAX);
        rows.push(1, None, "a", "x".into());
        rows.push(2, None, " b ", "y".into());
        let usage = rows.column("Usage").unwrap();
        rows.cell(usage, "Public");
        rows.cell(usage, "given twice in one record");
        rows.push(3, None, "", "z".into());
        let rows = rows.finish().unwrap();
        assert_eq!(rows.columns.shape(), (3, 1));
        let usage: Vec<_> = rows.columns.column("Usage").unwrap().str().unwrap().iter().collect();
        assert_eq!(usage, [None, Some("Public"), None]);
        assert_eq!(rows.captions[1].id, "b");
        let kinds: Vec<_> = rows.findings.iter().map(|f| (f.kind, f.row)).collect();
        assert_eq!(
            kinds,
            [(FindingKind::SurroundingSpace, Some(2)), (FindingKind::EmptyId, Some(3))]
        );
    }

    #[test]
    fn the_bytes_held_are_bounded_whatever_takes_them() {
        let fill: [fn(&mut Builder); 3] = [
            |rows| rows.push(1, None, "a", "a caption".into()),
            |rows| rows.find(Finding::note(FindingKind::Bom, "a message")),
            |rows| {
                rows.push(1, None, "a", String::new());
                let column = rows.column("long").unwrap();
                rows.cell(column, &"x".repeat(10_000));
            },
        ];
        for fill in fill {
            let mut rows = Builder::new(Vec::new(), 1 << 20);
            (0..10).for_each(|_| fill(&mut rows));
            assert!(rows.finish().is_ok());
            let mut rows = Builder::new(Vec::new(), 1 << 20);
            (0..10_000).for_each(|_| fill(&mut rows));
            assert!(rows.captions.len() < 10_000 && rows.findings.len() < 10_000);
            assert!(matches!(rows.finish(), Err(ReadProblem::Unpacks { limit: 1_048_576 })));
        }
    }

    #[test]
    fn the_number_of_columns_is_bounded() {
        let mut rows = Builder::new(Vec::new(), u64::MAX);
        rows.push(1, None, "a", String::new());
        let kept = (0..100).filter(|n| rows.column(&n.to_string()).is_some()).count();
        assert_eq!(kept, MOST_COLUMNS);
        let rows = rows.finish().unwrap();
        assert_eq!(rows.columns.shape(), (1, MOST_COLUMNS));
        assert_eq!(rows.findings[0].kind, FindingKind::ColumnNames);
    }
}
