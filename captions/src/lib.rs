//! Caption files: read them, say everything that is wrong with them, and align a submission with its references by image id.
//!
//! This is the front of every job. [`read`] turns CSV, TSV, JSON, JSON Lines, COCO annotations, Parquet, Excel workbooks (each possibly gzipped) and
//! the documents of other programs into one [`CaptionFile`]; [`Pieces`] does so piece by piece where a file
//! is large; [`settle()`] tries its columns of ids against those that are wanted; [`lint`] looks at the captions themselves; [`align`] pairs a submission with references and
//! [`check_template`] with a list of ids. None of them stops at the first problem: problems are [`Finding`]s, and only a file out of
//! which nothing at all can be read is a [`ReadError`].
//!
//! ```
//! use fgd_captions::{FindingKind, ReadOptions, align, is_valid, lint, read};
//!
//! let dir = tempfile::tempdir()?;
//! let submission = dir.path().join("submission.csv");
//! let references = dir.path().join("references.jsonl");
//! std::fs::write(&submission, "image_id,caption\n7.jpg,a red bus\n8.jpg,\n")?;
//! std::fs::write(&references, "{\"image_id\": 7, \"captions\": [\"A bus.\", \"A red bus in a street.\"]}\n")?;
//!
//! let submission = read(&submission, &ReadOptions::default())?;
//! let references = read(&references, &ReadOptions::default())?;
//! let alignment = align(&submission, &references);
//! assert_eq!(alignment.ids, ["7"]);
//! assert_eq!(alignment.references, [[0, 1]]);
//!
//! let mut findings = lint(&submission);
//! findings.extend(alignment.findings);
//! assert!(!is_valid(&findings)); // row 2 is empty, and its id is not asked for
//! assert!(findings.iter().any(|f| f.kind == FindingKind::EmptyCaption && f.row == Some(2)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod align;
mod arrow;
mod builder;
mod bytes;
mod candidates;
mod column;
mod constant;
mod cut_off;
mod delimited;
mod error;
mod finding;
mod foreign;
mod format;
mod ignored;
mod image_id;
mod image_index;
mod json;
mod lines;
mod lint;
mod names;
mod pages;
mod parquet;
mod pieces;
mod printed;
mod quotes;
mod references;
mod repetition;
mod settle;
mod source;
mod special_token;
mod stand_in;
mod table;
mod tables;
mod tabular;
mod template;
mod undo;
mod workbook;

use std::path::{Path, PathBuf};

use polars::prelude::{AnyValue, DataFrame, IntoColumn, NamedFrom, Series};
use serde::{Deserialize, Serialize};

use builder::Builder;

pub use align::{Alignment, align, duplicates};
pub use candidates::{Candidates, candidate_findings, candidates};
pub use column::Role;
pub use constant::placeholders;
pub use error::{ReadError, ReadProblem, Sought};
pub use finding::{Finding, FindingGroup, FindingKind, Severity, group_findings, is_valid};
pub use format::{Format, is_caption_file};
pub use ignored::USAGE;
pub use image_id::wide_key as wide_image_key;
pub use image_index::{ImageIndex, ImageNames};
pub use lint::{accept_empty, lint, too_long, without_texts};
pub use pieces::{Piece, Pieces};
pub use references::{References, group};
pub use repetition::is_runaway;
pub use settle::{Known, Settled, equals_references, settle, settle_by_references, settle_ids};
pub use table::{Cells, Kind, Table, TableError, TableFile, TableFormat, read_parquet};
pub use template::{Template, check_template, read_template};

