//! What can be seen in the captions themselves, without references.

use std::collections::HashSet;

use super::constant::constant;
use super::cut_off::cut_off;
use super::finding::{Finding, FindingKind, Severity, group_findings, shown};
use super::image_id::{self, is_invisible};
use super::printed::{QUOTES, is_wrapped};
use super::repetition::repetition;
use super::special_token::{is_misread, left_over, special_token};
use super::stand_in::stand_ins;
use super::{Caption, CaptionFile};

/// Bytes that a caption has at most; what is longer is another column, or a quote that swallowed the rows behind it.
const MOST_BYTES: usize = 100_000;
/// Makes empty captions notes and not errors: those of a captioner are what it had to say, and are scored as such.
pub fn accept_empty(file: &mut CaptionFile) {
    let empty = file.captions.iter().filter(|c| c.text.trim().is_empty());
    let notes = empty.map(|caption| {
        let message = "the captioner said nothing; scored as an empty text";
        Finding::note(FindingKind::EmptyCaption, message).at(caption.row).of(&caption.id)
    });
    file.findings.extend(notes);
}

/// Looks at every caption of a file. Rows that already have an error of reading, or a finding that they are empty, are not
/// reported again as empty.
///
/// Errors are captions that are empty to the eye or longer than 100,000 bytes, errors of spreadsheets, NUL characters and, in numbers, what stands for a missing
/// value. Notes are literal nulls and placeholders here and there, line breaks, surrounding spaces, quotes, special tokens and marks
/// of vocabularies, U+FFFD, captions that are their image's id, runaway repetition (a word 4 times in a row, a phrase 3 times), one
/// caption for more than half of the images, and captions that a length limit cut off (at least 5 and 2% end in mid-sentence or
/// mid-word).
/// Each row concerned has a finding of its own; see [`group_findings`](super::group_findings).
pub fn lint(file: &CaptionFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let explained: HashSet<u64> = file
        .findings
        .iter()
        .filter(|f| is_error_of_caption(f) || f.kind == FindingKind::EmptyCaption)
        .filter_map(|finding| finding.row)
        .collect();
    for (place, caption) in file.captions.iter().enumerate() {
        let mut note = |kind, message: String| {
            findings.push(Finding::note(kind, message).about(place, caption));
        };
        if caption.text.len() > MOST_BYTES {
            let message = format!(
                "the caption has {} bytes, and none has more than {MOST_BYTES}: look for a quote left open, or another column",
                caption.text.len()
            );
            let finding = Finding::error(FindingKind::TooLong, message);
            findings.push(finding.about(place, caption));
            continue;
        }
        if is_shortened(&caption.id) {
            let message = "a spreadsheet shortened this number, and its last digits are gone; keep ids as text";
            note(FindingKind::IdFloat, message.into());
        }
        let text = caption.text.trim();
        if text.chars().all(|c| c.is_whitespace() || is_invisible(c)) {
            if !explained.contains(&caption.row) {
                let what = match text.is_empty() {
                    true => "the caption is empty",
                    false => "the caption is empty: it holds only characters that are not seen",
                };
                let finding = Finding::error(FindingKind::EmptyCaption, what);
                findings.push(finding.about(place, caption));
            }
            continue;
        }
        let is_prose = is_prose(text);
        if !is_prose && text.contains(['\n', '\r']) {
            note(FindingKind::EmbeddedNewline, "there is a line break in the caption".into());
        }
        if text.len() < caption.text.len() {
            note(FindingKind::SurroundingSpace, "there are spaces around the caption".into());
        }
        if !is_prose {
            leftovers(caption, text, explained.contains(&caption.row), &mut note);
        }
        if let Some(found) = repetition(text) {
            let message = format!("`{}` comes {} times in a row", shown(&found.unit), found.times);
            note(FindingKind::Repetition, message);
        }
    }
    findings.extend(controls(file));
    findings.extend(stand_ins(&file.captions));
    findings.extend(constant(file));
    findings.extend(cut_off(&file.captions));
    findings
}

/// Findings about a file of references that show none of its texts: how it was `read`, and for each kind of the linter's notes how
/// many captions have it.
pub fn without_texts(read: &[Finding], linted: &[Finding]) -> Vec<Finding> {
    let about_reading = |finding: &&Finding| {
        use FindingKind as K;
        finding.row.is_none()
            && matches!(
                finding.kind,
                K::Document
                    | K::ColumnChoice
                    | K::ColumnNames
                    | K::LeftOut
                    | K::ListCells
                    | K::QuotedCaptions
                    | K::NoHeader
                    | K::FormatMismatch
            )
    };
    let mut findings: Vec<Finding> = read.iter().filter(about_reading).cloned().collect();
    for group in group_findings(linted) {
        let rows = group.findings.iter().filter(|finding| finding.row.is_some()).count();
        if rows > 0 {
            let captions =
                if rows == 1 { "1 caption has" } else { &format!("{rows} captions have") };
            let message =
                format!("{captions} this finding; `fgd validate --role references` lists them");
            findings
                .push(Finding { severity: group.severity, ..Finding::note(group.kind, message) });
        }
    }
    findings
}

