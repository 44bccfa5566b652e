//! Tables for data frames: named columns of text, counts, numbers or flags, written as CSV, Parquet or JSON Lines.
//!
//! polars stays behind them, here as in the readers of caption files. CSV is what spreadsheets open, so its texts are
//! [`defused`](fgd_store::spreadsheet::defused); Parquet and JSON Lines are written as they are.

use std::io::{self, Write};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use fgd_store::file::{FileError, Output};
use fgd_store::spreadsheet::defused;
use polars::prelude::{
    Column, CsvWriter, DataFrame, DataType, IntoColumn, NamedFrom, ParquetReader, ParquetWriter,
    PolarsResult, SerReader, SerWriter, Series, polars_bail,
};
use serde_json::{Map, Value};

use super::parquet;

/// What stands in the cells of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number from 0.
    Count,
    /// A number.
    Number,
    /// True or false.
    Flag,
}

/// The cells of a column; `None` is a null.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Texts.
    Text(Vec<Option<String>>),
    /// Whole numbers from 0.
    Count(Vec<Option<u64>>),
    /// Numbers.
    Number(Vec<Option<f64>>),
    /// Truth values.
    Flag(Vec<Option<bool>>),
}

impl Cells {
    /// Texts without nulls.
    pub fn text<T: Into<String>>(cells: impl IntoIterator<Item = T>) -> Self {
        Self::Text(cells.into_iter().map(|cell| Some(cell.into())).collect())
    }

    /// Counts without nulls.
    pub fn counts(cells: impl IntoIterator<Item = u64>) -> Self {
        Self::Count(cells.into_iter().map(Some).collect())
    }

    /// Numbers; null where one is not finite.
    pub fn numbers(cells: impl IntoIterator<Item = f64>) -> Self {
        let known = |cell: f64| cell.is_finite().then_some(cell);
        Self::Number(cells.into_iter().map(known).collect())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(cells) => cells.len(),
            Self::Count(cells) => cells.len(),
            Self::Number(cells) => cells.len(),
            Self::Flag(cells) => cells.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn json(&self, row: usize) -> Value {
        match self {
            Self::Text(cells) => cells[row].clone().into(),
            Self::Count(cells) => cells[row].into(),
            Self::Number(cells) => cells[row].into(),
            Self::Flag(cells) => cells[row].into(),
        }
    }

    fn from_json<'a>(kind: Kind, cells: impl Iterator<Item = Option<&'a Value>>) -> Self {
        let cells = cells.map(|cell| cell.unwrap_or(&Value::Null));
        match kind {
            Kind::Text => Self::Text(cells.map(|cell| cell.as_str().map(str::to_owned)).collect()),
            Kind::Count => Self::Count(cells.map(Value::as_u64).collect()),
            Kind::Number => Self::Number(cells.map(Value::as_f64).collect()),
            Kind::Flag => Self::Flag(cells.map(Value::as_bool).collect()),
        }
    }

    fn from_column(kind: Kind, column: &Column) -> PolarsResult<Self> {
        Ok(match kind {
            Kind::Text => {
                let cells = column.strict_cast(&DataType::String)?;
                let texts = cells.str()?.iter();
                Self::Text(texts.map(|cell| cell.map(str::to_owned)).collect())
            }
            Kind::Count if column.dtype().is_float() => {
                polars_bail!(SchemaMismatch: "holds {}, not counts", column.dtype())
            }
            Kind::Count => {
                Self::Count(column.strict_cast(&DataType::UInt64)?.u64()?.iter().collect())
            }
            Kind::Number => {
                Self::Number(column.strict_cast(&DataType::Float64)?.f64()?.iter().collect())
            }
            Kind::Flag => {
                Self::Flag(column.strict_cast(&DataType::Boolean)?.bool()?.iter().collect())
            }
        })
    }

    fn to_column(&self, name: &str) -> Column {
        let name = name.into();
        match self {
            Self::Text(cells) => Series::new(name, cells),
            Self::Count(cells) => Series::new(name, cells),
            Self::Number(cells) => Series::new(name, cells),
            Self::Flag(cells) => Series::new(name, cells),
        }
        .into_column()
    }
}

/// Named columns of one height.
///
/// ```
/// use fgd_captions::{Cells, Kind, Table, TableFile, read_parquet};
///
/// let mut table = Table::default();
/// table.push("caption", Cells::text(["a red bus", "two dogs"]));
/// table.push("distance", Cells::numbers([0.25, 0.5]));
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("captions.parquet");
/// TableFile::create(&path)?.write(&table)?;
/// assert_eq!(read_parquet(&path, &[("caption", Kind::Text), ("distance", Kind::Number)])?, table);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<(String, Cells)>,
}

impl Table {
    /// Adds a column.
    ///
    /// # Panics
    /// It is not as high as the others.
    pub fn push(&mut self, name: &str, cells: Cells) {
        assert!(
            self.columns.is_empty() || cells.len() == self.height(),
            "column {name} has {} cells, the others {}",
            cells.len(),
            self.height()
        );
        self.columns.push((name.to_owned(), cells));
    }

