//! The history as a file that other programs read: JSON Lines, Parquet or CSV. What CSV keeps is for tables and people: its
//! texts are made harmless for spreadsheets, so only the other two can be imported.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use fgd_captions::{Kind, Table, TableFormat, read_parquet};
use serde_json::{Map, Value};

use super::{History, HistoryError, Row};

/// The columns of a [`Row`], so that one that is empty has its type all the same.
const COLUMNS: [(&str, Kind); 28] = [
    ("suite", Kind::Text),
    ("started", Kind::Text),
    ("version", Kind::Text),
    ("commit", Kind::Text),
    ("night_host", Kind::Text),
    ("cpu", Kind::Text),
    ("system", Kind::Text),
    ("metric", Kind::Text),
    ("kind", Kind::Text),
    ("definition", Kind::Text),
    ("host", Kind::Text),
    ("engine", Kind::Text),
    ("dtype", Kind::Text),
    ("threads", Kind::Count),
    ("unit", Kind::Text),
    ("higher_is_better", Kind::Flag),
    ("outcome", Kind::Text),
    ("value", Kind::Number),
    ("low", Kind::Number),
    ("high", Kind::Number),
    ("first", Kind::Number),
    ("standing", Kind::Text),
    ("verdict", Kind::Text),
    ("reason", Kind::Text),
    ("inputs", Kind::Text),
    ("record", Kind::Text),
    ("accepted", Kind::Text),
    ("note", Kind::Text),
];

/// The format of a file to export to, by its extension.
///
/// # Errors
/// Another extension than those of JSON Lines, Parquet and CSV.
pub fn format_of(path: &Path) -> Result<TableFormat, HistoryError> {
    TableFormat::of(path).map_err(|_| wrong(path, "name it .jsonl, .parquet or .csv"))
}

/// The format of a file to import, by its extension.
///
/// # Errors
/// Another extension than those of JSON Lines and Parquet: what CSV keeps is not all.
pub fn format_to_import(path: &Path) -> Result<TableFormat, HistoryError> {
    TableFormat::of(path).ok().filter(|format| *format != TableFormat::Csv).ok_or_else(|| {
        wrong(path, "a history is imported from .jsonl or .parquet: export it as one of these")
    })
}

/// The history of a suite as the bytes of a file, and how many rows it has.
///
/// # Errors
/// A history that cannot be read.
pub fn export(
    history: &History,
    suite: &str,
    format: TableFormat,
) -> Result<(Vec<u8>, usize), HistoryError> {
    let (mut bytes, mut count) = (Vec::new(), 0);
    let mut rows: Vec<Map<String, Value>> = Vec::new();
    history.export(suite, &mut |row| {
        count += 1;
        if format == TableFormat::JsonLines {
            serde_json::to_writer(&mut bytes, &row).map_err(unwritable)?;
            return bytes.write_all(b"\n").map_err(unwritable);
        }
        if let Value::Object(row) = serde_json::to_value(&row).map_err(unwritable)? {
            rows.push(row);
        }
        Ok(())
    })?;
    if format != TableFormat::JsonLines {
        let table = Table::from_rows(&COLUMNS, &rows);
        table.write(format, &mut bytes).map_err(unwritable)?;
    }
    Ok((bytes, count))
}

/// What came of a file of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// How many figures it has.
    pub figures: usize,
    /// In whose place another value stood.
    pub replaced: usize,
}

/// Reads a file of rows and writes them to the history: all of them or none.
///
/// # Errors
/// A file that cannot be read; a row that nobody could have exported, by its number.
pub fn import(history: &mut History, path: &Path) -> Result<Imported, HistoryError> {
    let rows = match format_to_import(path)? {
        TableFormat::JsonLines => read_lines(path)?,
        _ => {
            let table = read_parquet(path, &COLUMNS)?;
            (table.rows().enumerate())
                .map(|(index, row)| {
                    serde_json::from_value(row.into()).map_err(|error| at(path, index, error))
                })
                .collect::<Result<Vec<Row>, _>>()?
        }
    };
    let replaced = history.import(&rows).map_err(|error| match error {
        HistoryError::Row { problem } => wrong(path, &problem),
        error => error,
    })?;
    Ok(Imported { figures: rows.len(), replaced })
}

fn read_lines(path: &Path) -> Result<Vec<Row>, HistoryError> {
    let file = std::fs::File::open(path).map_err(|error| wrong(path, &error.to_string()))?;
    let mut rows = Vec::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| at(path, index, error))?;
        if !line.trim().is_empty() {
            rows.push(serde_json::from_str(&line).map_err(|error| at(path, index, error))?);
        }
    }
    Ok(rows)
}

fn at(path: &Path, index: usize, error: impl std::fmt::Display) -> HistoryError {
    wrong(path, &format!("row {}: {error}", index + 1))
}

fn wrong(path: &Path, problem: &str) -> HistoryError {
    HistoryError::Exchange { path: path.into(), problem: problem.into() }
}

fn unwritable(error: impl std::fmt::Display) -> HistoryError {
    HistoryError::Row { problem: error.to_string() }
}