/// How to read a caption file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// The column, the JSON key or the path in nested JSON (`image.file_name`) of the image ids; found by convention when `None`.
    pub id_column: Option<String>,
    /// The column, key or path (`sentences[].raw`, `conversations[from=gpt].value`) of the captions, likewise.
    pub caption_column: Option<String>,
    /// The most bytes to read, of the file and of what it decompresses to; 1 GiB by default.
    pub max_bytes: u64,
    /// The format, when neither the name nor the content should decide.
    pub format: Option<Format>,
    /// What the captions are to the score: it decides between columns such as `prediction` and `reference`.
    #[serde(skip)]
    pub role: Role,
    /// Whether the file is the only one, so that flags that name its columns are those of a submission whatever its role.
    #[serde(skip)]
    pub alone: bool,
    /// Whether captions without ids are welcome, because a set is looked at as a whole.
    #[serde(skip)]
    pub without_ids: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            id_column: None,
            caption_column: None,
            max_bytes: 1 << 30,
            format: None,
            role: Role::Submission,
            alone: false,
            without_ids: false,
        }
    }
}

/// One caption of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// The 1-based data row: in CSV and TSV the record after the header (blank lines do not count), in JSON and COCO the element
    /// of the list or the entry of the object, in JSON Lines the non-blank line, in Parquet the row. Captions that one row gives
    /// as a list share its number.
    pub row: u64,
    /// The 1-based line of the text file on which the row starts (CSV, TSV and JSON Lines), or the row of the worksheet.
    pub line: Option<u64>,
    /// The image id, without the spaces around it. Numbers are their decimal text. Empty when the row has none (an error finding).
    pub id: String,
    /// The caption as the file has it; empty when the row has none (an error finding).
    pub text: String,
}

/// A caption file that could be read.
#[derive(Clone, Debug)]
pub struct CaptionFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// SHA-256 of the file's bytes as they are on disk, in lower-case hexadecimal.
    pub sha256: String,
    /// The size on disk, in bytes.
    pub bytes: u64,
    /// The format it was read as.
    pub format: Format,
    /// The name of the id column, as the file spells it; `None` where the file has no names.
    pub id_column: Option<String>,
    /// The name of the caption column, as the file spells it, or the names of several; `None` where the file has no names.
    pub caption_column: Option<String>,
    /// What other program's document it is, where its shape says so.
    pub document: Option<&'static str>,
    /// Whether ids are text by the file's own types, as strings of JSON and Parquet are; what stands in CSV has no type.
    pub ids_are_text: bool,
    /// Whether the id column was asked for, not guessed.
    id_is_asked: bool,
    /// The captions in file order.
    pub captions: Vec<Caption>,
    /// Ids of images that references say are ignored: submissions may have them, and nothing comes of it.
    ignored: Vec<String>,
    /// The number of the last row, which may have given no caption.
    last_row: u64,
    /// What was found while reading.
    pub findings: Vec<Finding>,
    /// Every other column, one row per caption: text, or the file's own types for Parquet. At most 64 columns are kept.
    columns: DataFrame,
}

impl CaptionFile {
    /// The names of the columns beside id and caption, 64 at most.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.columns().iter().map(|column| column.name().as_str())
    }

    /// The cells of such a column as text, one for each of the captions; `None` where there is no column of this name.
    pub fn column(&self, name: &str) -> Option<Vec<Option<String>>> {
        let column = self.columns.column(name).ok()?;
        let cells = (0..column.len()).map(|row| match column.get(row) {
            Ok(AnyValue::Null) | Err(_) => None,
            Ok(cell) => Some(cell.str_value().into_owned()),
        });
        Some(cells.collect())
    }

    /// The file as if it held these captions and, beside them, these columns of text, each as long as the captions.
    #[must_use]
    pub fn holding(
        &self,
        captions: Vec<Caption>,
        columns: Vec<(String, Vec<Option<String>>)>,
    ) -> Self {
        let columns = columns.into_iter().filter(|(_, cells)| cells.len() == captions.len());
        let columns = columns.map(|(name, cells)| Series::new(name.into(), cells).into_column());
        Self {
            columns: DataFrame::new(captions.len(), columns.collect()).unwrap_or_default(),
            captions,
            findings: Vec::new(),
            ignored: self.ignored.clone(),
            path: self.path.clone(),
            sha256: self.sha256.clone(),
            id_column: self.id_column.clone(),
            caption_column: self.caption_column.clone(),
            ..*self
        }
    }
}

