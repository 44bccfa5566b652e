//! Findings of the linter on their way into a record.

use fgd_captions::{self as captions, Finding, Severity};
use fgd_record as record;

use super::system::System;

/// How many of them are errors.
pub fn errors(findings: &[Finding]) -> u64 {
    let errors = findings.iter().filter(|f| f.severity == Severity::Error);
    errors.count() as u64
}

/// What is to be known of references that is no error: how their file was read, how many captions the linter notes, and that they
/// look like placeholders. It shows none of their texts.
pub fn notes_on(references: &System) -> Vec<record::Finding> {
    let System::Captions(file) = references else {
        return for_record(&references.notes(), "references");
    };
    let mut found = captions::without_texts(&file.findings, &captions::lint(file));
    found.extend(captions::placeholders(file));
    for_record(&found, "references")
}

/// The kinds of the errors, how many there are of each and where the first is; what is wrong with the whole file in its own words.
pub fn kinds(findings: &[Finding]) -> String {
    let groups = captions::group_findings(findings);
    let errors = groups.iter().filter(|group| group.severity == Severity::Error);
    let told = errors.map(|group| match (group.findings.as_slice(), group.findings[0].place()) {
        ([only], None) => format!("{}: {}", group.kind, only.message),
        ([_], Some(place)) => format!("{} in {place}", group.kind),
        (several, None) => format!("{} {}", several.len(), group.kind),
        (several, Some(first)) => format!("{} {}, first in {first}", several.len(), group.kind),
    });
    told.collect::<Vec<_>>().join("; ")
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
            kind: finding.kind.name().to_string(),
            input: input.to_owned(),
            row: finding.row,
            id: finding.id.clone(),
            message: finding.message.clone(),
            more: 0,
        })
        .collect()
}
