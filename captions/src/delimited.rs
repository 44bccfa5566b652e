//! Caption files of columns between commas, tabs, semicolons or bars.

use std::borrow::Cow;

use csv::{ByteRecord, ReaderBuilder};

use super::Format;
use super::builder::Builder;
use super::column::Picker;
use super::error::ReadProblem;
use super::finding::{Finding, FindingKind, shown};
use super::image_id;
use super::quotes::{self, Quoting, Segment};
use super::source::{Start, first_line, line_ends};
use super::tabular::{Tabular, named_apart};

/// Reads `content`.
pub(super) fn read(
    content: &[u8],
    at: Start,
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
    let skip = at.bytes + start;
    let lines_before = at.lines + u64::from(start > 0);
    let table = Tabular::new(picker, rows);
    let mut reading = Reading { content: &content, skip, dropped, delimiter, table };
    for segment in quotes::segments(&content, delimiter) {
        reading.segment(&Segment { line: segment.line + lines_before, ..segment })?;
    }
    match reading.table.width() {
        Some(_) if delimiter == b'\t' => Ok(Format::Tsv),
        Some(_) => Ok(Format::Csv),
        None => Err(ReadProblem::Empty),
    }
}

/// Whether the first line names columns that can be used, or is an id with its caption.
pub(super) fn is_table(content: &[u8], format: Format, picker: &Picker<'_>) -> bool {
    let content = content.trim_ascii_start();
    let fields =
        first_line(content).trim_ascii_end().split(|&byte| byte == delimiter(content, format));
    let fields: Vec<_> = fields.map(String::from_utf8_lossy).collect();
    let is_row = matches!(fields.as_slice(), [id, _, ..] if image_id::is_plain(id));
    picker.pick(&fields).is_ok() || (picker.by_convention() && is_row)
}

/// Where the header ends and what separates the columns; `None` where there is no header.
pub(super) fn header(content: &[u8], format: Format, picker: &Picker<'_>) -> Option<(usize, u8)> {
    let (announced, start) = separator_line(content);
    let delimiter = announced.unwrap_or_else(|| delimiter(&content[start..], format));
    let blank = content[start..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let line = first_line(&content[start + blank..]);
    let fields = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .from_reader(line)
        .into_byte_records()
        .next()?
        .ok()?;
    let fields: Vec<_> = fields.iter().map(String::from_utf8_lossy).collect();
    picker.pick(&named_apart(&fields)).is_ok().then_some((start + blank + line.len(), delimiter))
}

/// Excel's first line `sep=;`: the delimiter, and where the table begins.
fn separator_line(content: &[u8]) -> (Option<u8>, usize) {
    let end = first_line(content).len();
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
    let line = first_line(content.trim_ascii_start());
    [expected(format), b'\t', b',', b';', b'|']
        .into_iter()
        .find(|delimiter| line.contains(delimiter))
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

struct Reading<'a> {
    content: &'a [u8],
    skip: usize,
    /// Where bytes of the file were left out of the content.
    dropped: Vec<usize>,
    delimiter: u8,
    table: Tabular<'a>,
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
            let place = segment.range.start + start;
            line += line_ends(self.content, place..place + blank);
            self.record(&record, &raw[blank..], place + blank, line, segment.quoting)?;
            line += line_ends(self.content, place + blank..place + raw.len());
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
        // The line of dashes under the header of a Markdown table.
        let is_rule = |field: &Cow<'_, str>| field.bytes().all(|byte| matches!(byte, b'-' | b':'));
        if self.delimiter == b'|' && raw.contains(&b'-') && fields.iter().all(is_rule) {
            return Ok(());
        }
        let is_header = self.table.take(&fields, line)?;
        let row = self.table.row;
        let id = self.table.id(&fields);
        let at_row = |finding: Finding| {
            if is_header { finding } else { finding.at(row).of(id) }
        };
        let wanted = self.table.width().unwrap_or(fields.len());
        if fields.len() != wanted {
            let finding = ragged(&fields, wanted, line, self.delimiter);
            self.table.rows.find(at_row(finding));
        }
        if let Err(error) = std::str::from_utf8(raw) {
            let at = start + error.valid_up_to();
            let offset = self.skip + at + self.dropped.partition_point(|&place| place <= at);
            let byte = raw[error.valid_up_to()];
            self.table.rows.find(at_row(Finding::not_utf8(byte, offset, line)));
        }
        let message = match quoting {
            Quoting::Sound => return Ok(()),
            Quoting::NeverClosed => format!("line {line} opens a quote that is not closed"),
            Quoting::TextAfterQuote => format!(
                "line {line} has text after a closing quote; write a quote inside a quoted caption twice (\"\")"
            ),
        };
        self.table.rows.find(at_row(Finding::error(FindingKind::BrokenQuote, message)));
        Ok(())
    }
}

fn ragged(fields: &[Cow<'_, str>], wanted: usize, line: u64, delimiter: u8) -> Finding {
    let found = fields.len();
    let counts = match found < wanted {
        true => format!("line {line} has {found} of the header's {wanted} fields"),
        false => format!("line {line} has {found} fields where the header has {wanted}"),
    };
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
