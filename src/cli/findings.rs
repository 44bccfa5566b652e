//! How findings of the linter are shown: every one of them, errors first, in the order of the rows.

use std::path::Path;

use fgd_record::{Finding, Record, Severity};

use super::output::{Output, complain};

/// Notes of one kind that are written out before the rest is only counted. Errors are never cut.
const NOTES_SHOWN: usize = 5;

/// The findings of a record's files.
pub fn print_of(record: &Record, output: &Output) {
    for input in record.inputs.iter().filter(|input| input.role == "submission") {
        // A score has one submission, whose findings do not repeat its name.
        let of = |finding: &&Finding| finding.input == input.name || finding.input == input.role;
        let findings: Vec<Finding> = record.findings.iter().filter(of).cloned().collect();
        print(&findings, Path::new(&input.path), false, output);
    }
}

/// Writes findings to stderr: all errors, and notes up to a few of each kind unless `all`.
pub fn print(findings: &[Finding], file: &Path, all: bool, output: &Output) {
    for finding in findings.iter().filter(|f| f.severity == Severity::Error) {
        complain(line(finding, file));
    }
    let mut shown: Vec<(&str, usize)> = Vec::new();
    for note in findings.iter().filter(|f| f.severity == Severity::Note) {
        let place = match shown.iter().position(|(known, _)| *known == note.kind) {
            Some(place) => place,
            None => {
                shown.push((&note.kind, 0));
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
    format!("{place}: {severity}[{}]: {}", finding.kind, finding.message)
}
