//! How findings of the linter are shown: every one of them, errors first, in the order of the rows.

use super::output::Output;
use fgd_captions::{Finding, Severity};
use fgd_record as record;
use std::path::Path;

/// Notes of one kind that are written out before the rest is only counted. Errors are never cut.
const NOTES_SHOWN: usize = 5;

/// Writes findings to stderr: all errors, and notes up to a few of each kind unless `all`.
pub fn print(findings: &[Finding], file: &Path, all: bool, output: &Output) {
    for finding in findings.iter().filter(|f| f.severity == Severity::Error) {
        eprintln!("{}", line(finding, file));
    }
    let notes: Vec<&Finding> = findings
        .iter()
        .filter(|f| f.severity == Severity::Note)
        .collect();
    let mut shown: Vec<(&str, usize)> = Vec::new();
    for note in &notes {
        let kind = note.kind.name();
        let place = match shown.iter().position(|(known, _)| *known == kind) {
            Some(place) => place,
            None => {
                shown.push((kind, 0));
                shown.len() - 1
            }
        };
        shown[place].1 += 1;
        if all || shown[place].1 <= NOTES_SHOWN {
            output.say(line(note, file));
        }
    }
    for (kind, count) in shown {
        if !all && count > NOTES_SHOWN {
            output.say(format!(
                "{}: note[{kind}]: {} more of these; `fgd validate --all` lists them",
                file.display(),
                count - NOTES_SHOWN
            ));
        }
    }
}

fn line(finding: &Finding, file: &Path) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Note => "note",
    };
    let mut place = file.display().to_string();
    if let Some(row) = finding.row {
        place.push_str(&format!(", row {row}"));
    }
    if let Some(id) = &finding.id {
        place.push_str(&format!(", id {id}"));
    }
    format!(
        "{place}: {severity}[{}]: {}",
        finding.kind.name(),
        finding.message
    )
}

/// How many errors there are.
pub fn errors(findings: &[Finding]) -> usize {
    findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count()
}

/// The findings as they stand in a record.
pub fn for_record(findings: &[Finding], input: &str) -> Vec<record::Finding> {
    findings
        .iter()
        .map(|finding| record::Finding {
            severity: match finding.severity {
                Severity::Error => record::Severity::Error,
                Severity::Note => record::Severity::Note,
            },
            kind: finding.kind.name().to_owned(),
            input: input.to_owned(),
            row: finding.row,
            id: finding.id.clone(),
            message: finding.message.clone(),
        })
        .collect()
}
