//! A look at every page header of a Parquet file before polars believes one.
//!
//! polars allocates what a page header claims, and an allocation that fails ends the process. The headers are walked here
//! without decoding anything, and held to the footer, to each other and to the bound of the file.

use std::io::Cursor;

use polars::io::parquet::read::FileMetadata;
use polars_parquet_format::thrift::protocol::TCompactInputProtocol;
use polars_parquet_format::{PageHeader, PageType};

use super::error::ReadProblem;
use super::parquet::Content;

/// Bytes that a value takes in memory beside those of its text: the view of a string.
const VIEW: u64 = 16;

/// Refuses page headers that contradict the footer, and columns that take more than `limit` bytes in memory. `is_read` says of a
/// column at the root of the schema whether it will be read.
pub(super) fn check(
    content: &Content,
    metadata: &FileMetadata,
    is_read: impl Fn(&str) -> bool,
    limit: u64,
) -> Result<(), ReadProblem> {
    let mut total = 0u64;
    for group in &metadata.row_groups {
        for column in group.parquet_columns() {
            let descriptor = column.descriptor();
            if !descriptor.path_in_schema.first().is_some_and(|root| is_read(root)) {
                continue;
            }
            let values = column.num_values() as u64;
            let is_flat = descriptor.descriptor.max_rep_level == 0;
            if is_flat && values != group.num_rows() as u64 {
                return damaged("a column has not as many values as the file has rows");
            }
            let Some(chunk) = content.range(&column.byte_range()) else {
                return damaged("a column lies outside of the file");
            };
            let pages = Pages::walk(&content.bytes()[chunk], values)?;
            let held = pages.bytes.saturating_add(pages.values.saturating_mul(VIEW));
            total = total.saturating_add(held);
            if total > limit {
                return Err(ReadProblem::Unpacks { limit });
            }
        }
    }
    Ok(())
}

/// What the pages of a column claim together.
#[derive(Default)]
struct Pages {
    /// Bytes after decompression.
    bytes: u64,
    /// Values, those of the dictionary among them.
    values: u64,
}

impl Pages {
    /// Goes from header to header through the bytes of a column of so many `values`.
    fn walk(chunk: &[u8], values: u64) -> Result<Self, ReadProblem> {
        let mut pages = Self::default();
        let (mut at, mut seen) = (0, 0u64);
        while seen < values {
            let mut rest = Cursor::new(&chunk[at..]);
            let mut protocol = TCompactInputProtocol::new(&mut rest, chunk.len() - at);
            let header = PageHeader::read_from_in_protocol(&mut protocol)
                .or_else(|error| damaged(&format!("a page header: {error}")))?;
            let [unpacked, packed] = [header.uncompressed_page_size, header.compressed_page_size]
                .map(|size| u64::try_from(size).ok());
            let Some((unpacked, packed)) = unpacked.zip(packed) else {
                return damaged("a page claims a negative size");
            };
            at += rest.position() as usize;
            at = match usize::try_from(packed).ok().and_then(|packed| at.checked_add(packed)) {
                Some(next) if next <= chunk.len() => next,
                _ => return damaged("a page ends outside of its column"),
            };
            let claimed = match (header.type_, header.data_page_header, header.data_page_header_v2)
            {
                (PageType::DATA_PAGE, Some(page), _) => page.num_values,
                (PageType::DATA_PAGE_V2, _, Some(page)) => {
                    let levels =
                        [page.definition_levels_byte_length, page.repetition_levels_byte_length];
                    let sizes = levels.map(|size| u64::try_from(size).unwrap_or(u64::MAX));
                    if sizes[0].saturating_add(sizes[1]) > unpacked.min(packed) {
                        return damaged("the levels of a page are longer than the page");
                    }
                    page.num_values
                }
                (PageType::DICTIONARY_PAGE, ..) => 0,
                _ => return damaged("a page is neither data nor a dictionary"),
            };
            let entries =
                header.dictionary_page_header.map_or(0, |dictionary| dictionary.num_values);
            let (Ok(claimed), Ok(entries)) = (u64::try_from(claimed), u64::try_from(entries))
            else {
                return damaged("a page claims a negative number of values");
            };
            // An entry takes a byte at least; only booleans take less, and they have no dictionaries.
            if entries > unpacked {
                return damaged("a dictionary claims more entries than it has bytes");
            }
            seen += claimed;
            pages.bytes += unpacked;
            pages.values += claimed + entries;
        }
        match seen == values {
            true => Ok(pages),
            false => damaged("the pages of a column hold more values than its footer says"),
        }
    }
}

fn damaged<T>(reason: &str) -> Result<T, ReadProblem> {
    Err(ReadProblem::Parquet(reason.replace('\n', " ")))
}
