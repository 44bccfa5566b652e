//! Files of a test, read as they were written.

use fgd_captions::{CaptionFile, FindingKind, ReadError, ReadOptions, Role, Severity, read};

/// The captions as `id=text` with ` | ` between them.
pub fn told(file: &CaptionFile) -> String {
    let captions = file.captions.iter().map(|c| format!("{}={}", c.id, c.text));
    captions.collect::<Vec<_>>().join(" | ")
}

pub fn read_as(name: &str, content: &str, options: &ReadOptions) -> Result<CaptionFile, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    read(&path, options)
}

pub fn submission(name: &str, content: &str) -> CaptionFile {
    read_as(name, content, &ReadOptions::default()).unwrap()
}

pub fn references(name: &str, content: &str) -> CaptionFile {
    let options = ReadOptions { role: Role::References, ..ReadOptions::default() };
    read_as(name, content, &options).unwrap()
}

pub fn has(file: &CaptionFile, kind: FindingKind, severity: Severity) -> bool {
    file.findings.iter().any(|finding| (finding.kind, finding.severity) == (kind, severity))
}