/// Reads a caption file; `-` is standard input.
///
/// # Errors
/// Only when nothing can be read: see [`ReadError`]. Problems of single rows are in [`CaptionFile::findings`].
pub fn read(path: &Path, options: &ReadOptions) -> Result<CaptionFile, ReadError> {
    read_columns(path, options, column::Wanted::IdAndCaption)
}

fn read_columns(
    path: &Path,
    options: &ReadOptions,
    wanted: column::Wanted,
) -> Result<CaptionFile, ReadError> {
    try_read(path, options, wanted).map_err(|problem| ReadError { path: path.to_owned(), problem })
}

fn try_read(
    path: &Path,
    options: &ReadOptions,
    wanted: column::Wanted,
) -> Result<CaptionFile, ReadProblem> {
    let source = source::open(path, options.max_bytes)?;
    parse(path, source, source::Start::default(), options, wanted)
}

/// Reads what stands in a file, or a part of it that starts in another place.
fn parse(
    path: &Path,
    source: source::Source,
    start: source::Start,
    options: &ReadOptions,
    wanted: column::Wanted,
) -> Result<CaptionFile, ReadProblem> {
    let start = source::Start { bytes: start.bytes.max(source.skip), ..start };
    let content = &source.bytes[source.skip..];
    let format = options.format.unwrap_or_else(|| format::detect(path, content));
    let picker = column::Picker::new(options, wanted);
    let is_text = matches!(format, Format::Csv | Format::Tsv) && options.format.is_none();
    let format = match is_text && !picker.needs_ids() && !is_caption_file(path) {
        true if !delimited::is_table(content, format, &picker) => Format::Lines,
        _ => format,
    };
    let mut rows = Builder::new(source.findings, source::most_held(source.raw_bytes));
    if !picker.needs_ids() {
        rows.without_ids();
    }
    let format = match format {
        Format::Csv | Format::Tsv => delimited::read(content, start, format, &picker, &mut rows)?,
        Format::Json | Format::Coco => json::read(content, start.bytes, &picker, &mut rows)?,
        Format::Jsonl => json::lines::read(content, start, &picker, &mut rows)?,
        Format::Parquet => parquet::read(source.bytes, options.max_bytes, &picker, &mut rows)?,
        Format::Xlsx => {
            let limit = source::most_unpacked(source.raw_bytes).min(options.max_bytes);
            workbook::read(&source.bytes, limit, &picker, &mut rows)
                .map_err(|problem| problem.by_limit(options.max_bytes))?
        }
        Format::Lines => lines::read(content, start.bytes, &picker, &mut rows)?,
    };
    CaptionFile::of(path, format, options, rows, (source.sha256, source.raw_bytes))
}

/// Reads some groups of rows of a Parquet file.
fn parse_groups(
    path: &Path,
    groups: &parquet::Groups,
    options: &ReadOptions,
) -> Result<CaptionFile, ReadProblem> {
    let picker = column::Picker::new(options, column::Wanted::IdAndCaption);
    let mut rows = Builder::new(Vec::new(), source::most_held(groups.bytes()));
    let format = parquet::read_groups(groups, options.max_bytes, &picker, &mut rows)?;
    CaptionFile::of(path, format, options, rows, (String::new(), groups.bytes()))
}

impl CaptionFile {
    fn of(
        path: &Path,
        format: Format,
        options: &ReadOptions,
        rows: Builder,
        (sha256, bytes): (String, u64),
    ) -> Result<Self, ReadProblem> {
        let rows = rows.finish()?;
        let mut file = Self {
            path: path.to_owned(),
            sha256,
            bytes,
            format,
            id_column: rows.id_column,
            caption_column: rows.caption_column,
            document: rows.document,
            ids_are_text: rows.ids_are_text,
            id_is_asked: options.id_column.is_some(),
            captions: rows.captions,
            ignored: Vec::new(),
            last_row: rows.last_row,
            findings: rows.findings,
            columns: rows.columns,
        };
        if options.role == Role::References {
            file.set_ignored_aside();
        }
        Ok(file)
    }
}
