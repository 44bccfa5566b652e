//! Large caption files piece by piece, so that memory is that of a piece.
//!
//! Tables of text and JSON Lines are cut between records, Parquet between its groups of rows. Each piece is read as if it were a file with
//! the same header, so what is undone or said of whole columns goes by the piece; rows, lines and offsets are those of the file. A
//! file that is smaller than a piece, a JSON document and a workbook are one piece.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use fgd_store::digest::file_sha256;

use super::bytes::Bytes;
use super::column::{Picker, Wanted};
use super::error::{ReadError, ReadProblem};
use super::format::{self, Format};
use super::source::{self, Source, Start, line_ends};
use super::{CaptionFile, Finding, FindingKind, ReadOptions, delimited, json, parquet, quotes};

/// Bytes of a piece, about.
const PIECE: u64 = 32 << 20;
/// The first one is so many times smaller: others wait for what it tells of the columns.
const FIRST: u64 = 8;
/// Bytes that tell what a file is.
const HEAD: u64 = 1 << 16;

/// A file that is cut into pieces.
pub struct Pieces {
    path: PathBuf,
    options: ReadOptions,
    piece: u64,
    cut: Cut,
    sha256: Option<String>,
}

enum Cut {
    Whole,
    Text(Box<Text>),
    Groups(Box<parquet::Cutter>),
    Over,
}

/// A piece of a file: its bytes, to be read by whoever has time.
pub struct Piece {
    path: PathBuf,
    options: ReadOptions,
    content: Content,
    bytes: u64,
}

enum Content {
    Whole(Source),
    Text(Source, Start),
    Groups(Box<parquet::Groups>),
}

impl Pieces {
    /// Opens a file.
    ///
    /// # Errors
    /// A file that cannot be read, or holds no captions.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, ReadError> {
        Self::cut(path, options, PIECE)
    }

    /// The same with pieces of `piece` bytes, about, at least one.
    ///
    /// # Errors
    /// As [`Pieces::open`].
    pub fn cut(path: &Path, options: &ReadOptions, piece: u64) -> Result<Self, ReadError> {
        let cut = Cut::of(path, options, piece).map_err(|problem| error(path, problem))?;
        let (path, options) = (path.to_owned(), options.clone());
        Ok(Self { path, options, piece, cut, sha256: None })
    }

    /// Whether it is known that no piece comes any more.
    pub fn is_over(&self) -> bool {
        matches!(self.cut, Cut::Over)
    }

    /// The bytes of the next piece; `None` behind the last one.
    ///
    /// # Errors
    /// A file that cannot be read, or a record that is too long.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, ReadError> {
        let next = self.next_content().map_err(|problem| error(&self.path, problem))?;
        let (path, options) = (self.path.clone(), self.options.clone());
        Ok(next.map(|(content, bytes)| Piece { path, options, content, bytes }))
    }

    /// The content of the next piece, and how many bytes of the file it is.
    fn next_content(&mut self) -> Result<Option<(Content, u64)>, ReadProblem> {
        match &mut self.cut {
            Cut::Whole => {
                let source = source::open(&self.path, self.options.max_bytes)?;
                self.sha256 = Some(source.sha256.clone());
                self.cut = Cut::Over;
                let bytes = source.raw_bytes;
                Ok(Some((Content::Whole(source), bytes)))
            }
            Cut::Text(text) => {
                self.options.format = Some(text.format);
                let (is_first, before) = (text.first, text.read);
                let (next, is_over) = text.next(self.piece, self.options.max_bytes)?;
                text.read = text.bytes.raw();
                let bytes = text.read - before;
                if is_over && let Cut::Text(text) = std::mem::replace(&mut self.cut, Cut::Over) {
                    self.sha256 = Some(text.bytes.sha256()?);
                }
                let content = next.map(|(source, start)| match is_first && is_over {
                    true => Content::Whole(source),
                    false => Content::Text(source, start),
                });
                Ok(content.map(|content| (content, bytes)))
            }
            Cut::Groups(groups) => {
                let Some(groups) = groups.next(self.piece, self.options.max_bytes)? else {
                    self.cut = Cut::Over;
                    return Ok(None);
                };
                let bytes = groups.bytes();
                Ok(Some((Content::Groups(Box::new(groups)), bytes)))
            }
            Cut::Over => Ok(None),
        }
    }

    /// SHA-256 of the file's bytes on disk, once all pieces are there.
    ///
    /// # Errors
    /// A file that cannot be read any more.
    pub fn sha256(self) -> Result<String, ReadError> {
        let read =
            || file_sha256(&self.path).map_err(|error| ReadProblem::Io(io::Error::other(error)));
        self.sha256.map_or_else(read, Ok).map_err(|problem| error(&self.path, problem))
    }
}

impl Piece {
    /// How many bytes of the file it is, on the disk.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its captions, in rows that are counted from 1; see [`CaptionFile::count_from`].
    ///
    /// # Errors
    /// As [`read`](super::read()).
    pub fn read(self) -> Result<CaptionFile, ReadError> {
        let Self { path, options, content, .. } = self;
        let is_whole = matches!(content, Content::Whole(_));
        let parse =
            |source, start| super::parse(&path, source, start, &options, Wanted::IdAndCaption);
        let read = match content {
            Content::Whole(source) => parse(source, Start::default()),
            Content::Text(source, start) => parse(source, start),
            Content::Groups(groups) => super::parse_groups(&path, &groups, &options),
        };
        let mut file = read.map_err(|problem| error(&path, problem))?;
        if !is_whole {
            // Others may have captions.
            file.findings.retain(|finding| finding.kind != FindingKind::HeaderOnly);
        }
        Ok(file)
    }
}

