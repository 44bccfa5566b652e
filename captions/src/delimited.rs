//! Caption files of columns between commas, tabs, semicolons or bars.

use std::borrow::Cow;

use std::collections::HashSet;

use csv::{ByteRecord, ReaderBuilder};

use super::Format;
use super::builder::Builder;
use super::column::{Layout, Picker};
use super::error::ReadProblem;
use super::finding::{Finding, FindingKind, shown};
use super::image_id;
use super::quotes::{self, Quoting, Segment};
use super::tables;

/// Reads `content`, which starts `skip` bytes into the file.
pub(super) fn read(
    content: &[u8],
    skip: usize,
    format: Format,
    picker: &Picker<'_>,
    rows: &mut Builder,
) -> Result<Format, ReadProblem> {
    let (announced, start) = separator_line(content);
    let content = &content[start..];
    let delimiter = announced.unwrap_or_else(|| delimiter(content, format));
    if delimiter != expected(format) {
        let (found, wanted) = (name(delimiter), name(expected(format)));
        let message = format!("the columns are separated by {found}, not by {wanted}");
        rows.find(Finding::note(FindingKind::FormatMismatch, message));
    }
    let (content, dropped) = quotes::without_spaces_before(content, delimiter);
    let skip = skip + start;
    let lines_before = u64::from(start > 0);
    let mut reading =
        Reading { content: &content, skip, dropped, delimiter, picker, rows, header: None, row: 0 };
    for segment in quotes::segments(&content, delimiter) {
        reading.segment(&Segment { line: segment.line + lines_before, ..segment })?;
    }
    match reading.header {
        Some(_) if delimiter == b'\t' => Ok(Format::Tsv),
        Some(_) => Ok(Format::Csv),
        None => Err(ReadProblem::Empty),
    }
}

/// Whether the first line names columns that can be used.
pub(super) fn has_header(content: &[u8], format: Format, picker: &Picker<'_>) -> bool {
    let content = content.trim_ascii_start();
    let line = content.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let fields = line.split(|&byte| byte == delimiter(content, format));
    let names: Vec<_> = fields.map(String::from_utf8_lossy).collect();
    picker.pick(&names).is_ok()
}

/// Excel's first line `sep=;`: the delimiter, and where the table begins.
fn separator_line(content: &[u8]) -> (Option<u8>, usize) {
    let end = content.iter().position(|&byte| byte == b'\n').map_or(content.len(), |end| end + 1);
    let line = content[..end].trim_ascii();
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match (content[..end].trim_ascii_end(), line) {
        // A tab behind the equals sign is trimmed away.
        (b"sep=", _) if content[..end].contains(&b'\t') => (Some(b'\t'), end),
        (_, [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter]) => (Some(*delimiter), end),
        _ => (None, 0),
    }
}

fn expected(format: Format) -> u8 {
    if format == Format::Tsv { b'\t' } else { b',' }
}

/// What separates the columns of the first line: what the format says, or else whatever of tab, comma, semicolon and bar is there.
fn delimiter(content: &[u8], format: Format) -> u8 {
    let content = content.trim_ascii_start();
    let end = content.iter().position(|&byte| byte == b'\n').unwrap_or(content.len());
    [expected(format), b'\t', b',', b';', b'|']
        .into_iter()
        .find(|delimiter| content[..end].contains(delimiter))
        .unwrap_or(expected(format))
}

fn name(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "tabs".into(),
        b',' => "commas".into(),
        b';' => "semicolons".into(),
        b'|' => "bars".into(),
        other => format!("`{}`", shown(&char::from(other).to_string())),
    }
}

struct Header {
    layout: Layout,
    fields: usize,
    /// Field number and column number of the other columns.
    others: Vec<(usize, usize)>,
}

struct Reading<'a> {
    content: &'a [u8],
    skip: usize,
    /// Where bytes of the file were left out of the content.
    dropped: Vec<usize>,
    delimiter: u8,
    picker: &'a Picker<'a>,
    rows: &'a mut Builder,
    header: Option<Header>,
    row: u64,
}

