//! The submissions of a folder, as a contest collects them.

use std::path::{Path, PathBuf};

use fgd_captions::is_caption_file;
use fgd_store::arrays::ArrayKind;

use crate::jobs::JobError;

/// What `fgd caption` and nightly runs write beside captions.
const BESIDE: [&str; 4] = [".record.json", ".journal.jsonl", ".samples.jsonl", ".done.json"];

/// The caption files and embeddings of a folder, in the order of their names, but `references`; and what else there is that somebody may
/// have meant to hand in.
///
/// # Errors
/// A folder that cannot be read or holds no such file.
pub fn submissions(
    folder: &Path,
    references: &Path,
) -> Result<(Vec<PathBuf>, Vec<PathBuf>), JobError> {
    let references = references.canonicalize().ok();
    let (mut files, mut others) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(JobError::at(folder))? {
        let file = entry.map_err(JobError::at(folder))?.path();
        let is_reference = references.is_some() && file.canonicalize().ok() == references;
        match is_submission(&file) {
            _ if is_reference || is_beside(&file) => {}
            true => files.push(file),
            false => others.push(file),
        }
    }
    if files.is_empty() {
        return Err(JobError::usage(format!(
            "{}: holds no caption file and no .npy; give a folder of submissions, or files",
            folder.display()
        )));
    }
    files.sort();
    others.sort();
    Ok((files, others))
}

/// Whether a file is hidden, one by which Excel locks another, or stands beside captions without holding the captions of a file.
pub fn is_beside(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    name.starts_with('.') || name.starts_with("~$") || BESIDE.iter().any(|end| name.ends_with(end))
}

fn is_submission(path: &Path) -> bool {
    let is_npy = ArrayKind::of(path) == Some(ArrayKind::Embeddings);
    // A link that leads nowhere is no folder: what opens it says so.
    !path.is_dir() && (is_caption_file(path) || is_npy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_that_is_read_stands_for_a_system() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a.csv", "b.XLSX", "c.tab", "d.jsonl.gz", "e.npy", "references.csv"];
        let others = ["a.csv.record.json", ".hidden.csv", "~$b.xlsx", "readme.md", "picture.png"];
        for name in names.iter().chain(&others) {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let references = folder.path().join("references.csv");
        let (found, left_out) = submissions(folder.path(), &references).unwrap();
        let found: Vec<_> = found.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(found, &names[..5]);
        let left_out: Vec<_> = left_out.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(left_out, ["picture.png", "readme.md"]);
    }
}
