//! A worksheet: its cells, row by row, as the texts that a reader of the sheet sees.

use quick_xml::events::Event;

use super::damaged;
use super::part::{Part, attribute};
use super::text::{DateStyles, Strings, unescaped};
use crate::builder::Builder;
use crate::column::Picker;
use crate::error::ReadProblem;
use crate::finding::{Finding, FindingKind};
use crate::tabular::Tabular;

/// Columns that a sheet has at most: Excel's own limit.
const MOST_COLUMNS: usize = 16_384;

/// Reads the cells of a sheet.
pub(super) fn read(
    part: &mut Part<'_>,
    strings: &Strings,
    dates: &DateStyles,
    picker: &Picker<'_>,
    rows: &mut Builder,
) -> Result<(), ReadProblem> {
    let mut row = Row { fields: Vec::new(), filled: Vec::new(), table: Tabular::new(picker, rows) };
    // Places that are left out are those behind the one before.
    let (mut line, mut column) = (0, 0);
    let mut text = String::new();
    loop {
        let cell = match part.next()? {
            Event::Eof => return Err(damaged("its sheet does not end")),
            Event::End(element) if element.local_name().as_ref() == "sheetData" => break,
            Event::End(element) if element.local_name().as_ref() == "row" => {
                row.end(line)?;
                continue;
            }
            Event::Start(element) => match element.local_name().as_ref() {
                "row" => {
                    let number = attribute(&element, "r").and_then(|r| r.parse().ok());
                    (line, column) = (number.unwrap_or(line.saturating_add(1)), 0);
                    continue;
                }
                "c" => element.into_owned(),
                _ => continue,
            },
            _ => continue,
        };
        if let Some(place) = attribute(&cell, "r") {
            column = column_of(&place).unwrap_or(column);
        }
        let kind = attribute(&cell, "t").unwrap_or_default();
        let style = attribute(&cell, "s").and_then(|s| s.parse().ok()).unwrap_or(0);
        text.clear();
        value(part, &mut text)?;
        match kind.as_str() {
            "s" if !text.is_empty() => {
                match text.trim().parse().ok().and_then(|at| strings.get(at)) {
                    Some(text) => row.fill(column, &unescaped(text)),
                    None => row.missing(line, &text),
                }
            }
            "str" | "inlineStr" => row.fill(column, &unescaped(&text)),
            "b" => row.fill(column, if text.trim() == "1" { "True" } else { "False" }),
            "" | "n" => row.fill(column, &dates.number(&text, style)),
            // Errors and dates in words stand as they are.
            _ => row.fill(column, &text),
        }
        column = column.saturating_add(1);
    }
    match row.table.width() {
        Some(_) => Ok(()),
        None => Err(ReadProblem::Empty),
    }
}

/// The value of a cell, up to its end: what was computed, or a text in the cell itself, but never a formula.
fn value(part: &mut Part<'_>, text: &mut String) -> Result<(), ReadProblem> {
    loop {
        let name = match part.next()? {
            Event::Eof => return Err(damaged("a cell in it does not end")),
            Event::End(element) if element.local_name().as_ref() == "c" => return Ok(()),
            Event::Start(element) => match element.local_name().as_ref() {
                "v" => "v",
                "is" => "is",
                _ => continue,
            },
            _ => continue,
        };
        part.text_until(name, text)?;
    }
}

/// The cells of a row. Rows are as wide as the first, and only what is filled is emptied again: a few bytes may name a far column.
struct Row<'a> {
    fields: Vec<String>,
    filled: Vec<usize>,
    table: Tabular<'a>,
}

impl Row<'_> {
    fn fill(&mut self, column: usize, text: &str) {
        let most = self.table.width().unwrap_or(MOST_COLUMNS);
        if column >= most || text.is_empty() {
            return;
        }
        if column >= self.fields.len() {
            self.fields.resize(column + 1, String::new());
        }
        self.fields[column].clear();
        self.fields[column].push_str(text);
        self.filled.push(column);
    }

    fn missing(&mut self, line: u64, number: &str) {
        let message = format!(
            "row {line} of the sheet points at text {}, which the workbook does not have; save it again",
            crate::finding::shown(number)
        );
        let finding = Finding::error(FindingKind::WrongType, message);
        self.table.rows.find(finding.at(self.table.row + 1));
    }

    /// Hands the row on, unless it is empty.
    fn end(&mut self, line: u64) -> Result<(), ReadProblem> {
        if self.filled.is_empty() {
            return Ok(());
        }
        self.table.take(&self.fields, line)?;
        for column in self.filled.drain(..) {
            self.fields[column].clear();
        }
        Ok(())
    }
}

/// The column of a place such as `AB12`, from 0 on.
fn column_of(place: &str) -> Option<usize> {
    let letters = place.bytes().take_while(u8::is_ascii_alphabetic);
    let number = letters.fold(0usize, |number, letter| {
        number
            .saturating_mul(26)
            .saturating_add(usize::from(letter.to_ascii_uppercase() - b'A') + 1)
    });
    number.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_in_letters() {
        for (place, column) in [
            ("A1", Some(0)),
            ("Z9", Some(25)),
            ("AA1", Some(26)),
            ("XFD1", Some(16_383)),
            ("7", None),
        ] {
            assert_eq!(column_of(place), column);
        }
        assert!(column_of(&"Z".repeat(40)).is_some());
    }
}
