//! Collects the rows of a caption file, whatever its format, and keeps the other columns beside them.

use polars::prelude::{DataFrame, IntoColumn, IntoSeries, StringChunkedBuilder};

use super::Caption;
use super::error::ReadProblem;
use super::finding::{Finding, FindingKind};

/// Other columns kept at most: records with ever new keys must not fill the memory.
const MOST_COLUMNS: usize = 64;

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
    captions: Vec<Caption>,
    findings: Vec<Finding>,
    others: Vec<OtherColumn>,
    columns_left_out: bool,
    typed: Option<DataFrame>,
    id_column: Option<String>,
    caption_column: Option<String>,
}

/// What was collected.
pub(super) struct Rows {
    pub captions: Vec<Caption>,
    pub findings: Vec<Finding>,
    pub columns: DataFrame,
    pub id_column: Option<String>,
    pub caption_column: Option<String>,
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
            captions: Vec::new(),
            findings,
            others: Vec::new(),
            columns_left_out: false,
            typed: None,
            id_column: None,
            caption_column: None,
        }
    }

    pub fn name_columns(&mut self, id: Option<&str>, caption: Option<&str>) {
        self.id_column = id.map(str::to_owned);
        self.caption_column = caption.map(str::to_owned);
    }

    pub fn is_empty(&self) -> bool {
        self.captions.is_empty()
    }

    /// Whether there is room for so many bytes. What finds none is left out, and [`finish`](Builder::finish) says so.
    fn takes(&mut self, bytes: u64) -> bool {
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
        if trimmed.is_empty() {
            let message = "the row has no image id";
            self.find(Finding::error(FindingKind::EmptyId, message).at(row));
        } else if trimmed != id {
            let message = "there are spaces around the id, which are ignored";
            self.find(Finding::note(FindingKind::SurroundingSpace, message).at(row).of(trimmed));
        }
        let bytes = ROW + (trimmed.len() + text.len()) as u64 + CELL * self.others.len() as u64;
        if self.takes(bytes) {
            self.captions.push(Caption { row, line, id: trimmed.to_owned(), text });
        }
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

    /// Takes columns that have types of their own, aligned with the captions.
    pub fn typed_columns(&mut self, columns: DataFrame) {
        let texts = columns.columns().iter().filter_map(|column| column.str().ok());
        let texts = texts.flat_map(|texts| texts.iter().flatten());
        let bytes = texts.map(|text| text.len() as u64).sum();
        if self.takes(bytes) {
            self.typed = Some(columns);
        }
    }

    pub fn columns_left_out(&mut self) {
        self.columns_left_out = true;
    }

    /// Whether another column of its own type fits.
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
            let message = format!(
                "some other columns are left out: {MOST_COLUMNS} of text, numbers or truth values are kept at most"
            );
            self.find(Finding::note(FindingKind::ColumnNames, message));
        }
        let height = self.captions.len();
        let columns = self.others.into_iter().map(|mut other| {
            other.pad(height);
            other.cells.finish().into_series().into_column()
        });
        let columns = self.typed.unwrap_or_else(|| {
            DataFrame::new(height, columns.collect())
                .expect("the columns are padded to one height and their names differ")
        });
        Ok(Rows {
            captions: self.captions,
            findings: self.findings,
            columns,
            id_column: self.id_column,
            caption_column: self.caption_column,
        })
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
