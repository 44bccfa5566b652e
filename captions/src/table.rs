//! Writes a table, one row per caption, as CSV, Parquet or JSON Lines.
//!
//! CSV files are opened in spreadsheets, which run a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return as a
//! formula, and captions are text that someone else wrote. In text columns, and in column names, such cells get an apostrophe in
//! front. Numbers, Parquet and JSON Lines are written as they are.

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use polars::prelude::{
    AnyValue, Column, CsvWriter, DataFrame, DataType, IntoColumn, IntoSeries, ParquetWriter,
    PolarsError, PolarsResult, SerWriter, StringChunked,
};
use serde_json::Value;
use tempfile::NamedTempFile;

/// Why a table could not be written; the message names the file.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The extension names no format that tables are written in.
    #[error("{}: tables are written as .csv, .parquet or .jsonl; choose one of these extensions", .0.display())]
    Extension(PathBuf),
    /// The file cannot be created, written or put in its place.
    #[error("{}: cannot be written: {source}", .path.display())]
    Io {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The table holds something that the format does not.
    #[error("{}: cannot be written in this format: {source}", .path.display())]
    Table {
        /// The path as given.
        path: PathBuf,
        /// What polars said.
        source: PolarsError,
    },
}

type Write = fn(&mut DataFrame, &mut BufWriter<NamedTempFile>) -> PolarsResult<()>;

fn writer_for(path: &Path) -> Result<Write, TableError> {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "csv" => Ok(write_csv),
        "parquet" => Ok(write_parquet),
        "jsonl" | "ndjson" => Ok(write_json_lines),
        _ => Err(TableError::Extension(path.to_owned())),
    }
}

/// Checks that a table can be written to `path`, before the work that fills it: a known extension and a writable folder.
///
/// # Errors
/// As [`write_table`].
pub fn check_table_path(path: &Path) -> Result<(), TableError> {
    writer_for(path)?;
    temporary_beside(path)
        .map(drop)
        .map_err(|source| TableError::Io {
            path: path.to_owned(),
            source,
        })
}

/// Writes `table` to `path`, in the format of its extension (.csv, .parquet, .jsonl or .ndjson): wholly or not at all, since a
/// temporary file in the same directory takes the name only when it is complete.
///
/// # Errors
/// For another extension, before anything is written, and when the file or the table cannot be written.
pub fn write_table(table: &mut DataFrame, path: &Path) -> Result<(), TableError> {
    let write = writer_for(path)?;
    let io = |source| TableError::Io {
        path: path.to_owned(),
        source,
    };
    let file = temporary_beside(path).map_err(io)?;
    let mut writer = BufWriter::new(file);
    write(table, &mut writer).map_err(|source| TableError::Table {
        path: path.to_owned(),
        source,
    })?;
    let file = writer
        .into_inner()
        .map_err(|error| io(error.into_error()))?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

type Writer = BufWriter<NamedTempFile>;

fn write_csv(table: &mut DataFrame, writer: &mut Writer) -> PolarsResult<()> {
    let columns = table
        .columns()
        .iter()
        .map(defused)
        .collect::<PolarsResult<Vec<Column>>>()?;
    CsvWriter::new(writer).finish(&mut DataFrame::new(table.height(), columns)?)
}

fn write_parquet(table: &mut DataFrame, writer: &mut Writer) -> PolarsResult<()> {
    ParquetWriter::new(writer).finish(table).map(|_| ())
}

fn write_json_lines(table: &mut DataFrame, writer: &mut Writer) -> PolarsResult<()> {
    for row in 0..table.height() {
        let mut object = serde_json::Map::new();
        for column in table.columns() {
            object.insert(column.name().to_string(), json_of(column.get(row)?));
        }
        serde_json::to_writer(&mut *writer, &object).map_err(io::Error::from)?;
        io::Write::write_all(writer, b"\n")?;
    }
    Ok(())
}

fn json_of(value: AnyValue) -> Value {
    match value {
        AnyValue::Null => Value::Null,
        AnyValue::Boolean(value) => value.into(),
        AnyValue::Float64(value) => value.into(),
        AnyValue::Float32(value) => value.into(),
        AnyValue::UInt64(value) => value.into(),
        AnyValue::Int64(value) => value.into(),
        AnyValue::UInt32(value) => value.into(),
        AnyValue::Int32(value) => value.into(),
        other => other.str_value().into(),
    }
}

/// The column with its formulas made text.
fn defused(column: &Column) -> PolarsResult<Column> {
    let name = as_text(column.name());
    if column.dtype() != &DataType::String {
        return Ok(column.clone().with_name(name.as_str().into()));
    }
    let cells: StringChunked = column.str()?.iter().map(|cell| cell.map(as_text)).collect();
    Ok(cells
        .into_series()
        .with_name(name.as_str().into())
        .into_column())
}

fn as_text(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// A temporary file in the directory of `path`, with the permissions that any new file gets.
fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".fgd-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The umask applies; tempfile's own default would keep the result from everybody but its owner.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(directory.unwrap_or(Path::new(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> DataFrame {
        let captions = ["=1+1", "-a", "@x", "a \"dog\", café", "line\nbreak"];
        let columns = vec![
            Column::new("=id".into(), ["1", "2", "3", "4", "5"]),
            Column::new("caption".into(), captions),
            Column::new("score".into(), [-0.5, 0.25, 1.0, 0.0, 2.0]),
        ];
        DataFrame::new(5, columns).unwrap()
    }

    fn written(name: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        write_table(&mut table(), &path).unwrap();
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no temporary file stays"
        );
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn csv_cells_are_text_for_spreadsheets() {
        assert_eq!(
            written("a.csv"),
            "'=id,caption,score\n1,'=1+1,-0.5\n2,'-a,0.25\n3,'@x,1.0\n4,\"a \"\"dog\"\", café\",0.0\n5,\"line\nbreak\",2.0\n"
        );
    }

    #[test]
    fn json_lines_keep_every_cell() {
        let lines: Vec<serde_json::Value> = written("a.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 5);
        assert_eq!(
            lines[0],
            serde_json::json!({"=id": "1", "caption": "=1+1", "score": -0.5})
        );
        assert_eq!(lines[4]["caption"], "line\nbreak");
    }

    #[test]
    fn a_failure_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "old").unwrap();
        let message = write_table(&mut table(), &path).unwrap_err().to_string();
        assert!(message.contains(".parquet"), "{message}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        let missing = folder.path().join("no/such.csv");
        let message = write_table(&mut table(), &missing).unwrap_err().to_string();
        assert!(
            message.contains("such.csv") && message.contains("cannot be written"),
            "{message}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_it_as_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        let (plain, table_path) = (folder.path().join("plain"), folder.path().join("a.parquet"));
        std::fs::write(&plain, "").unwrap();
        write_table(&mut table(), &table_path).unwrap();
        assert_eq!(mode(&table_path), mode(&plain));
    }
}
