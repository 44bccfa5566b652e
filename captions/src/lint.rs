//! What can be seen in the captions themselves, without references.

use std::collections::{HashMap, HashSet};

use super::CaptionFile;
use super::cut_off::cut_off;
use super::finding::{Finding, FindingKind, Severity, shown};
use super::repetition::repetition;

/// Texts that programs write for a missing value.
const NULLS: [&str; 8] = ["nan", "null", "none", "n/a", "na", "<na>", "nat", "undefined"];
/// A caption that says `none` may be right once; this many, and this share, are a program's doing.
const NULLS_FEWEST: usize = 3;
const NULLS_SHARE: f64 = 0.01;
/// One caption for more than this share of at least so many captions is reported.
const CONSTANT_SHARE: f64 = 0.5;
const CONSTANT_FEWEST: usize = 5;
/// Markers that tokenizers add and decoding should remove.
const SPECIAL_TOKENS: [&str; 12] = [
    "</s>",
    "<s>",
    "<pad>",
    "<unk>",
    "[CLS]",
    "[SEP]",
    "[PAD]",
    "[UNK]",
    "<|endoftext|>",
    "<|im_end|>",
    "<eos>",
    "<image>",
];

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
/// Errors are captions that are empty or, in numbers, stand for a missing value. Notes are literal nulls here and there, line
/// breaks, surrounding spaces, special tokens, runaway repetition (a word 4 times in a row, a phrase 3 times), one caption for
/// more than half of the images, and captions that a length limit cut off (at least 5 and 2% end in mid-sentence or mid-word).
/// Each row concerned has a finding of its own; see [`group_findings`](super::group_findings).
pub fn lint(file: &CaptionFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let explained: HashSet<u64> = file
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Error || f.kind == FindingKind::EmptyCaption)
        .filter_map(|finding| finding.row)
        .collect();
    for caption in &file.captions {
        let mut note = |kind, message: String| {
            findings.push(Finding::note(kind, message).at(caption.row).of(&caption.id));
        };
        let text = caption.text.trim();
        if text.is_empty() {
            if !explained.contains(&caption.row) {
                let finding = Finding::error(FindingKind::EmptyCaption, "the caption is empty");
                findings.push(finding.at(caption.row).of(&caption.id));
            }
            continue;
        }
        if text.contains(['\n', '\r']) {
            note(FindingKind::EmbeddedNewline, "there is a line break in the caption".into());
        }
        if text.len() < caption.text.len() {
            note(FindingKind::SurroundingSpace, "there are spaces around the caption".into());
        }
        if let Some(token) = SPECIAL_TOKENS.iter().find(|token| text.contains(*token)) {
            let message =
                format!("`{token}` is left in the caption; decode without special tokens");
            note(FindingKind::SpecialToken, message);
        }
        if let Some(found) = repetition(text) {
            let message = format!("`{}` comes {} times in a row", shown(&found.unit), found.times);
            note(FindingKind::Repetition, message);
        }
    }
    findings.extend(nulls(file));
    findings.extend(constant(file));
    findings.extend(cut_off(&file.captions));
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

fn nulls(file: &CaptionFile) -> Vec<Finding> {
    let is_null = |text: &str| NULLS.iter().any(|null| text.trim().eq_ignore_ascii_case(null));
    let nulls: Vec<_> = file.captions.iter().filter(|caption| is_null(&caption.text)).collect();
    let often = nulls.len() >= NULLS_FEWEST
        && nulls.len() as f64 >= NULLS_SHARE * file.captions.len() as f64;
    let finding = if often { Finding::error } else { Finding::note };
    let of = |caption: &&super::Caption| {
        let text = shown(caption.text.trim());
        let message = format!("the caption is `{text}`, which programs write for a missing value");
        finding(FindingKind::NullCaption, message).at(caption.row).of(&caption.id)
    };
    nulls.iter().map(of).collect()
}

fn constant(file: &CaptionFile) -> Option<Finding> {
    let (text, count) = most_common(file)?;
    let all = file.captions.len();
    let message = format!("{count} of {all} captions are the same: `{}`", shown(text));
    Some(Finding::note(FindingKind::ConstantCaption, message))
}

/// Notes references of which more than half are one text: that is a file of placeholders. The note does not show the text, which
/// a contest may hide.
pub fn placeholders(references: &CaptionFile) -> Option<Finding> {
    let (_, count) = most_common(references)?;
    let message = format!(
        "{count} of {} references are the same text: these look like placeholders, as in sample_submission.csv; check that this is \
         the file of references",
        references.captions.len()
    );
    Some(Finding::note(FindingKind::ConstantCaption, message))
}

/// The text of more than half of the captions, and of how many.
fn most_common(file: &CaptionFile) -> Option<(&str, usize)> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for caption in &file.captions {
        *counts.entry(caption.text.trim()).or_default() += 1;
    }
    counts.remove("");
    let (text, count) = counts.into_iter().max_by_key(|&(_, count)| count)?;
    let all = file.captions.len();
    let is_most = all >= CONSTANT_FEWEST && count as f64 > CONSTANT_SHARE * all as f64;
    is_most.then_some((text, count))
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
