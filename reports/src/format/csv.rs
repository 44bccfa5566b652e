//! CSV: numbers in full, and no text that a spreadsheet would run as a formula or a terminal obey.

use fgd_store::spreadsheet::defused;
use fgd_store::terminal::visible;

use crate::document::{Table, Tidy, Value};

/// Writing to memory can not fail.
const IN_MEMORY: &str = "memory takes every write, and texts are UTF-8";

/// A table as CSV, its numbers in full.
pub fn of_table(table: &Table) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = table.columns.iter().map(|column| defused(&column.name));
    writer.write_record(header.map(|name| name.into_owned())).expect(IN_MEMORY);
    for row in &table.rows {
        let cells = row.iter().zip(&table.columns).map(|(cell, column)| match cell.sort {
            Some(number) if column.number => number.to_string(),
            _ => defused(&cell.text).into_owned(),
        });
        writer.write_record(cells).expect(IN_MEMORY);
    }
    let bytes = writer.into_inner().expect(IN_MEMORY);
    String::from_utf8(bytes).expect(IN_MEMORY)
}

/// The rows as CSV, with a header and a final newline.
pub fn render(tidy: &Tidy) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(tidy.header).expect(IN_MEMORY);
    for row in &tidy.rows {
        let cells = row.iter().map(|value| match value {
            Value::Text(text) => defused(&visible(text)).into_owned(),
            Value::Number(number) => number.map(|n| n.to_string()).unwrap_or_default(),
        });
        writer.write_record(cells).expect(IN_MEMORY);
    }
    let bytes = writer.into_inner().expect(IN_MEMORY);
    String::from_utf8(bytes).expect(IN_MEMORY)
}
