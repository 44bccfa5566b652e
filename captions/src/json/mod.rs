//! Caption files that are JSON: one document, or several one after the other.
//!
//! What the outermost value is decides where the records are: a list of them, a document that is [`known`] by its keys, an object
//! from image id to captions, or one that goes column by column ([`pandas`]). [`scan`] finds where each record begins and ends, so
//! that only the captions stay in memory and a mistake in one record loses that one.

mod document;
mod field;
mod known;
pub(super) mod lines;
pub(super) mod nested;
mod pandas;
mod path;
mod record;
mod repair;
mod scan;
mod unknown;
mod value;

use std::borrow::Cow;

use super::Format;
use super::builder::Builder;
use super::column::Picker;
use super::error::ReadProblem;
use super::finding::{Finding, FindingKind};
use document::Document;
pub(super) use record::Records;
use scan::place;

/// Reads `content`, which starts `skip` bytes into the file.
pub(super) fn read(
    content: &[u8],
    skip: usize,
    picker: &Picker<'_>,
    rows: &mut Builder,
) -> Result<Format, ReadProblem> {
    let text = decoded(content, skip, rows);
    let records = Records::new(rows, picker);
    let mut document = Document::of(&text, records);
    let outline = || nested::outline(&text);
    document.all().map_err(|problem| nested::advised(problem, picker, outline))?;
    let Document { mut records, coco, broken, .. } = document;
    if let Some(broken) = broken {
        let (line, column) = place(&text, broken.at);
        let message = format!("the JSON is broken at line {line} column {column}: {}", broken.what);
        if records.is_empty() {
            return Err(ReadProblem::Json(message));
        }
        records.find_in_file(Finding::error(FindingKind::BrokenJson, message));
    }
    nested::finish(records, outline)?;
    Ok(if coco { Format::Coco } else { Format::Json })
}

fn decoded<'a>(content: &'a [u8], skip: usize, rows: &mut Builder) -> Cow<'a, str> {
    if let Err(error) = std::str::from_utf8(content) {
        let at = error.valid_up_to();
        let line = 1 + content[..at].iter().filter(|&&byte| byte == b'\n').count() as u64;
        rows.find(Finding::not_utf8(content[at], skip + at, line));
    }
    String::from_utf8_lossy(content)
}
