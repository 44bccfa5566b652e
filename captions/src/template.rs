//! The list of images that a submission must caption: a sample submission or a file of ids alone.

use std::path::{Path, PathBuf};

use super::align::match_ids;
use super::column::Wanted;
use super::finding::{Finding, FindingKind, shown};
use super::references::group;
use super::{CaptionFile, ReadError, ReadOptions, read_columns};

/// The images to caption.
#[derive(Clone, Debug)]
pub struct Template {
    /// Where it was read from.
    pub path: PathBuf,
    /// SHA-256 of the file's bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// The image ids, each once, in the order of the file.
    pub ids: Vec<String>,
    /// The names of the id and the caption column, as far as the file has them.
    pub columns: [Option<String>; 2],
    /// For each id the text that stands in place of a caption; empty when there is none.
    pub placeholders: Vec<String>,
    /// What was found while reading.
    pub findings: Vec<Finding>,
}

/// Reads a template: any caption file, or a file with an id column only.
///
/// # Errors
/// As [`read`](super::read), but a caption column is not needed.
pub fn read_template(path: &Path, options: &ReadOptions) -> Result<Template, ReadError> {
    let file = read_columns(path, options, Wanted::Id)?;
    let grouped = group(&file);
    let placeholders =
        grouped.captions.iter().map(|captions| file.captions[captions[0]].text.clone()).collect();
    Ok(Template {
        path: file.path,
        sha256: file.sha256,
        ids: grouped.ids,
        columns: [file.id_column, file.caption_column],
        placeholders,
        findings: file.findings,
    })
}

/// Compares a submission with a template: ids that are missing, extra, duplicate or spelt differently, columns with other names,
/// and placeholders that were never replaced.
pub fn check_template(submission: &CaptionFile, template: &Template) -> Vec<Finding> {
    let matching = match_ids(submission, &template.ids);
    let mut findings = matching.findings;
    let named = [&submission.id_column, &submission.caption_column];
    for (wanted, found) in template.columns.iter().zip(named) {
        if let (Some(wanted), Some(found)) = (wanted, found)
            && wanted != found
        {
            let message = format!(
                "the column `{}` is called `{}` in the template",
                shown(found),
                shown(wanted)
            );
            findings.push(Finding::note(FindingKind::ColumnNames, message));
        }
    }
    for (placeholder, candidate) in template.placeholders.iter().zip(matching.candidates) {
        let Some(caption) = candidate.map(|index| &submission.captions[index]) else {
            continue;
        };
        if !placeholder.trim().is_empty() && placeholder.trim() == caption.text.trim() {
            let message = "the caption is still the one of the template";
            findings.push(
                Finding::note(FindingKind::PlaceholderCaption, message)
                    .at(caption.row)
                    .of(&caption.id),
            );
        }
    }
    findings
}
