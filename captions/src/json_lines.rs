//! Caption files with one JSON record per line. A broken line is a finding, and the next line is read.

use serde_json::Value;

use super::Format;
use super::builder::Builder;
use super::column::Picker;
use super::error::ReadProblem;
use super::finding::{Finding, FindingKind};
use super::record::{Records, kind};

/// Reads `content`, which starts `skip` bytes into the file.
pub(super) fn read(
    content: &[u8],
    skip: usize,
    picker: &Picker<'_>,
    rows: &mut Builder,
) -> Result<Format, ReadProblem> {
    let mut records = Records::new(rows, picker);
    let mut first_error = None;
    let mut offset = skip;
    for (number, bytes) in (1..).zip(content.split(|&byte| byte == b'\n')) {
        let text = String::from_utf8_lossy(bytes);
        if !text.trim().is_empty() {
            match serde_json::from_str(&text) {
                Ok(Value::Object(record)) => records.record(Some(number), None, &record),
                Ok(other) => {
                    records.next_row();
                    let message = format!("line {number} is {}, not a record", kind(&other));
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
                let message = format!(
                    "byte 0x{:02X} at offset {} (line {number}) is not UTF-8; save the file as UTF-8",
                    bytes[at],
                    offset + at
                );
                records.find(Finding::error(FindingKind::NotUtf8, message));
            }
        }
        offset += bytes.len() + 1;
    }
    match first_error {
        Some(message) if records.is_empty() => Err(ReadProblem::Json(message)),
        _ => records.finish().map(|()| Format::Jsonl),
    }
}

/// The parser calls every line the first.
fn without_line(error: &serde_json::Error) -> String {
    error.to_string().replace("at line 1 column", "at column")
}
