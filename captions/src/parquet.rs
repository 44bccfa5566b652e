//! Caption files in Apache Parquet.
//!
//! A damaged footer is an error like any other, and so is damage inside the pages: what they claim is looked at
//! ([`pages`]) before polars allocates it. (polars does not check the optional checksums of pages.)

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use polars::io::parquet::read::FileMetadata;
use polars::prelude::{
    ArrowDataType, Column, DataFrame, DataType, IdxCa, IdxSize, IntoColumn, ParquetReader,
    PolarsResult, SerReader,
};

use super::Format;
use super::builder::Builder;
use super::column::{Layout, Picker};
use super::error::ReadProblem;
use super::finding::{Finding, FindingKind};
use super::{pages, source};

/// Reads a whole file whose columns decompress to at most `max_bytes`, and to no more than is in proportion to its size.
pub(super) fn read(
    bytes: Vec<u8>,
    max_bytes: u64,
    picker: &Picker<'_>,
    rows: &mut Builder,
) -> Result<Format, ReadProblem> {
    // The Parquet reader has assertions about the file's inner offsets, so a damaged file may panic in it.
    let limit = source::most_held(bytes.len() as u64).min(max_bytes);
    let read = catch_unwind(AssertUnwindSafe(|| frame(bytes, limit, picker, rows)));
    let read = read
        .unwrap_or_else(|_| Err(ReadProblem::Parquet("its inner structure is damaged".to_owned())));
    let (table, layout) = read.map_err(|problem| match problem {
        ReadProblem::Unpacks { limit } if limit == max_bytes => {
            ReadProblem::TooLarge { what: "the decompressed content is", limit }
        }
        other => other,
    })?;
    let (ids, captions) =
        (&table.columns()[layout.id], layout.caption.map(|at| &table.columns()[at]));
    rows.name_columns(Some(ids.name()), captions.map(|captions| captions.name().as_str()));

    let ids = texts(ids, "image ids", limit)?;
    let mut source_rows: Vec<IdxSize> = Vec::with_capacity(table.height());
    let mut push = |rows: &mut Builder, index: usize, caption: Option<String>| {
        let row = index as u64 + 1;
        let id = ids.get(index).and_then(Option::as_deref).unwrap_or_default();
        if caption.is_none() && picker.wants_captions() {
            let finding = Finding::error(FindingKind::NullCaption, "the caption is null");
            rows.find(finding.at(row).of(id));
        }
        rows.push(row, None, id, caption.unwrap_or_default());
        source_rows.push(index as IdxSize);
    };
    match captions {
        Some(captions) if matches!(captions.dtype(), DataType::List(_)) => {
            let lists = captions.list().map_err(damaged)?;
            for index in 0..lists.len() {
                let list = lists.get_as_series(index);
                let list =
                    list.map(|list| texts(&list.into_column(), "captions", limit)).transpose()?;
                match list {
                    Some(list) if !list.is_empty() => {
                        list.into_iter().for_each(|caption| push(rows, index, caption));
                    }
                    _ => push(rows, index, None),
                }
            }
        }
        Some(captions) => {
            for (index, caption) in texts(captions, "captions", limit)?.into_iter().enumerate() {
                push(rows, index, caption);
            }
        }
        None => (0..table.height()).for_each(|index| push(rows, index, Some(String::new()))),
    }
    let others = others(&table, layout).and_then(|others| {
        let aligned = source_rows.len() == others.height();
        if aligned { Ok(others) } else { others.take(&IdxCa::from_vec("".into(), source_rows)) }
    });
    rows.typed_columns(others.map_err(damaged)?);
    Ok(Format::Parquet)
}

/// The columns that are kept, id and caption among them.
fn frame(
    bytes: Vec<u8>,
    limit: u64,
    picker: &Picker<'_>,
    rows: &mut Builder,
) -> Result<(DataFrame, Layout), ReadProblem> {
    let mut reader = ParquetReader::new(Cursor::new(bytes.as_slice()));
    let metadata = reader.get_metadata().map_err(damaged)?.clone();
    check_sizes(&metadata, limit)?;
    let schema = reader.schema().map_err(damaged)?;
    let names: Vec<String> = schema.iter_names().map(|name| name.to_string()).collect();
    let all = picker.pick(&names)?;
    let wanted = [Some(all.id), all.caption];
    let mut kept = Vec::new();
    for (at, field) in schema.iter_values().enumerate() {
        if wanted.contains(&Some(at)) || (is_plain(field.dtype()) && Builder::keeps(kept.len())) {
            kept.push(at);
        } else {
            rows.columns_left_out();
        }
    }
    let root = |name: &str| names.iter().position(|known| known == name);
    let is_read = |name: &str| root(name).is_some_and(|at| kept.contains(&at));
    pages::check(&bytes, &metadata, is_read, limit)?;
    let position = |at: usize| kept.iter().position(|&kept| kept == at);
    let layout = Layout {
        id: position(all.id).expect("the id column is kept"),
        caption: all.caption.and_then(position),
    };
    let table = reader.with_projection(Some(kept)).finish().map_err(damaged)?;
    Ok((table, layout))
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

/// Whether another column can be kept: text, numbers and truth values can; dates, decimals and nested values would need more of
/// polars than reading captions does.
fn is_plain(dtype: &ArrowDataType) -> bool {
    use ArrowDataType as D;
    match dtype {
        D::Boolean | D::Int32 | D::Int64 | D::UInt32 | D::UInt64 | D::Float32 | D::Float64 => true,
        D::Utf8 | D::LargeUtf8 | D::Utf8View => true,
        D::Dictionary(_, values, _) => matches!(**values, D::Utf8 | D::LargeUtf8 | D::Utf8View),
        _ => false,
    }
}

fn others(table: &DataFrame, layout: Layout) -> PolarsResult<DataFrame> {
    let columns = table.columns().iter().enumerate();
    let others = columns.filter(|(at, _)| *at != layout.id && Some(*at) != layout.caption);
    DataFrame::new(table.height(), others.map(|(_, column)| column.clone()).collect())
}

/// The texts of a column. They may share one in the file, so that together they are longer than `limit` bytes.
fn texts(
    column: &Column,
    wanted: &'static str,
    limit: u64,
) -> Result<Vec<Option<String>>, ReadProblem> {
    let holds_text = match column.dtype() {
        DataType::String | DataType::Null => true,
        dtype if dtype.is_categorical() => true,
        // Images may have numbers for ids; a caption that is a number is a mistake in the choice of the column.
        dtype => wanted == "image ids" && dtype.is_primitive_numeric(),
    };
    if !holds_text {
        return Err(ReadProblem::ColumnType {
            column: column.name().to_string(),
            found: column.dtype().to_string(),
            wanted,
        });
    }
    let texts = column.cast(&DataType::String).map_err(damaged)?;
    let texts = texts.str().map_err(damaged)?;
    if texts.iter().flatten().map(|text| text.len() as u64).sum::<u64>() > limit {
        return Err(ReadProblem::Unpacks { limit });
    }
    Ok(texts.iter().map(|text| text.map(str::to_owned)).collect())
}

fn damaged(error: polars::prelude::PolarsError) -> ReadProblem {
    ReadProblem::Parquet(error.to_string().replace('\n', " "))
}
