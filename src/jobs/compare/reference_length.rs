//! How many references are longer than a captioner may write: a caption that is cut off is far from all of them.

use fgd_captioner::PromptTokenizer;
use fgd_captioner::config::Config;
use fgd_captions::CaptionFile;
use fgd_record::{Finding, Severity};

use crate::jobs::JobError;
use crate::jobs::caption::Checkpoint;

/// Longest captions to tell of beside the one that is asked for, in tokens.
const OTHERS: [usize; 3] = [30, 40, 60];

/// A note on the references in tokens of the checkpoint, the end token included; none where all of them fit.
///
/// # Errors
/// A checkpoint without a tokenizer.
pub fn note(
    checkpoint: &Checkpoint,
    references: &CaptionFile,
    max_new_tokens: usize,
) -> Result<Option<Finding>, JobError> {
    let dir = &checkpoint.base.dir;
    let tokenizer = PromptTokenizer::read(dir, Config::read(dir)?.image_token_index)?;
    let texts = references.captions.iter().map(|caption| tokenizer.encode(&caption.text));
    // A caption that cannot be encoded could not be written either: it counts as too long.
    let lengths: Vec<usize> = texts.map(|ids| ids.map_or(usize::MAX, |ids| ids.len())).collect();
    let share = |most: usize| {
        let longer = lengths.iter().filter(|length| **length > most).count();
        format!("{:.1}%", 100.0 * longer as f64 / lengths.len().max(1) as f64)
    };
    if lengths.iter().all(|length| *length <= max_new_tokens) {
        return Ok(None);
    }
    let others = OTHERS.into_iter().filter(|most| *most != max_new_tokens);
    let others: Vec<String> = others.map(|most| format!("{} {most}", share(most))).collect();
    Ok(Some(Finding {
        severity: Severity::Note,
        kind: "reference-length".into(),
        input: "references".into(),
        row: None,
        id: None,
        message: format!(
            "{} of the references do not fit max_new_tokens {max_new_tokens} (others: {})",
            share(max_new_tokens),
            others.join(", ")
        ),
        more: 0,
    }))
}