impl Reading<'_> {
    fn segment(&mut self, segment: &Segment) -> Result<(), ReadProblem> {
        let bytes = &self.content[segment.range.clone()];
        let mut reader = ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true)
            .quoting(segment.quoting != Quoting::NeverClosed)
            .buffer_capacity(bytes.len().clamp(1, 1 << 16))
            .from_reader(bytes);
        let mut record = ByteRecord::new();
        let mut start = 0;
        let mut line = segment.line;
        // Reading from memory into byte records cannot fail; if it ever does, the message says why.
        while reader.read_byte_record(&mut record).map_err(|e| ReadProblem::Io(e.into()))? {
            let end = usize::try_from(reader.position().byte()).unwrap_or(bytes.len());
            let raw = bytes.get(start..end).unwrap_or_default();
            let blank = raw.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            line += line_ends(&raw[..blank]);
            self.record(
                &record,
                &raw[blank..],
                segment.range.start + start + blank,
                line,
                segment.quoting,
            )?;
            line += line_ends(&raw[blank..]);
            start = end;
        }
        Ok(())
    }

    fn record(
        &mut self,
        record: &ByteRecord,
        raw: &[u8],
        start: usize,
        line: u64,
        quoting: Quoting,
    ) -> Result<(), ReadProblem> {
        // Bars stand with spaces around them.
        let clean = |field| if self.delimiter == b'|' { <[u8]>::trim_ascii(field) } else { field };
        let fields: Vec<_> = record.iter().map(clean).map(String::from_utf8_lossy).collect();
        let is_header = self.header.is_none() && self.begin(&fields)?;
        if !is_header {
            self.row += 1;
            self.data(&fields, line);
        }
        let at_row = |finding: Finding| {
            if is_header { finding } else { finding.at(self.row) }
        };
        if let Err(error) = std::str::from_utf8(raw) {
            let at = start + error.valid_up_to();
            let offset = self.skip + at + self.dropped.partition_point(|&place| place <= at);
            let byte = raw[error.valid_up_to()];
            let message = format!(
                "byte 0x{byte:02X} at offset {offset} (line {line}) is not UTF-8; save the file as UTF-8"
            );
            self.rows.find(at_row(Finding::error(FindingKind::NotUtf8, message)));
        }
        let message = match quoting {
            Quoting::Sound => return Ok(()),
            Quoting::NeverClosed => format!("line {line} opens a quote that is not closed"),
            Quoting::TextAfterQuote => format!(
                "line {line} has text after a closing quote; write a quote inside a quoted caption twice (\"\")"
            ),
        };
        self.rows.find(at_row(Finding::error(FindingKind::BrokenQuote, message)));
        Ok(())
    }

    /// Takes the first record as the header, or finds out that it is data.
    fn begin(&mut self, fields: &[Cow<'_, str>]) -> Result<bool, ReadProblem> {
        let (layout, named) = match self.picker.pick(fields) {
            Ok(layout) => (layout, true),
            Err(problem) => match self.without_header(fields) {
                Some(layout) => (layout, false),
                None => return Err(problem),
            },
        };
        let mut others = Vec::new();
        if named {
            let captions: Vec<_> = layout.captions.iter().map(|&at| fields[at].trim()).collect();
            self.rows.name_columns(layout.id.map(|at| fields[at].trim()), &captions);
            others = self.other_columns(fields, &layout);
            let rivals = self.picker.rivals(fields, &layout);
            rivals.into_iter().for_each(|finding| self.rows.find(finding));
            if let Some(table) = tables::known(fields) {
                self.rows.document(table.name);
            }
        } else {
            let columns = if layout.id.is_some() { "image id and caption" } else { "captions" };
            let message = format!(
                "the first line looks like data, so the columns are taken as {columns}; add a header"
            );
            self.rows.find(Finding::note(FindingKind::NoHeader, message));
        }
        self.header = Some(Header { layout, fields: fields.len(), others });
        Ok(named)
    }

    fn other_columns(&mut self, fields: &[Cow<'_, str>], layout: &Layout) -> Vec<(usize, usize)> {
        let mut others = Vec::new();
        let mut known = HashSet::with_capacity(fields.len());
        for (at, name) in fields.iter().enumerate() {
            if !known.insert(name) {
                let message =
                    format!("more than one column is called `{}`; the first is used", shown(name));
                self.rows.find(Finding::note(FindingKind::ColumnNames, message));
            } else if Some(at) != layout.id && !layout.captions.contains(&at) {
                others.extend(self.rows.column(name.trim()).map(|column| (at, column)));
            }
        }
        others
    }

    /// The layout of a file without a header, if its first line leaves no doubt: an id, then a caption of several words.
    fn without_header(&self, fields: &[Cow<'_, str>]) -> Option<Layout> {
        if !self.picker.by_convention() {
            return None;
        }
        let starts_with_id = fields.first().is_some_and(|id| image_id::is_plain(id));
        match fields {
            [_] if starts_with_id && !self.picker.wants_captions() => {
                Some(Layout { id: Some(0), captions: Vec::new() })
            }
            [_] if !self.picker.needs_ids() => Some(Layout { id: None, captions: vec![0] }),
            [_, caption] if starts_with_id && caption.trim().contains(' ') => {
                Some(Layout { id: Some(0), captions: vec![1] })
            }
            _ => None,
        }
    }

    fn data(&mut self, fields: &[Cow<'_, str>], line: u64) {
        let Some(header) = &self.header else { return };
        let field = |at: usize| fields.get(at).map_or("", |field| field.as_ref());
        let id = header.layout.id.map_or("", field);
        let captions = header.layout.captions.iter().map(|&at| field(at));
        let mut filled: Vec<&str> = match header.layout.captions.len() {
            0 | 1 => captions.collect(),
            // Of several columns the last ones are often empty.
            _ => captions.filter(|text| !text.trim().is_empty()).collect(),
        };
        if filled.is_empty() {
            filled.push("");
        }
        for text in filled {
            self.rows.push(self.row, Some(line), id, text.to_owned());
            for &(at, column) in &header.others {
                if let Some(value) = fields.get(at) {
                    self.rows.cell(column, value);
                }
            }
        }
        if fields.len() != header.fields {
            let finding = ragged(fields, header.fields, line, self.delimiter);
            self.rows.find(finding.at(self.row).of(id.trim()));
        }
    }
}

fn ragged(fields: &[Cow<'_, str>], wanted: usize, line: u64, delimiter: u8) -> Finding {
    let found = fields.len();
    let counts = format!("line {line} has {found} fields where the header has {wanted}");
    if fields.iter().skip(wanted).any(|field| !field.is_empty()) {
        let separators = name(delimiter);
        let message = format!("{counts}; put captions that contain {separators} in double quotes");
        return Finding::error(FindingKind::RaggedRow, message);
    }
    if found > wanted {
        return Finding::note(
            FindingKind::RaggedRow,
            format!("{counts}; the empty ones are ignored"),
        );
    }
    Finding::error(FindingKind::RaggedRow, format!("{counts}; write every column in every row"))
}

fn line_ends(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}
