//! How findings of the linter are shown: every one of them, errors first, in the order of the rows.

use std::path::Path;

use fgd_captions::FindingKind;
use fgd_record::{Finding, Input, Record, Severity};

use super::output::{Output, complain};

/// Notes of one kind that are written out before the rest is only counted. Errors are never cut.
const NOTES_SHOWN: u64 = 1;

/// The findings of a record's files, unless its tables, which have them too, are `on_screen`. A record has no errors.
pub fn print_of(record: &Record, on_screen: bool, output: &Output) {
    if on_screen {
        return;
    }
    let is_looked_at =
        |input: &&Input| ["submission", "references", "judgements"].contains(&input.role.as_str());
    for input in record.inputs.iter().filter(is_looked_at) {
        // A score has one submission, whose findings do not repeat its name.
        let of = |finding: &&Finding| finding.input == input.name || finding.input == input.role;
        let findings: Vec<Finding> = record.findings.iter().filter(of).cloned().collect();
        print(&findings, Path::new(&input.path), false, output);
    }
}

/// Writes findings to stderr: all errors, and notes up to a few of each kind unless `all`.
pub fn print(findings: &[Finding], file: &Path, all: bool, output: &Output) {
    let (errors, notes) = lines(findings, file, all);
    errors.iter().for_each(complain);
    notes.iter().for_each(|line| output.say(line));
}

/// Findings in lines, all errors, and notes up to a few of each kind unless `all`.
pub fn lines(findings: &[Finding], file: &Path, all: bool) -> (Vec<String>, Vec<String>) {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let errors = errors.map(|finding| line(finding, file)).collect();
    let (mut notes, mut shown): (Vec<String>, Vec<(&str, u64)>) = (Vec::new(), Vec::new());
    for note in findings.iter().filter(|f| f.severity == Severity::Note) {
        let place = match shown.iter().position(|(known, _)| *known == note.kind) {
            Some(place) => place,
            None => {
                shown.push((&note.kind, 0));
                shown.len() - 1
            }
        };
        if all || shown[place].1 < NOTES_SHOWN {
            notes.push(line(note, file));
        }
        shown[place].1 += 1 + note.more;
    }
    for (kind, count) in shown.into_iter().filter(|(_, count)| !all && *count > NOTES_SHOWN) {
        // How much an encoder reads is not known to a command without one.
        let lists = match kind == FindingKind::TooLong.name() {
            true => "the record (`--format json`) lists them",
            false => "`fgd validate --all` lists them",
        };
        let more = count - NOTES_SHOWN;
        notes.push(format!("{}: note[{kind}]: {more} more of these; {lists}", file.display()));
    }
    (errors, notes)
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