/// Notes the captions that the encoder truncates, as sentence-transformers does.
///
/// `tokens` holds the number of tokens of each caption of `file`, special tokens included; `max` is what the encoder reads.
pub fn too_long(file: &CaptionFile, tokens: &[usize], max: usize) -> Vec<Finding> {
    let long = file.captions.iter().zip(tokens).filter(|(_, tokens)| **tokens > max);
    long.map(|(caption, tokens)| {
        let message =
            format!("the caption has at least {tokens} tokens; the encoder reads the first {max} and ignores the rest");
        Finding::note(FindingKind::TooLong, message).at(caption.row).of(&caption.id)
    })
    .collect()
}

/// Notes what programs leave in a caption, whose `text` is without the spaces around it.
fn leftovers(
    caption: &Caption,
    text: &str,
    is_explained: bool,
    note: &mut impl FnMut(FindingKind, String),
) {
    if let Some(token) = special_token(text) {
        let message = format!("`{token}` is left in the caption; decode without special tokens");
        note(FindingKind::SpecialToken, message);
    }
    if let Some((left, advice)) = left_over(text) {
        note(FindingKind::SpecialToken, format!("`{left}` is left in the caption; {advice}"));
    }
    if is_misread(text) {
        let message = "letters such as `Ã©` or `â€™` are UTF-8 that was read as another encoding; write the file again as UTF-8";
        note(FindingKind::ReplacementCharacter, message.into());
    }
    if text.contains('\u{fffd}') && !is_explained {
        let message =
            "U+FFFD stands where a character could not be decoded; write the file again as UTF-8";
        note(FindingKind::ReplacementCharacter, message.into());
    }
    if QUOTES.iter().any(|pair| is_wrapped(text, *pair) && !is_quoted_inside(text, *pair)) {
        note(FindingKind::QuotedCaptions, "the caption stands in quotes".into());
    }
    if is_own_id(text, &caption.id) {
        note(FindingKind::CaptionIsId, "the caption is the image's id or file name".into());
    }
}

/// Whether a caption is several words of ASCII letters and digits with the marks of sentences between them, which is what most
/// captions are: nothing that a program leaves, no quotes around it and no id can be in it.
fn is_prose(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_plain = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b',' | b'.' | b'-' | b'\'')
    };
    // `startseq` and `endseq` are words.
    let may_be_token = || bytes.windows(3).any(|part| part.eq_ignore_ascii_case(b"seq"));
    bytes.iter().all(is_plain)
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.contains(&b' ')
        && !text.starts_with("b'")
        && !may_be_token()
}

/// Whether a quote stands inside of the quotes too, so that those outside do not belong together: `"a" and "b"`.
fn is_quoted_inside(text: &str, (open, close): (char, char)) -> bool {
    let inner = &text[open.len_utf8()..text.len() - close.len_utf8()];
    // An apostrophe inside is none.
    open != '\'' && inner.contains([open, close])
}

/// Whether a row has an error already that says what is wrong with its caption: that its id is missing does not.
fn is_error_of_caption(finding: &Finding) -> bool {
    finding.severity == Severity::Error && finding.kind != FindingKind::EmptyId
}

/// Whether an id is a number as spreadsheets write long ones: `3.93225E+11`.
fn is_shortened(id: &str) -> bool {
    let parts = id
        .split_once(['e', 'E'])
        .and_then(|(number, power)| Some((number, power.strip_prefix('+')?)));
    parts.is_some_and(|(number, power)| {
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits(power)
            && number
                .split_once(['.', ','])
                .is_some_and(|(whole, rest)| digits(whole) && digits(rest))
    })
}

/// Whether a caption only repeats the id of its image. A word may be both, such as `dog`; a number or a file name is none.
fn is_own_id(text: &str, id: &str) -> bool {
    let names_image = image_id::is_plain(text) || text.contains(['_', '/', '\\']);
    !id.is_empty() && names_image && image_id::wide_key(text) == image_id::wide_key(id)
}

