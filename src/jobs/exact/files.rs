//! The files of a side.

use std::path::{Path, PathBuf};

use crate::jobs::JobError;
use crate::jobs::leaderboard::folder::is_beside;

/// What a path names: itself, or the files of a folder by their names, but what stands beside captions.
///
/// # Errors
/// A folder that cannot be read or holds no file.
pub fn files_of(path: &Path) -> Result<Vec<PathBuf>, JobError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(JobError::at(path))? {
        let entry = entry.map_err(JobError::at(path))?;
        // Spark marks what is no part of a table by an underscore.
        let is_marked = entry.file_name().to_string_lossy().starts_with('_');
        // By way of links, which is how the Hub's client keeps its files.
        let file = entry.path();
        if !is_marked
            && !is_beside(&file)
            && file.metadata().map_err(JobError::at(&file))?.is_file()
        {
            files.push(file);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(JobError::usage(format!("{}: holds no files", path.display()))),
        false => Ok(files),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_of_links_holds_files() {
        let place = tempfile::tempdir().unwrap();
        let (blobs, folder) = (place.path().join("blobs"), place.path().join("snapshot"));
        for folder in [&blobs, &folder] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(blobs.join("8f3a"), "").unwrap();
        std::os::unix::fs::symlink(blobs.join("8f3a"), folder.join("a.parquet")).unwrap();
        fs::write(folder.join("b.parquet"), "").unwrap();
        for beside in ["_SUCCESS", "a.csv.record.json"] {
            fs::write(folder.join(beside), "").unwrap();
        }
        let found = files_of(&folder).unwrap();
        assert_eq!(found, [folder.join("a.parquet"), folder.join("b.parquet")]);
        std::os::unix::fs::symlink("nowhere", folder.join("c.parquet")).unwrap();
        let refused = files_of(&folder).unwrap_err().to_string();
        assert!(refused.contains("c.parquet"), "{refused}");
    }
}
