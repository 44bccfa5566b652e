//! What stands where a caption should: words of programs for a missing value, errors of spreadsheets, placeholders.

use super::Caption;
use super::finding::{Finding, FindingKind, shown};

/// Texts that programs write for a missing value.
const NULLS: [&str; 12] = [
    "nan",
    "null",
    "none",
    "n/a",
    "na",
    "<na>",
    "nat",
    "undefined",
    "nil",
    "-nan",
    "<null>",
    "(null)",
];
/// Texts that spreadsheets write where a formula failed; nobody captions an image so.
const SHEET_ERRORS: [&str; 10] = [
    "#name?", "#n/a", "#value!", "#ref!", "#div/0!", "#null!", "#num!", "#spill!", "#calc!",
    "#error!",
];
/// Texts that stand where somebody should have written a caption.
const PLACEHOLDERS: [&str; 16] = [
    "todo",
    "tbd",
    "fixme",
    "placeholder",
    "caption",
    "your caption",
    "your caption here",
    "caption here",
    "insert caption here",
    "add caption",
    "enter caption",
    "lorem ipsum",
    "xxx",
    "...",
    "empty",
    "test",
];
/// A caption that says `none` may be right once; this many, and this share, are a program's doing.
const NULLS_FEWEST: usize = 3;
const NULLS_SHARE: f64 = 0.01;
/// Bytes of the longest of them.
const LONGEST: usize = 20;
/// What stands for a caption that is not there. A placeholder may once be a caption, as `none` may; an error of a spreadsheet not.
pub(super) fn stand_ins(captions: &[Caption]) -> Vec<Finding> {
    let stands = |known: &[&str], text: &str| {
        let texts = [text.trim().trim_end_matches(['.', '…']), text.trim()];
        known.iter().any(|known| texts.iter().any(|text| text.eq_ignore_ascii_case(known)))
    };
    let is_short = |(_, caption): &(usize, &Caption)| {
        caption.text.trim().trim_end_matches(['.', '…']).len() <= LONGEST
    };
    let short: Vec<(usize, &Caption)> = captions.iter().enumerate().filter(is_short).collect();
    let often =
        |count: usize| count >= NULLS_FEWEST && count as f64 >= NULLS_SHARE * captions.len() as f64;
    let kinds: [(&[&str], FindingKind, &str); 3] = [
        (&NULLS, FindingKind::NullCaption, "which programs write for a missing value"),
        (
            &SHEET_ERRORS,
            FindingKind::NullCaption,
            "which spreadsheets write where a formula failed",
        ),
        (&PLACEHOLDERS, FindingKind::PlaceholderCaption, "which holds the place of a caption"),
    ];
    let mut findings = Vec::new();
    for (known, kind, what) in kinds {
        let found: Vec<_> = short.iter().filter(|(_, c)| stands(known, &c.text)).collect();
        let is_error = known == SHEET_ERRORS || (known == NULLS && often(found.len()));
        let finding = if is_error { Finding::error } else { Finding::note };
        findings.extend(found.into_iter().map(|&(place, caption)| {
            let message = format!("the caption is `{}`, {what}", shown(caption.text.trim()));
            finding(kind, message).about(place, caption)
        }));
    }
    findings
}
