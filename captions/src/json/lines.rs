//! Caption files with one JSON record per line. A broken line is a finding, and the next line is read.

use std::borrow::Cow;

use serde_json::Value;

use super::document::HALF_CHARACTER;
use super::nested;
use super::record::Records;
use super::repair::{self, Parsed};
use super::value::kind;
use crate::Format;
use crate::builder::Builder;
use crate::column::Picker;
use crate::error::ReadProblem;
use crate::finding::{Finding, FindingKind};
use crate::source::Start;

/// Reads `content`.
pub(crate) fn read(
    content: &[u8],
    start: Start,
    picker: &Picker<'_>,
    rows: &mut Builder,
) -> Result<Format, ReadProblem> {
    if goes_over_lines(content) {
        return super::read(content, start.bytes, picker, rows).map(|_| Format::Jsonl);
    }
    let mut records = Records::new(rows, picker);
    let mut first_error = None;
    let mut first = true;
    let mut offset = start.bytes;
    for (number, bytes) in (start.lines + 1..).zip(content.split(|&byte| byte == b'\n')) {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim();
        if !text.is_empty() {
            match repair::parse(text) {
                Ok(Parsed { value: Value::Object(record), half_character }) => {
                    if std::mem::take(&mut first) {
                        records.know(&record);
                    }
                    records.record(Some(number), None, &record);
                    if half_character {
                        records.find(Finding::error(FindingKind::BrokenJson, HALF_CHARACTER));
                    }
                }
                Ok(Parsed { value, .. }) if records.bare(&value) => {}
                Ok(Parsed { value, .. }) => {
                    records.next_row();
                    let message = format!("line {number} is {}, not a record", kind(&value));
                    first_error.get_or_insert(message.clone());
                    records.find(Finding::error(FindingKind::WrongType, message));
                }
                Err(error) => {
                    records.next_row();
                    let message = format!("line {number} is not JSON: {}", without_line(&error));
                    first_error.get_or_insert(message.clone());
                    records.find(Finding::error(FindingKind::BrokenJson, message));
                }
            }
            if let Err(error) = std::str::from_utf8(bytes) {
                let at = error.valid_up_to();
                records.find(Finding::not_utf8(bytes[at], offset + at, number));
            }
        }
        offset += bytes.len() + 1;
    }
    match first_error {
        Some(message) if records.is_empty() => Err(ReadProblem::Json(message)),
        _ => nested::finish(records, || vec![nested::outline(&first_line(content))].into())
            .map(|()| Format::Jsonl),
    }
}

fn first_line(content: &[u8]) -> Cow<'_, str> {
    let line = content.trim_ascii_start().split(|&byte| byte == b'\n').next();
    String::from_utf8_lossy(line.unwrap_or_default())
}

/// Whether the first record is written over several lines, as by a program that writes one pretty document after the other. A file
/// whose first line is merely damaged has its next record on the next line.
pub(crate) fn goes_over_lines(content: &[u8]) -> bool {
    let mut lines = content.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let mut lines = lines.by_ref().filter(|line| !line.is_empty());
    match (lines.next(), lines.next()) {
        (Some(b"{" | b"[" | b"[{"), _) => true,
        (Some([b'{' | b'[', .., b',' | b'{' | b'[']), Some(second)) => !second.starts_with(b"{"),
        _ => false,
    }
}

/// The parser calls every line the first.
fn without_line(error: &serde_json::Error) -> String {
    error.to_string().replace("at line 1 column", "at column")
}
