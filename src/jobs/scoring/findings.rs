//! Findings of the linter on their way into a record.

use fgd_captions::{self as captions, Finding, Severity};
use fgd_record as record;

use super::system::System;

/// How many of them are errors.
pub fn errors(findings: &[Finding]) -> usize {
    let errors = findings.iter().filter(|f| f.severity == Severity::Error);
    errors.count()
}

/// What is to be known of references that are no error: that they look like placeholders.
pub fn notes_on(references: &System) -> Vec<record::Finding> {
    let found = match references {
        System::Captions(file) => captions::placeholders(file),
        _ => None,
    };
    for_record(found.as_slice(), "references")
}

/// `1 error`, `3 errors`.
pub fn counted(errors: usize) -> String {
    format!("{errors} {}", if errors == 1 { "error" } else { "errors" })
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
        })
        .collect()
}
