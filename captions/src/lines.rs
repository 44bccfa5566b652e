//! Plain text with one caption per line, for what needs no ids: sets compared as wholes, embeddings, moments.

use super::Format;
use super::builder::Builder;
use super::column::Picker;
use super::error::ReadProblem;
use super::finding::{Finding, FindingKind};

/// Reads `content`, which starts `skip` bytes into the file.
pub(super) fn read(
    content: &[u8],
    skip: usize,
    picker: &Picker<'_>,
    rows: &mut Builder,
) -> Result<Format, ReadProblem> {
    if picker.needs_ids() {
        return Err(ReadProblem::NoIds);
    }
    let mut offset = skip;
    let mut row = 0;
    // Blank lines, the first of them, and how many a caption follows: the end of a file may have any number.
    let (mut blank, mut first_blank, mut inner) = (0u64, None, 0);
    for (number, bytes) in (1..).zip(content.split(|&byte| byte == b'\n')) {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches('\r');
        if text.trim().is_empty() {
            blank += 1;
            first_blank.get_or_insert(number);
        } else {
            inner = blank;
            row += 1;
            rows.push(row, Some(number), "", text.to_owned());
            if let Err(error) = std::str::from_utf8(bytes) {
                let at = error.valid_up_to();
                rows.find(Finding::not_utf8(bytes[at], offset + at, number).at(row));
            }
        }
        offset += bytes.len() + 1;
    }
    if let (Some(first), 1..) = (first_blank, inner) {
        let message = format!(
            "blank lines between captions do not count ({inner}, the first is line {first}); a caption that is empty can be given in a CSV file"
        );
        rows.find(Finding::note(FindingKind::EmptyCaption, message));
    }
    Ok(Format::Lines)
}
