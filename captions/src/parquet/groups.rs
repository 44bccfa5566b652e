//! A file in Apache Parquet cut between its groups of rows.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use polars::io::parquet::read::FileMetadata;
use polars::prelude::{ParquetReader, SerReader, polars_err};

use super::{Content, DAMAGED, damaged};
use crate::error::ReadProblem;
use crate::source;

/// Groups of rows of a file, to be read by themselves.
pub(crate) struct Groups {
    pub(super) content: Content,
    /// The footer, of these groups alone.
    pub(super) metadata: FileMetadata,
}

impl Groups {
    /// How many bytes they are on the disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.content.bytes.len() as u64
    }
}

/// Cuts a file into groups of rows of some `most` bytes, and reads the bytes of one piece after the other.
pub(crate) struct Cutter {
    file: File,
    metadata: FileMetadata,
    group: usize,
    rows: u64,
}

impl Cutter {
    pub(crate) fn new(mut file: File) -> Result<Self, ReadProblem> {
        let metadata = catch_unwind(AssertUnwindSafe(|| {
            ParquetReader::new(&mut file).get_metadata().map(|metadata| (**metadata).clone())
        }));
        let metadata = metadata.unwrap_or_else(|_| Err(polars_err!(ComputeError: "{DAMAGED}")));
        Ok(Self { metadata: metadata.map_err(damaged)?, file, group: 0, rows: 0 })
    }

    /// The next groups; at least one, if there is one.
    pub(crate) fn next(&mut self, most: u64, limit: u64) -> Result<Option<Groups>, ReadProblem> {
        let next = catch_unwind(AssertUnwindSafe(|| self.cut(most, limit)));
        next.unwrap_or_else(|_| Err(ReadProblem::Parquet(DAMAGED.to_owned())))
    }

    fn cut(&mut self, most: u64, limit: u64) -> Result<Option<Groups>, ReadProblem> {
        let is_first = self.group == 0;
        let mut range: Option<Range<u64>> = None;
        let mut groups = Vec::new();
        for group in &self.metadata.row_groups[self.group..] {
            let chunks = group.parquet_columns().iter().map(|column| column.byte_range());
            let own = chunks.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
            let all = match (range.clone(), own) {
                (Some(a), Some(b)) => Some(a.start.min(b.start)..a.end.max(b.end)),
                (a, b) => a.or(b),
            };
            let bytes = all.as_ref().map_or(0, |all| all.end.saturating_sub(all.start));
            if bytes > most && !groups.is_empty() {
                break;
            }
            range = all;
            groups.push(group.clone());
        }
        if groups.is_empty() && !is_first {
            return Ok(None);
        }
        let range = range.unwrap_or_default();
        let len = range.end.saturating_sub(range.start);
        if len > limit {
            return Err(ReadProblem::TooLarge { what: "a group of its rows is", limit });
        }
        self.file.seek(SeekFrom::Start(range.start)).map_err(source::from_io)?;
        let mut bytes = Vec::new();
        (&self.file).take(len).read_to_end(&mut bytes).map_err(source::from_io)?;
        let content = Content { bytes: bytes.into(), start: range.start, rows: self.rows };
        let rows: usize = groups.iter().map(|group| group.num_rows()).sum();
        self.group += groups.len().max(1);
        self.rows += rows as u64;
        let metadata = FileMetadata { num_rows: rows, row_groups: groups, ..self.metadata.clone() };
        Ok(Some(Groups { content, metadata }))
    }
}
