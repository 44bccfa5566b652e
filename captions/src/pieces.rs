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
use super::source::{self, Source, Start};
use super::{CaptionFile, Finding, ReadOptions, delimited, json, parquet, quotes};

/// Bytes of a piece, about.
const PIECE: u64 = 32 << 20;
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
}

enum Content {
    Source(Source, Start),
    Groups(Box<parquet::Groups>),
}

impl Pieces {
    /// Opens a file.
    ///
    /// # Errors
    /// A file that cannot be read, or holds no captions.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, ReadError> {
        Self::of(path, options, PIECE)
    }

    fn of(path: &Path, options: &ReadOptions, piece: u64) -> Result<Self, ReadError> {
        let cut = Cut::of(path, options, piece).map_err(|problem| error(path, problem))?;
        let (path, options) = (path.to_owned(), options.clone());
        Ok(Self { path, options, piece, cut, sha256: None })
    }

    /// Whether it is no larger than a piece, or cannot be cut.
    pub fn is_whole(&self) -> bool {
        matches!(self.cut, Cut::Whole)
    }

    /// The bytes of the next piece; `None` behind the last one.
    ///
    /// # Errors
    /// A file that cannot be read, or a record that is too long.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, ReadError> {
        let content = self.next_content().map_err(|problem| error(&self.path, problem))?;
        let (path, options) = (self.path.clone(), self.options.clone());
        Ok(content.map(|content| Piece { path, options, content }))
    }

    fn next_content(&mut self) -> Result<Option<Content>, ReadProblem> {
        match &mut self.cut {
            Cut::Whole => {
                let source = source::open(&self.path, self.options.max_bytes)?;
                self.sha256 = Some(source.sha256.clone());
                self.cut = Cut::Over;
                Ok(Some(Content::Source(source, Start::default())))
            }
            Cut::Text(text) => {
                self.options.format = Some(text.format);
                let (next, is_over) = text.next(self.piece, self.options.max_bytes)?;
                if is_over && let Cut::Text(text) = std::mem::replace(&mut self.cut, Cut::Over) {
                    self.sha256 = Some(text.bytes.sha256()?);
                }
                Ok(next.map(|(source, start)| Content::Source(source, start)))
            }
            Cut::Groups(groups) => {
                let next = groups.next(self.piece, self.options.max_bytes)?;
                Ok(next.map(|groups| Content::Groups(Box::new(groups))))
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
    /// Its captions, in rows that are counted from 1; see [`CaptionFile::count_from`].
    ///
    /// # Errors
    /// As [`read`](super::read()).
    pub fn read(self) -> Result<CaptionFile, ReadError> {
        let Self { path, options, content } = self;
        let read = match content {
            Content::Source(source, start) => {
                super::parse(&path, source, start, &options, Wanted::IdAndCaption)
            }
            Content::Groups(groups) => super::parse_groups(&path, &groups, &options),
        };
        read.map_err(|problem| error(&path, problem))
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
        let start = Start { bytes: whole.skip + header.len(), lines: lines(&header) };
        Ok(Self::Text(Box::new(Text {
            bytes,
            format,
            delimiter,
            header,
            start,
            held: head,
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
    /// Where what is held starts, and at first what is behind the header.
    start: Start,
    /// Bytes that were read and handed to nobody.
    held: Vec<u8>,
    first: bool,
}

impl Text {
    /// The next piece, if there is one, and whether it is the last.
    fn next(
        &mut self,
        piece: u64,
        max_bytes: u64,
    ) -> Result<(Option<(Source, Start)>, bool), ReadProblem> {
        let (mut is_over, mut end, mut wanted) = (false, 0, piece);
        while end == 0 && !is_over {
            if self.held.len() as u64 > max_bytes {
                return Err(ReadProblem::TooLarge { what: "a record of it is", limit: max_bytes });
            }
            let wants = wanted.saturating_sub(self.held.len() as u64);
            is_over = !self.bytes.read(wants, &mut self.held)?;
            end = if is_over { self.held.len() } else { self.last_end() };
            wanted *= 2;
        }
        let rest = self.held.split_off(end);
        let body = std::mem::replace(&mut self.held, rest);
        let start = self.start;
        let read = body.len() - if self.first { start.bytes } else { 0 };
        self.start.bytes += read;
        self.start.lines += lines(&body) - if self.first { start.lines } else { 0 };
        let raw = body.len() as u64;
        if std::mem::take(&mut self.first) {
            let source = Source::beginning(body, raw, String::new())?;
            let start = Start { bytes: source.skip, lines: 0 };
            return Ok((Some((source, start)), is_over));
        }
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok((None, is_over));
        }
        let start = Start {
            bytes: start.bytes - self.header.len(),
            lines: start.lines - lines(&self.header),
        };
        let bytes = [&*self.header, &body].concat();
        let source =
            Source { bytes, skip: 0, sha256: String::new(), raw_bytes: raw, findings: Vec::new() };
        Ok((Some((source, start)), is_over))
    }

    /// Where the last record ends that is held whole.
    fn last_end(&self) -> usize {
        match self.format {
            Format::Jsonl => {
                self.held.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1)
            }
            _ => quotes::last_end(&self.held, self.delimiter),
        }
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::{Cells, Table, TableFile, read};

    /// The captions and findings of a file in pieces, and how many pieces there were.
    fn in_pieces(path: &Path) -> (CaptionFile, usize) {
        let mut pieces = Pieces::of(path, &ReadOptions::default(), 1 << 16).unwrap();
        let mut whole: Option<CaptionFile> = None;
        let (mut rows, mut count) = (0, 0);
        while let Some(piece) = pieces.next_piece().unwrap() {
            let mut file = piece.read().unwrap();
            rows = file.count_from(rows, &mut []);
            count += 1;
            match &mut whole {
                Some(whole) => {
                    whole.captions.extend(file.captions);
                    whole.findings.extend(file.findings.into_iter().filter(|f| f.row.is_some()));
                }
                none => *none = Some(file),
            }
        }
        let mut whole = whole.unwrap();
        whole.sha256 = pieces.sha256().unwrap();
        (whole, count)
    }

    fn is_the_same(path: &Path, fewest: usize) {
        let whole = read(path, &ReadOptions::default()).unwrap();
        let (pieces, count) = in_pieces(path);
        assert!(count >= fewest, "{}: {count} pieces", path.display());
        assert_eq!(pieces.captions, whole.captions, "{}", path.display());
        assert_eq!(pieces.findings, whole.findings, "{}", path.display());
        assert_eq!(pieces.sha256, whole.sha256);
    }

    /// Rows of every kind: of several lines, blank ones, broken ones.
    fn text(row: impl Fn(usize) -> String) -> String {
        (0..6_000).map(row).collect()
    }

    #[test]
    fn captions_and_findings_are_those_of_the_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let csv = text(|i| match i % 50 {
            7 => format!("{i},\"two lines,\nof \"\"one\"\" caption {i}\",x\n"),
            11 => format!("{i},a 5\" pipe {i},y\r\n\n"),
            13 => format!("{i},one field too few\n"),
            _ => format!("{i},caption number {i} of an image,z\n"),
        });
        let csv = format!("\u{feff}image_id,caption,part\n{csv}last,a row without its end,z");
        is_the_same(&write("a.csv", csv.as_bytes()), 3);
        let mut broken = csv.clone().into_bytes();
        let at = broken.len() - 1_000;
        broken[at] = 0xff;
        is_the_same(&write("broken.csv", &broken), 3);
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(csv.as_bytes()).unwrap();
        is_the_same(&write("a.csv.gz", &gz.finish().unwrap()), 3);
        let lines = text(|i| match i % 50 {
            7 => "\n".into(),
            11 => "{\"image_id\": 1, \"caption\n".into(),
            _ => {
                format!("{{\"image_id\": \"a{i}\", \"captions\": [\"a dog {i}\", \"dog {i}\"]}}\n")
            }
        });
        is_the_same(&write("a.jsonl", lines.as_bytes()), 3);
        // What cannot be cut, or has no header, is read whole.
        let records = format!("[{}]", lines.lines().nth(1).unwrap());
        is_the_same(&write("a.json", format!("{records}{}", " ".repeat(1 << 17)).as_bytes()), 1);
        let bare = text(|i| format!("{i},caption number {i} of an image\n"));
        is_the_same(&write("bare.csv", bare.as_bytes()), 1);
    }

    #[test]
    fn groups_of_rows_are_read_by_themselves() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let mut table = Table::default();
        // polars writes groups of some 262,144 rows.
        let rows = 0..530_000;
        table.push("image_id", Cells::text(rows.clone().map(|i| i.to_string())));
        table.push("caption", Cells::text(rows.map(|i| format!("caption {}", i % 10))));
        TableFile::create(&path).unwrap().write(&table).unwrap();
        is_the_same(&path, 2);
        // A footer that points elsewhere is an error, not the end of the process.
        let mut bytes = fs::read(&path).unwrap();
        bytes.drain(100..300);
        fs::write(&path, bytes).unwrap();
        let mut pieces = Pieces::of(&path, &ReadOptions::default(), 1 << 16).unwrap();
        let read = pieces.next_piece().and_then(|piece| piece.unwrap().read());
        assert!(read.is_err());
    }
}
