//! The submissions of a folder, as a contest collects them.

use std::path::{Path, PathBuf};

use fgd_captions::is_caption_file;

use crate::jobs::JobError;

/// What `fgd caption` and nightly runs write beside captions.
const BESIDE: [&str; 4] = [".record.json", ".journal.jsonl", ".samples.jsonl", ".done.json"];

/// The caption files and embeddings of a folder, in the order of their names, but `references`.
///
/// # Errors
/// A folder that cannot be read or holds no such file.
pub fn submissions(folder: &Path, references: &Path) -> Result<Vec<PathBuf>, JobError> {
    let references = references.canonicalize().ok();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(JobError::at(folder))? {
        let file = entry.map_err(JobError::at(folder))?.path();
        if is_submission(&file) && file.canonicalize().ok() != references {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(JobError::usage(format!(
            "{}: holds no caption file and no .npy; give a folder of submissions, or files",
            folder.display()
        )));
    }
    files.sort();
    Ok(files)
}

fn is_submission(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    path.is_file()
        && !name.starts_with('.')
        && !BESIDE.iter().any(|end| name.ends_with(end))
        && (is_caption_file(path) || name.ends_with(".npy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_that_is_read_stands_for_a_system() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a.csv", "b.XLSX", "c.tab", "d.jsonl.gz", "e.npy", "references.csv"];
        let others = ["a.csv.record.json", ".hidden.csv", "readme.md", "picture.png"];
        for name in names.iter().chain(&others) {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let references = folder.path().join("references.csv");
        let found = submissions(folder.path(), &references).unwrap();
        let found: Vec<_> = found.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(found, &names[..5]);
    }
}
