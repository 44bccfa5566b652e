//! One text for most captions of a file: a captioner that says the same of every picture, or a file of placeholders.

use super::CaptionFile;
use super::finding::{Finding, FindingKind, shown};

/// One caption for more than this share of at least so many captions is reported.
const CONSTANT_SHARE: f64 = 0.5;
const CONSTANT_FEWEST: usize = 5;

/// Notes captions of which more than half are one text.
pub(super) fn constant(file: &CaptionFile) -> Option<Finding> {
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
    let texts = || file.captions.iter().map(|caption| caption.text.trim());
    // Each text cancels another one; what more than half of them are is left over.
    let (mut left, mut times) = ("", 0usize);
    for text in texts().filter(|text| !text.is_empty()) {
        match (text == left, times) {
            (true, _) => times += 1,
            (_, 0) => (left, times) = (text, 1),
            _ => times -= 1,
        }
    }
    let count = texts().filter(|text| !left.is_empty() && *text == left).count();
    let all = file.captions.len();
    let is_most = all >= CONSTANT_FEWEST && count as f64 > CONSTANT_SHARE * all as f64;
    is_most.then_some((left, count))
}
