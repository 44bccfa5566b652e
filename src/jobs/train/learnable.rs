//! Which captions a model should learn: what the linter finds harmful, and where captions come from.

use fgd_captioner::train::data::Caption;
use fgd_captions::{CaptionFile, Finding, FindingKind, Severity, lint};

use crate::jobs::JobError;

/// The column that says where a caption comes from, and what stands there for one that people wrote.
pub const SOURCE: &str = "source";
pub const REAL: &str = "real";

/// Where each caption of a file comes from; [`REAL`] where nothing is said.
pub fn sources(file: &CaptionFile) -> Vec<String> {
    let cells = file.column(SOURCE).unwrap_or_else(|| vec![None; file.captions.len()]);
    let source = |cell: Option<String>| {
        let cell = cell.unwrap_or_default().trim().to_lowercase();
        if cell.is_empty() { REAL.to_owned() } else { cell }
    };
    cells.into_iter().map(source).collect()
}

/// What the linter finds; what a model would learn by heart is an error here, unless one is lenient.
pub fn linted(file: &CaptionFile, lenient: bool) -> Vec<Finding> {
    let learned = [
        FindingKind::Repetition,
        FindingKind::CutOff,
        FindingKind::SpecialToken,
        FindingKind::ConstantCaption,
        FindingKind::NullCaption,
        FindingKind::PlaceholderCaption,
        FindingKind::CaptionIsId,
        FindingKind::ReplacementCharacter,
    ];
    let mut found = file.findings.clone();
    found.extend(lint(file));
    // Several captions per image are what captions to learn have.
    found.retain(|finding| finding.kind != FindingKind::DuplicateId);
    if !lenient {
        let harmful = found.iter_mut().filter(|finding| learned.contains(&finding.kind));
        harmful.for_each(|finding| finding.severity = Severity::Error);
    }
    found
}

/// A note where captions have what the checkpoint cannot write: it would learn to write `<unk>` there. `labels` are their tokens.
pub fn unwritable(file: &CaptionFile, labels: &[Caption], unknown: Option<u32>) -> Option<Finding> {
    let is_unwritable = |(_, caption): &(_, &Caption)| {
        unknown.is_some_and(|unknown| caption.labels.contains(&unknown))
    };
    let mut found = file.captions.iter().zip(labels).filter(is_unwritable);
    let (first, _) = found.next()?;
    let message = format!(
        "{} of {} captions have characters that the checkpoint's vocabulary lacks, which it would learn as <unk>; this is the first",
        1 + found.count(),
        labels.len()
    );
    Some(Finding::note(FindingKind::UnknownToken, message).at(first.row))
}

/// Synthetic captions judge nothing.
///
/// # Errors
/// A file that has some.
pub fn refuse_synthetic(file: &CaptionFile) -> Result<(), JobError> {
    let sources = sources(file);
    let mut synthetic = file.captions.iter().zip(&sources).filter(|(_, source)| *source != REAL);
    match synthetic.next() {
        Some((caption, source)) => Err(JobError::invalid(format!(
            "{}, row {}, image {}: its {SOURCE} is {source}; a validation has real captions only",
            file.path.display(),
            caption.row,
            caption.id
        ))),
        None => Ok(()),
    }
}