/// One rule for NUL wherever it stands: the row is an error. Other control characters are noted.
fn controls(file: &CaptionFile) -> Vec<Finding> {
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let is_plain = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let of = |(place, caption): (usize, &Caption)| {
        if is_plain(&caption.id) && is_plain(&caption.text) {
            return None;
        }
        let texts = [&caption.id, &caption.text];
        let finding = if texts.iter().any(|text| text.contains('\0')) {
            let message = "a NUL character stands in the row; write it again as text";
            Finding::error(FindingKind::ControlCharacter, message)
        } else if texts.iter().any(|text| text.contains(is_control)) {
            let message = "a control character stands in the row; write it again as text";
            Finding::note(FindingKind::ControlCharacter, message)
        } else {
            return None;
        };
        Some(finding.about(place, caption))
    };
    file.captions.iter().enumerate().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ReadOptions, is_valid, read};

    fn linted(captions: &[&str]) -> (CaptionFile, Vec<(FindingKind, Severity, Option<u64>)>) {
        let records: Vec<_> = (1..)
            .zip(captions)
            .map(|(id, caption)| serde_json::json!({"image_id": id, "caption": caption}))
            .collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), serde_json::Value::from(records).to_string()).unwrap();
        let file = read(file.path(), &ReadOptions::default()).unwrap();
        let findings = lint(&file);
        assert!(findings.iter().all(|finding| finding.row.is_none() == finding.id.is_none()));
        let found = findings.iter().map(|found| (found.kind, found.severity, found.row)).collect();
        (file, found)
    }

    #[test]
    fn each_row_has_its_finding() {
        let captions =
            ["a dog", " ", " a\u{a0}cat ", "two\nlines", "<s>a bus</s>", "a a a a a", "None"];
        assert_eq!(
            linted(&captions).1,
            [
                (FindingKind::EmptyCaption, Severity::Error, Some(2)),
                (FindingKind::SurroundingSpace, Severity::Note, Some(3)),
                (FindingKind::EmbeddedNewline, Severity::Note, Some(4)),
                (FindingKind::SpecialToken, Severity::Note, Some(5)),
                (FindingKind::Repetition, Severity::Note, Some(6)),
                (FindingKind::NullCaption, Severity::Note, Some(7)),
            ]
        );
    }

    #[test]
    fn what_other_programs_leave_is_noted() {
        for (caption, kind) in [
            ("[CLS] a dog [SEP]", FindingKind::SpecialToken),
            ("<think>a dog?</think> a dog", FindingKind::SpecialToken),
            ("a dog<0x0A>", FindingKind::SpecialToken),
            ("ASSISTANT: a dog", FindingKind::SpecialToken),
            ("b'a dog'", FindingKind::SpecialToken),
            ("tensor([1, 2])", FindingKind::SpecialToken),
            ("a dog\\n", FindingKind::SpecialToken),
            ("salt &amp; pepper", FindingKind::SpecialToken),
            ("a cafÃ©", FindingKind::ReplacementCharacter),
            ("itâ€™s a dog", FindingKind::ReplacementCharacter),
        ] {
            assert_eq!(
                linted(&["a cat", caption]).1,
                [(kind, Severity::Note, Some(2))],
                "{caption}"
            );
        }
        assert_eq!(linted(&["a café in SÃO PAULO", "R&D, b and c", "an ASSISTANT"]).1, []);
    }

    #[test]
    fn prose_has_nothing_that_is_looked_for() {
        assert!(is_prose("A dog, a cat - it's 2 of them."));
        for text in
            ["dog", "7", "b'a dog'", "'a dog'", "a <pad>", "a dog endseq", "a caf\u{e9}", ""]
        {
            assert!(!is_prose(text), "{text}");
        }
    }

    #[test]
    fn ids_that_a_spreadsheet_shortened_are_noted() {
        for (id, noted) in [
            ("3.93225E+11", true),
            ("3,9e+17", true),
            ("0054e91", false),
            ("1.5e3", false),
            ("a.b+c", false),
        ] {
            assert_eq!(is_shortened(id), noted, "{id}");
        }
    }

    #[test]
    fn what_no_caption_can_be_is_an_error_and_costs_nothing_more() {
        let long = "word ".repeat(20_001);
        let (_, findings) = linted(&["a dog", &long, &long[..100_000]]);
        assert_eq!(findings[0], (FindingKind::TooLong, Severity::Error, Some(2)));
        assert!(findings[1..].iter().all(|found| found.2 != Some(2)), "{findings:?}");
    }

    #[test]
    fn nulls_are_errors_when_they_come_often() {
        let (_, findings) = linted(&["nan", "NaN", "a dog", "null"]);
        assert_eq!(findings.len(), 3);
        assert!(findings.iter().all(|&(kind, severity, _)| {
            kind == FindingKind::NullCaption && severity == Severity::Error
        }));
    }

    #[test]
    fn one_caption_for_most_images_is_noted() {
        let constant = |captions: &[&str]| {
            linted(captions).1.iter().any(|found| found.0 == FindingKind::ConstantCaption)
        };
        assert!(constant(&["a dog", "a dog", "a dog", "a cat", "a bus"]));
        assert!(!constant(&["a dog", "a dog", "a cat", "a cat", "a bus"]));
        assert!(!constant(&["a dog", "a dog", "a dog"]));
    }

    #[test]
    fn captions_beyond_the_encoder_are_noted() {
        let (file, _) = linted(&["a", "b", "c"]);
        let findings = too_long(&file, &[512, 513, 3], 512);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].row, findings[0].kind), (Some(2), FindingKind::TooLong));
        assert!(findings[0].message.contains("513") && is_valid(&findings));
    }
}
