//! How findings of the linter are shown: errors first, in the order of the rows; of many of one kind, the first.

use std::path::Path;

use fgd_captions::FindingKind;
use fgd_record::{Finding, Input, Record, Severity};

use super::output::{Output, complain};

/// How many findings of one kind are written out before the rest is only counted.
#[derive(Clone, Copy)]
pub struct Shown {
    errors: u64,
    notes: u64,
}

impl Shown {
    /// Every finding.
    pub const ALL: Self = Self { errors: u64::MAX, notes: u64::MAX };
    /// Every error, and the first note of each kind.
    pub const ERRORS: Self = Self { errors: u64::MAX, ..Self::FIRST };
    /// What stands beside a result, or beside the refusal of one: a submission of another part of the images lacks thousands.
    pub const FIRST: Self = Self { errors: 20, notes: 1 };
}

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
        print(&findings, Path::new(&input.path), output);
    }
}

/// Writes the first findings of each kind to stderr.
pub fn print(findings: &[Finding], file: &Path, output: &Output) {
    let (errors, notes) = lines(findings, file, Shown::FIRST);
    errors.iter().for_each(complain);
    notes.iter().for_each(|line| output.say(line));
}

/// Findings in lines: errors, and notes.
pub fn lines(findings: &[Finding], file: &Path, shown: Shown) -> (Vec<String>, Vec<String>) {
    let of = |severity, most| listed(findings, severity, file, most);
    (of(Severity::Error, shown.errors), of(Severity::Note, shown.notes))
}

/// Findings of one severity in lines, up to `most` of each kind, and how many more of it there are.
fn listed(findings: &[Finding], severity: Severity, file: &Path, most: u64) -> Vec<String> {
    // Of each kind: how many there are, and how many have a line.
    let (mut lines, mut counts): (Vec<String>, Vec<(&str, u64, u64)>) = (Vec::new(), Vec::new());
    for finding in findings.iter().filter(|finding| finding.severity == severity) {
        let place = match counts.iter().position(|(known, ..)| *known == finding.kind) {
            Some(place) => place,
            None => {
                counts.push((&finding.kind, 0, 0));
                counts.len() - 1
            }
        };
        let (_, all, listed) = &mut counts[place];
        if *all < most {
            lines.push(line(finding, file));
            *listed += 1;
        }
        *all += 1 + finding.more;
    }
    for (kind, all, listed) in counts.into_iter().filter(|(_, all, _)| *all > most) {
        let lists = match severity {
            Severity::Error => "`fgd validate` lists them",
            // How much an encoder reads is not known to a command without one.
            Severity::Note if kind == FindingKind::TooLong.name() => {
                "the record (`--format json`) lists them"
            }
            Severity::Note => "`fgd validate --all` lists them",
        };
        let (file, name, more) = (file.display(), name(severity), all - listed);
        lines.push(format!("{file}: {name}[{kind}]: {more} more of these; {lists}"));
    }
    lines
}

fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Note => "note",
    }
}

fn line(finding: &Finding, file: &Path) -> String {
    let mut place = file.display().to_string();
    if let Some(row) = finding.row {
        place.push_str(&format!(", row {row}"));
    }
    if let Some(id) = &finding.id {
        place.push_str(&format!(", id {id}"));
    }
    format!("{place}: {}[{}]: {}", name(finding.severity), finding.kind, finding.message)
}
