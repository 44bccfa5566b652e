//! Why a caption file could not be read at all. Each message is one sentence that says what to do.

use std::io;
use std::path::PathBuf;

/// A file out of which no caption can be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", .path.display())]
pub struct ReadError {
    /// The path as given.
    pub path: PathBuf,
    /// What is wrong with the file.
    pub problem: ReadProblem,
}

/// What a column is looked for to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// Ids of images.
    Ids,
    /// Captions.
    Captions,
}

/// What is wrong with a file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadProblem {
    /// The file does not exist.
    #[error("there is no such file; check the path")]
    Missing,
    /// The path is a directory.
    #[error("this is a directory; give a caption file in it")]
    Directory,
    /// The operating system does not let us read it.
    #[error("cannot be read: {0}")]
    Io(io::Error),
    /// The file has no bytes, or only a byte order mark and white space.
    #[error("the file is empty; write a header `image_id,caption` and one row per image")]
    Empty,
    /// The first sheet of a workbook has no cells, and others are there.
    #[error(
        "sheet {sheet}, which is empty, is read, and not {others}: put that of the captions first"
    )]
    EmptySheet {
        /// The sheet that is read.
        sheet: String,
        /// The others.
        others: String,
    },
    /// The file, or what it decompresses to, is larger than the limit.
    #[error(
        "{what} larger than the limit of {limit} bytes; raise it with --max-bytes if this really is a caption file"
    )]
    TooLarge {
        /// Which size it is, as the beginning of the sentence.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// What is held in memory would be out of proportion to the file.
    #[error(
        "it unpacks to more than {limit} bytes, out of all proportion to its size; if it really holds captions, write them as plain CSV"
    )]
    Unpacks {
        /// The limit in bytes, from the file's own size.
        limit: u64,
    },
    /// The content is not text and not a format that holds captions.
    #[error("{what}; {advice}")]
    Binary {
        /// What it seems to be, as a sentence.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The gzip stream is damaged or cut short.
    #[error(
        "the gzip data is damaged after {bytes} decompressed bytes ({reason}); make or fetch the file again"
    )]
    Gzip {
        /// How much could be decompressed.
        bytes: usize,
        /// What the decoder said.
        reason: io::Error,
    },
    /// The Parquet file is damaged or uses something that is not supported.
    #[error("not a readable Parquet file ({0}); write it again, or as CSV")]
    Parquet(String),
    /// The Excel workbook is damaged or lacks a part.
    #[error("not a readable Excel workbook ({0}); save it again, or as CSV UTF-8")]
    Workbook(String),
    /// There is no record in the JSON before the first mistake, if there is any.
    #[error("{0}; expected a list of records such as [{{\"image_id\": 1, \"caption\": \"…\"}}]")]
    Json(String),
    /// Lines of text where captions are to be paired by id.
    #[error(
        "these are lines without image ids, and captions are paired by id; give a table or records with ids, or compare whole sets with `fgd score --unpaired`"
    )]
    NoIds,
    /// There is no column for the ids or the captions.
    #[error("{reason}; {advice}")]
    NoColumn {
        /// What was looked for.
        sought: Sought,
        /// What is there and what is not, as a sentence.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// A column has a type that cannot hold ids or captions.
    #[error("column `{column}` holds {found}, not {wanted}; convert it to text")]
    ColumnType {
        /// The column's name.
        column: String,
        /// The type it has.
        found: String,
        /// What it should hold.
        wanted: &'static str,
    },
}

impl ReadProblem {
    /// The same, said of `max_bytes` where that was the limit and not the file's own size.
    pub(super) fn by_limit(self, max_bytes: u64) -> Self {
        match self {
            Self::Unpacks { limit } if limit == max_bytes => {
                Self::TooLarge { what: "the decompressed content is", limit }
            }
            other => other,
        }
    }
}
