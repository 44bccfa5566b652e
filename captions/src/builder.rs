//! Collects the rows of a caption file, whatever its format, and keeps the other columns beside them.

use polars::prelude::{DataFrame, IntoColumn, IntoSeries, StringChunkedBuilder};

use super::Caption;
use super::finding::{Finding, FindingKind};

/// Other columns kept at most: records with ever new keys must not fill the memory.
const MOST_COLUMNS: usize = 64;

/// Where the readers put rows and findings.
pub(super) struct Builder {
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
    pub fn new(findings: Vec<Finding>) -> Self {
        Self {
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

    pub fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
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
        self.captions.push(Caption { row, line, id: trimmed.to_owned(), text });
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
        self.typed = Some(columns);
    }

    pub fn columns_left_out(&mut self) {
        self.columns_left_out = true;
    }

    /// Whether another column of its own type fits.
    pub fn keeps(columns: usize) -> bool {
        columns < MOST_COLUMNS
    }

    pub fn finish(mut self) -> Rows {
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
        Rows {
            captions: self.captions,
            findings: self.findings,
            columns,
            id_column: self.id_column,
            caption_column: self.caption_column,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_columns_stay_aligned_with_gaps() {
        let mut rows = Builder::new(Vec::new());
        rows.push(1, None, "a", "x".into());
        rows.push(2, None, " b ", "y".into());
        let usage = rows.column("Usage").unwrap();
        rows.cell(usage, "Public");
        rows.cell(usage, "given twice in one record");
        rows.push(3, None, "", "z".into());
        let rows = rows.finish();
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
    fn the_number_of_columns_is_bounded() {
        let mut rows = Builder::new(Vec::new());
        rows.push(1, None, "a", String::new());
        let kept = (0..100).filter(|n| rows.column(&n.to_string()).is_some()).count();
        assert_eq!(kept, MOST_COLUMNS);
        let rows = rows.finish();
        assert_eq!(rows.columns.shape(), (1, MOST_COLUMNS));
        assert_eq!(rows.findings[0].kind, FindingKind::ColumnNames);
    }
}
