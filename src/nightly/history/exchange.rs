//! The history as a file that other programs read: JSON Lines, or Parquet.

use super::{History, HistoryError, Row};
use polars::prelude::{
    AnyValue, Column, DataFrame, DataType, Field, ParquetReader, ParquetWriter, PolarsError,
    PolarsResult, Schema, SerReader,
};
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Cursor, Write};
use std::path::Path;

/// A form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON object per line.
    JsonLines,
    /// Parquet.
    Parquet,
}

impl Form {
    /// The form that a file's extension says.
    pub fn of(path: &Path) -> Result<Self, HistoryError> {
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("jsonl" | "ndjson") => Ok(Self::JsonLines),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(wrong(path, "name it .jsonl or .parquet")),
        }
    }
}

/// The history of a suite as the bytes of a file, and how many rows it has.
pub fn export(
    history: &History,
    suite: &str,
    form: Form,
) -> Result<(Vec<u8>, usize), HistoryError> {
    let mut lines = Vec::new();
    let mut rows = 0;
    history.export(suite, &mut |row| {
        serde_json::to_writer(&mut lines, &row).map_err(unwritable)?;
        rows += 1;
        lines.write_all(b"\n").map_err(unwritable)
    })?;
    match form {
        Form::JsonLines => Ok((lines, rows)),
        Form::Parquet => Ok((to_parquet(&lines).map_err(unwritable)?, rows)),
    }
}

/// Reads a file of rows and writes them to the history: all of them or none. Answers how many there were.
pub fn import(history: &mut History, path: &Path) -> Result<usize, HistoryError> {
    let form = Form::of(path)?;
    let bytes = std::fs::read(path).map_err(|error| wrong(path, &error.to_string()))?;
    let lines = match form {
        Form::JsonLines => bytes,
        Form::Parquet => from_parquet(bytes).map_err(|error| wrong(path, &error.to_string()))?,
    };
    let mut rows: Vec<Row> = Vec::new();
    for (index, line) in BufReader::new(lines.as_slice()).lines().enumerate() {
        let place = |problem: String| wrong(path, &format!("row {}: {problem}", index + 1));
        let line = line.map_err(|error| place(error.to_string()))?;
        if !line.trim().is_empty() {
            rows.push(serde_json::from_str(&line).map_err(|error| place(error.to_string()))?);
        }
    }
    history.import(&rows)?;
    Ok(rows.len())
}

/// The columns of a row, so that one that is empty has its type all the same.
fn schema() -> Schema {
    let text = [
        "suite",
        "started",
        "version",
        "commit",
        "night_host",
        "cpu",
        "system",
        "metric",
        "kind",
        "definition",
        "host",
        "engine",
        "dtype",
    ];
    let fields = text
        .map(|name| Field::new(name.into(), DataType::String))
        .into_iter();
    let field = |name: &str, kind: DataType| Field::new(name.into(), kind);
    fields
        .chain([
            field("threads", DataType::UInt32),
            field("unit", DataType::String),
            field("higher_is_better", DataType::Boolean),
            field("outcome", DataType::String),
            field("value", DataType::Float64),
            field("low", DataType::Float64),
            field("high", DataType::Float64),
            field("first", DataType::Float64),
        ])
        .chain(
            [
                "standing", "verdict", "reason", "inputs", "record", "accepted", "note",
            ]
            .map(|name| Field::new(name.into(), DataType::String)),
        )
        .collect()
}

fn to_parquet(lines: &[u8]) -> PolarsResult<Vec<u8>> {
    let rows = serde_json::Deserializer::from_slice(lines)
        .into_iter::<Map<String, Value>>()
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| PolarsError::ComputeError(error.to_string().into()))?;
    let columns = schema()
        .iter()
        .map(|(name, kind)| {
            let cells: Vec<AnyValue> = rows
                .iter()
                .map(|row| match row.get(name.as_str()) {
                    Some(Value::String(text)) => AnyValue::String(text),
                    Some(Value::Bool(value)) => AnyValue::Boolean(*value),
                    Some(Value::Number(number)) => {
                        AnyValue::Float64(number.as_f64().unwrap_or(f64::NAN))
                    }
                    _ => AnyValue::Null,
                })
                .collect();
            let series = polars::prelude::Series::from_any_values(name.clone(), &cells, false)?;
            Ok(Column::from(series.cast(kind)?))
        })
        .collect::<PolarsResult<Vec<_>>>()?;
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut DataFrame::new(rows.len(), columns)?)?;
    Ok(bytes)
}

fn from_parquet(bytes: Vec<u8>) -> PolarsResult<Vec<u8>> {
    let table = ParquetReader::new(Cursor::new(bytes)).finish()?;
    let mut lines = Vec::new();
    for row in 0..table.height() {
        let mut object = Map::new();
        for column in table.columns() {
            let value = match column.get(row)? {
                AnyValue::Null => Value::Null,
                AnyValue::Boolean(value) => value.into(),
                AnyValue::Float64(value) => value.into(),
                AnyValue::UInt32(value) => value.into(),
                other => other.str_value().into(),
            };
            object.insert(column.name().to_string(), value);
        }
        serde_json::to_writer(&mut lines, &object)
            .map_err(|error| PolarsError::ComputeError(error.to_string().into()))?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn wrong(path: &Path, problem: &str) -> HistoryError {
    HistoryError::Exchange {
        path: path.into(),
        problem: problem.into(),
    }
}

fn unwritable(error: impl std::fmt::Display) -> HistoryError {
    HistoryError::Row {
        problem: error.to_string(),
    }
}
