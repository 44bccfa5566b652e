//! Caption files in Apache Parquet.
//!
//! Every row is a record, so that nested columns, lists of captions and known documents are what they are in JSON. A damaged footer
//! is an error like any other, and so is damage inside the pages: what they claim is looked at ([`pages`]) before polars allocates
//! it. (polars does not check the optional checksums of pages.)

mod groups;

use std::io::Cursor;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use polars::io::parquet::read::_internal::to_deserializer;
use polars::io::parquet::read::{FileMetadata, infer_schema};
use polars::prelude::{ParquetReader, PolarsError, SerReader};
use polars_arrow::array::Array;
use polars_arrow::datatypes::{ArrowSchema, Field};
use polars_buffer::Buffer;
use serde_json::{Map, Value};

use super::builder::Builder;
use super::column::{Layout, Picker, listed};
use super::error::ReadProblem;
use super::finding::{Finding, FindingKind};
use super::json::{Records, nested};
use super::names::{is_caption_name, is_id_name};
use super::{Format, arrow, pages, source};
pub(super) use groups::{Cutter, Groups};

/// Columns of nested values that known documents have; others are not even decoded.
const NESTED: [&str; 4] = ["conversations", "messages", "doc", "output"];

/// Bytes of a file, or of some of its groups of rows.
pub(super) struct Content {
    bytes: Buffer<u8>,
    /// Where they start in the file.
    start: u64,
    /// Rows of the file before them.
    rows: u64,
}