    /// The columns `columns` of `rows`, such as those of JSON Lines. What is missing or of another kind is null.
    pub fn from_rows(columns: &[(&str, Kind)], rows: &[Map<String, Value>]) -> Self {
        let mut table = Self::default();
        for &(name, kind) in columns {
            table.push(name, Cells::from_json(kind, rows.iter().map(|row| row.get(name))));
        }
        table
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.columns.first().map_or(0, |(_, cells)| cells.len())
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Cells> {
        let found = self.columns.iter().find(|(known, _)| known == name);
        found.map(|(_, cells)| cells)
    }

    /// The rows as JSON objects, nulls and all.
    pub fn rows(&self) -> impl Iterator<Item = Map<String, Value>> {
        (0..self.height()).map(|row| {
            let cell = |(name, cells): &(String, Cells)| (name.clone(), cells.json(row));
            self.columns.iter().map(cell).collect()
        })
    }

    /// Writes the table in a format.
    ///
    /// # Errors
    /// What `out` refuses, and two columns of one name where the format has no room for them.
    pub fn write(&self, format: TableFormat, mut out: impl Write) -> io::Result<()> {
        match format {
            TableFormat::JsonLines => {
                for row in self.rows() {
                    serde_json::to_writer(&mut out, &row)?;
                    out.write_all(b"\n")?;
                }
                Ok(())
            }
            TableFormat::Csv => {
                let mut frame = self.defused().frame().map_err(io::Error::other)?;
                CsvWriter::new(out).finish(&mut frame).map_err(io::Error::other)
            }
            TableFormat::Parquet => {
                let mut frame = self.frame().map_err(io::Error::other)?;
                let written = ParquetWriter::new(out).finish(&mut frame);
                written.map(|_| ()).map_err(io::Error::other)
            }
        }
    }

    fn frame(&self) -> PolarsResult<DataFrame> {
        let columns = self.columns.iter().map(|(name, cells)| cells.to_column(name));
        DataFrame::new(self.height(), columns.collect())
    }

    /// The table with its formulas made text.
    fn defused(&self) -> Self {
        let columns = self.columns.iter().map(|(name, cells)| {
            let cells = match cells {
                Cells::Text(cells) => {
                    let texts = cells.iter().map(Option::as_deref);
                    Cells::Text(texts.map(|cell| cell.map(|text| defused(text).into())).collect())
                }
                others => others.clone(),
            };
            (defused(name).into(), cells)
        });
        Self { columns: columns.collect() }
    }
}

/// Formats that tables are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// Comma-separated values, with formulas made text.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// One JSON object per line.
    JsonLines,
}

impl TableFormat {
    /// The format that a file's extension says: .csv, .parquet, .jsonl or .ndjson.
    ///
    /// # Errors
    /// Another extension.
    pub fn of(path: &Path) -> Result<Self, TableError> {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            Some("jsonl" | "ndjson") => Ok(Self::JsonLines),
            _ => Err(TableError::Extension(path.to_owned())),
        }
    }
}

/// Why a table could not be written or read; the message names the file.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The extension names no format that tables are written in.
    #[error("{}: tables are written as .csv, .parquet or .jsonl; choose one of these extensions", .0.display())]
    Extension(PathBuf),
    /// The file cannot be created or put in its place.
    #[error(transparent)]
    File(#[from] FileError),
    /// The table cannot be written in this format, or not all of it.
    #[error("{}: cannot be written: {source}", .path.display())]
    Write {
        /// The path as given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be read, or is not the table that it should be.
    #[error("{}: {reason}", .path.display())]
    Read {
        /// The path as given.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// The file of a table that is still to be filled: opened before the work, so that an unwritable place is found out at once.
#[derive(Debug)]
pub struct TableFile {
    format: TableFormat,
    output: Output,
}

impl TableFile {
    /// Opens the file in the format of its extension.
    ///
    /// # Errors
    /// Another extension, or a place that cannot be written.
    pub fn create(path: &Path) -> Result<Self, TableError> {
        Ok(Self { format: TableFormat::of(path)?, output: Output::create(path)? })
    }

    /// Writes the table and puts the file into its place, wholly or not at all.
    ///
    /// # Errors
    /// As [`Table::write`], and what the system refuses.
    pub fn write(mut self, table: &Table) -> Result<(), TableError> {
        table
            .write(self.format, &mut self.output)
            .map_err(|source| TableError::Write { path: self.output.path().to_owned(), source })?;
        Ok(self.output.commit()?)
    }
}

/// Reads the columns `columns` of a Parquet file as these kinds; one that is not there is null throughout.
///
/// # Errors
/// A file that cannot be read, is damaged, or holds in such a column what is of another kind.
pub fn read_parquet(path: &Path, columns: &[(&str, Kind)]) -> Result<Table, TableError> {
    let failed = |reason: String| TableError::Read {
        path: path.to_owned(),
        reason: reason.replace('\n', " "),
    };
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let bytes = parquet::looked_at(bytes).map_err(|error| failed(error.to_string()))?;
    // The Parquet reader has assertions about the file's inner offsets, so a damaged file may panic in it.
    let frame = std::panic::catch_unwind(AssertUnwindSafe(|| {
        ParquetReader::new(io::Cursor::new(&*bytes)).finish()
    }))
    .map_err(|_| failed("its inner structure is damaged".into()))?
    .map_err(|error| failed(error.to_string()))?;
    let mut table = Table::default();
    for &(name, kind) in columns {
        let cells = match frame.column(name) {
            Ok(column) => Cells::from_column(kind, column)
                .map_err(|error| failed(format!("column {name}: {error}")))?,
            Err(_) => Cells::from_json(kind, (0..frame.height()).map(|_| None)),
        };
        table.push(name, cells);
    }
    Ok(table)
}