impl CaptionFile {
    /// Counts the rows of a piece, and of what was `found` in it, from those of the pieces before. Returns the number of its last one.
    pub fn count_from(&mut self, rows: u64, found: &mut [Finding]) -> u64 {
        self.captions.iter_mut().for_each(|caption| caption.row += rows);
        let findings = self.findings.iter_mut().chain(found);
        findings.filter_map(|finding| finding.row.as_mut()).for_each(|row| *row += rows);
        rows + self.last_row
    }
}

fn error(path: &Path, problem: ReadProblem) -> ReadError {
    ReadError { path: path.to_owned(), problem }
}

impl Cut {
    fn of(path: &Path, options: &ReadOptions, piece: u64) -> Result<Self, ReadProblem> {
        if path == Path::new("-") || !path.is_file() {
            return Ok(Self::Whole);
        }
        let len = fs::metadata(path).map_err(source::from_io)?.len();
        let mut bytes = Bytes::open(path, len)?;
        if len <= piece && !bytes.is_gzip() {
            return Ok(Self::Whole);
        }
        let mut head = Vec::new();
        bytes.read(HEAD, &mut head)?;
        let whole = Source::beginning(head.clone(), len, String::new())?;
        let content = &whole.bytes[whole.skip..];
        let format = options.format.unwrap_or_else(|| format::detect(path, content));
        let picker = Picker::new(options, Wanted::IdAndCaption);
        let header = match format {
            Format::Parquet if !bytes.is_gzip() => {
                let file = File::open(path).map_err(source::from_io)?;
                return Ok(Self::Groups(Box::new(parquet::Cutter::new(file)?)));
            }
            Format::Csv | Format::Tsv => delimited::header(content, format, &picker),
            Format::Jsonl if !json::lines::goes_over_lines(content) => Some((0, b'\n')),
            _ => None,
        };
        // Without a header, only the first piece would know what its columns are.
        let Some((header, delimiter)) = header else { return Ok(Self::Whole) };
        let header = content[..header].to_vec();
        let start =
            Start { bytes: whole.skip + header.len(), lines: line_ends(&header, 0..header.len()) };
        Ok(Self::Text(Box::new(Text {
            bytes,
            format,
            delimiter,
            header,
            start,
            held: head,
            read: 0,
            first: true,
        })))
    }
}

/// Text between whose records there are line ends.
struct Text {
    bytes: Bytes,
    format: Format,
    delimiter: u8,
    /// What every piece begins with.
    header: Vec<u8>,
    /// Where what is held starts, and before the first piece what is behind the header.
    start: Start,
    /// Bytes that were read and handed to nobody.
    held: Vec<u8>,
    /// Bytes of the file on the disk that pieces were made of.
    read: u64,
    first: bool,
}

impl Text {
    /// The next piece, if there is one, and whether it is the last.
    fn next(
        &mut self,
        piece: u64,
        max_bytes: u64,
    ) -> Result<(Option<(Source, Start)>, bool), ReadProblem> {
        let (mut is_over, mut end) = (false, 0);
        let mut most = if self.first { piece.div_ceil(FIRST) } else { piece };
        let mut wanted = piece;
        while end == 0 && !is_over {
            let held = self.held.len() as u64;
            if held > max_bytes {
                return Err(ReadProblem::TooLarge { what: "a record of it is", limit: max_bytes });
            }
            is_over = !self.bytes.read(wanted.saturating_sub(held), &mut self.held)?;
            end = match is_over {
                true => self.held.len(),
                false => self.last_end(usize::try_from(most).unwrap_or(usize::MAX)),
            };
            (wanted, most) = (wanted.saturating_mul(2), most.saturating_mul(2));
        }
        let rest = self.held.split_off(end);
        let body = std::mem::replace(&mut self.held, rest);
        let start = self.start;
        let raw = body.len() as u64;
        let own_lines = line_ends(&body, 0..body.len());
        if std::mem::take(&mut self.first) {
            self.start = Start { bytes: body.len(), lines: own_lines };
            let source = Source::beginning(body, raw, String::new())?;
            let start = Start { bytes: source.skip, lines: 0 };
            return Ok((Some((source, start)), is_over));
        }
        self.start = Start { bytes: start.bytes + body.len(), lines: start.lines + own_lines };
        if is_blank(&body) {
            return Ok((None, is_over));
        }
        let start = Start {
            bytes: start.bytes - self.header.len(),
            lines: start.lines - line_ends(&self.header, 0..self.header.len()),
        };
        let bytes = [&*self.header, &body].concat();
        let source =
            Source { bytes, skip: 0, sha256: String::new(), raw_bytes: raw, findings: Vec::new() };
        Ok((Some((source, start)), is_over))
    }

    /// Where the last record ends that is whole in the first bytes that are held, `most` of them; 0 where there is none behind the header.
    fn last_end(&self, most: usize) -> usize {
        let held = &self.held[..most.min(self.held.len())];
        let end = match self.format {
            Format::Jsonl => held.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1),
            _ => quotes::last_end(held, self.delimiter),
        };
        let begin = if self.first { self.start.bytes } else { 0 };
        if begin < end && !is_blank(&held[begin..end]) { end } else { 0 }
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests;