impl Content {
    /// What lies at so many bytes of the file.
    pub(super) fn range(&self, range: &Range<u64>) -> Option<Range<usize>> {
        let place = |at: u64| usize::try_from(at.checked_sub(self.start)?).ok();
        let range = place(range.start)?..place(range.end)?;
        (range.start <= range.end && range.end <= self.bytes.len()).then_some(range)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

const DAMAGED: &str = "its inner structure is damaged";

/// Reads a whole file whose columns decompress to at most `max_bytes`, and to no more than is in proportion to its size.
pub(super) fn read(
    bytes: Vec<u8>,
    max_bytes: u64,
    picker: &Picker<'_>,
    rows: &mut Builder,
) -> Result<Format, ReadProblem> {
    guarded(bytes.len(), max_bytes, |limit| {
        let bytes = Buffer::from(bytes);
        let metadata = ParquetReader::new(Cursor::new(&*bytes)).get_metadata().cloned();
        let content = Content { bytes, start: 0, rows: 0 };
        records(&content, &*metadata.map_err(damaged)?, limit, picker, rows)
    })
}

/// Reads groups of rows likewise.
pub(super) fn read_groups(
    groups: &Groups,
    max_bytes: u64,
    picker: &Picker<'_>,
    rows: &mut Builder,
) -> Result<Format, ReadProblem> {
    let Groups { content, metadata } = groups;
    guarded(content.bytes.len(), max_bytes, |limit| records(content, metadata, limit, picker, rows))
}

/// The bytes of a file of whatever columns, once none of them decompresses to more than is in proportion to its size.
pub(super) fn looked_at(bytes: Vec<u8>) -> Result<Buffer<u8>, ReadProblem> {
    let content = Content { bytes: Buffer::from(bytes), start: 0, rows: 0 };
    guarded(content.bytes.len(), u64::MAX, |limit| {
        let metadata = ParquetReader::new(Cursor::new(content.bytes())).get_metadata().cloned();
        let metadata = metadata.map_err(damaged)?;
        check_sizes(&metadata, limit)?;
        pages::check(&content, &metadata, |_| true, limit)
    })?;
    Ok(content.bytes)
}

/// The Parquet reader has assertions about the file's inner offsets, so a damaged file may panic in it.
fn guarded(
    bytes: usize,
    max_bytes: u64,
    read: impl FnOnce(u64) -> Result<(), ReadProblem>,
) -> Result<Format, ReadProblem> {
    let limit = source::most_held(bytes as u64).min(max_bytes);
    let read = catch_unwind(AssertUnwindSafe(|| read(limit)));
    let damaged = || Err(ReadProblem::Parquet(DAMAGED.to_owned()));
    read.unwrap_or_else(|_| damaged()).map_err(|problem| problem.by_limit(max_bytes))?;
    Ok(Format::Parquet)
}

fn records(
    content: &Content,
    metadata: &FileMetadata,
    limit: u64,
    picker: &Picker<'_>,
    rows: &mut Builder,
) -> Result<(), ReadProblem> {
    check_sizes(metadata, limit)?;
    let schema = infer_schema(metadata).map_err(damaged)?;
    let mut names: Vec<String> = schema.iter_names().map(ToString::to_string).collect();
    let index = RangeIndex::of(metadata).filter(|_| picker.id(&names).is_none());
    names.extend(index.iter().map(|index| index.name.clone()));
    // What can not be read is named with its type where nothing else is found.
    let told = schema.iter_values().zip(&names).map(|(field, name)| {
        let is_read = arrow::readable(field, true).is_some();
        if is_read { name.clone() } else { format!("{name} ({})", arrow::name(&field.dtype)) }
    });
    let told: Vec<String> = told.chain(names.iter().skip(schema.len()).cloned()).collect();
    let outline = || Value::Array(vec![arrow::outline(schema.iter_values())]);
    let layout = picker.pick(&names).map_err(|problem| match problem {
        ReadProblem::NoColumn { sought, .. } => {
            nested::advised(picker.missing(sought, &told), picker, outline)
        }
        other => other,
    });
    let chosen = layout.as_ref().ok().cloned().unwrap_or_default();
    check_types(&schema, &chosen)?;
    let columns = columns(&schema, picker, &chosen, rows);
    let is_read = |name: &str| columns.iter().any(|column| column.whole.name == name);
    pages::check(content, metadata, is_read, limit)?;
    if metadata.num_rows == 0 || columns.is_empty() {
        let Layout { id, captions } = layout?;
        let captions: Vec<&str> = captions.iter().map(|&at| names[at].as_str()).collect();
        rows.name_columns(id.map(|at| names[at].as_str()), &captions);
        return Ok(());
    }
    let mut records = Records::new(rows, picker);
    records.are_among(told);
    let mut ids = index.into_iter().flat_map(|index| index.values(content.rows));
    for group in 0..metadata.row_groups.len() {
        let mut cells: Vec<Cells> = columns
            .iter()
            .map(|column| column.cells(content, metadata, group))
            .collect::<Result<_, _>>()
            .map_err(damaged)?;
        if cells.iter().map(Cells::text_bytes).fold(0, u64::saturating_add) > limit {
            return Err(ReadProblem::Unpacks { limit });
        }
        for row in 0..metadata.row_groups[group].num_rows() {
            if cells.iter().all(Cells::is_over) {
                return Err(ReadProblem::Parquet("it has fewer rows than it says".into()));
            }
            let names = columns.iter().map(|column| column.whole.name.to_string());
            let mut record: Map<String, Value> =
                names.zip(cells.iter_mut().map(Cells::next)).collect();
            record.extend(ids.next());
            if group == 0 && row == 0 {
                records.know(&record);
            }
            records.record(None, None, &record);
        }
    }
    nested::finish(records, outline)
}

/// An index of evenly spaced numbers, which pandas keeps in the file's metadata and in no column.
#[derive(serde::Deserialize)]
struct RangeIndex {
    name: String,
    start: i64,
    step: i64,
}

impl RangeIndex {
    /// The index with the name of an id column; what has no name only numbers the rows.
    fn of(metadata: &FileMetadata) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Pandas {
            index_columns: Vec<Value>,
        }
        let all = metadata.key_value_metadata().as_ref()?;
        let pandas = all.iter().find(|pair| pair.key == "pandas")?.value.as_deref()?;
        let pandas: Pandas = serde_json::from_str(pandas).ok()?;
        let index = pandas.index_columns.into_iter().next()?;
        serde_json::from_value(index).ok().filter(|index: &Self| is_id_name(&index.name))
    }

    /// The cells of the column that it would be, from a row on.
    fn values(self, row: u64) -> impl Iterator<Item = (String, Value)> {
        let Self { name, start, step } = self;
        (row as i64..)
            .map(move |row: i64| (name.clone(), start.wrapping_add(step.wrapping_mul(row)).into()))
    }
}

/// A column that is read, and the part of it that can be.
struct Column {
    whole: Field,
    part: Field,
}

/// The columns that are read: those that were chosen, and what may be of use beside them. Others are named in a note.
fn columns(
    schema: &ArrowSchema,
    picker: &Picker<'_>,
    chosen: &Layout,
    rows: &mut Builder,
) -> Vec<Column> {
    let root = |path: &Option<String>| path.as_ref()?.split(['.', '[']).next().map(str::to_owned);
    let asked = [root(&picker.options.id_column), root(&picker.options.caption_column)];
    let mut columns = Vec::new();
    let mut left_out: Vec<String> = Vec::new();
    for (at, whole) in schema.iter_values().enumerate() {
        let name = whole.name.as_str();
        let is_chosen = chosen.id == Some(at) || chosen.captions.contains(&at);
        let is_wanted = is_chosen
            || asked.iter().flatten().any(|asked| asked == name)
            || (is_id_name(name) || is_caption_name(name) || NESTED.contains(&name))
            || (!arrow::is_nested(&whole.dtype) && Builder::keeps(columns.len()));
        match arrow::readable(whole, is_chosen).filter(|_| is_wanted) {
            Some(part) => columns.push(Column { whole: whole.clone(), part }),
            None => left_out.push(format!("{name} ({})", arrow::name(&whole.dtype))),
        }
    }
    if !left_out.is_empty() {
        let message = format!("not read, beside ids and captions, are {}", listed(&left_out));
        rows.find(Finding::note(FindingKind::ColumnNames, message));
    }
    columns
}

impl Column {
    /// The cells of a group of rows.
    fn cells(
        &self,
        content: &Content,
        metadata: &FileMetadata,
        group: usize,
    ) -> Result<Cells, PolarsError> {
        let mut is_read = Vec::new();
        arrow::leaves(&self.whole.dtype, Some(&self.part.dtype), &mut is_read);
        let root = |path: &[polars::prelude::PlSmallStr]| path.first() == Some(&self.whole.name);
        let leaves = metadata.row_groups[group]
            .parquet_columns()
            .iter()
            .filter(|leaf| root(&leaf.descriptor().path_in_schema));
        let read = leaves.zip(is_read).filter(|(_, is_read)| *is_read).map(|(leaf, _)| {
            let range = content.range(&leaf.byte_range()).unwrap_or_default();
            (leaf, content.bytes.clone().sliced(range))
        });
        let (arrays, _) = to_deserializer(read.collect(), self.part.clone(), None)?;
        Ok(Cells { arrays, array: 0, row: 0 })
    }
}

/// The cells of a column, one after the other.
struct Cells {
    arrays: Vec<Box<dyn Array>>,
    array: usize,
    row: usize,
}

impl Cells {
    fn text_bytes(&self) -> u64 {
        self.arrays.iter().map(|array| arrow::text_bytes(array.as_ref())).sum()
    }

    fn is_over(&self) -> bool {
        let left = self.arrays.iter().skip(self.array).map(|array| array.len());
        left.sum::<usize>() <= self.row
    }

    fn next(&mut self) -> Value {
        while self.arrays.get(self.array).is_some_and(|array| self.row >= array.len()) {
            self.array += 1;
            self.row = 0;
        }
        let value = self
            .arrays
            .get(self.array)
            .map_or(Value::Null, |array| arrow::value(array.as_ref(), self.row));
        self.row += 1;
        value
    }
}

/// Refuses columns whose type cannot hold what they were chosen for.
fn check_types(schema: &ArrowSchema, chosen: &Layout) -> Result<(), ReadProblem> {
    let field = |at: usize| schema.get_at_index(at).map(|(_, field)| field);
    let refused = |field: &Field, wanted| ReadProblem::ColumnType {
        column: field.name.to_string(),
        found: arrow::name(&field.dtype),
        wanted,
    };
    for field in chosen.captions.iter().filter_map(|&at| field(at)) {
        if !arrow::holds_text(&field.dtype) || arrow::readable(field, true).is_none() {
            return Err(refused(field, "captions"));
        }
    }
    match chosen.id.and_then(field) {
        Some(field) if arrow::readable(field, true).is_none() => Err(refused(field, "image ids")),
        _ => Ok(()),
    }
}

/// Refuses what would not fit, and what a damaged footer claims: the reader allocates what it is told, and a failed allocation
/// ends the process.
fn check_sizes(metadata: &FileMetadata, limit: u64) -> Result<(), ReadProblem> {
    let mut rows = 0u64;
    let mut bytes = 0u64;
    for group in &metadata.row_groups {
        rows = rows.saturating_add(group.num_rows() as u64);
        for column in group.parquet_columns() {
            let sizes = [column.uncompressed_size(), column.compressed_size(), column.num_values()];
            let Ok(sizes) = sizes.map(u64::try_from).into_iter().collect::<Result<Vec<u64>, _>>()
            else {
                return Err(ReadProblem::Parquet("its footer holds a negative size".to_owned()));
            };
            bytes = bytes.saturating_add(sizes.into_iter().max().unwrap_or(0));
        }
    }
    if rows != metadata.num_rows as u64 {
        return Err(ReadProblem::Parquet(
            "its footer contradicts itself about the rows".to_owned(),
        ));
    }
    if rows.max(bytes) > limit {
        return Err(ReadProblem::Unpacks { limit });
    }
    Ok(())
}

/// The reader's own words, as one line and without the names of its types.
fn damaged(error: PolarsError) -> ReadProblem {
    let message = error.to_string().replace('\n', " ");
    let plain = !message.contains("::") && !message.contains("Field");
    ReadProblem::Parquet(if plain {
        message
    } else {
        "it is of a kind that is not supported".into()
    })
}
