//! SHA-256 of files and folders, remembered by size and time of change: a checkpoint of gigabytes is read once, not every
//! night.

use fgd_store::hub::{self, HubError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Hashes known so far.
#[derive(Debug, Default)]
pub struct Hashes {
    known: BTreeMap<PathBuf, Known>,
    file: PathBuf,
}

/// The hash of a file as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    bytes: u64,
    changed_ns: u128,
    sha256: String,
}

impl Hashes {
    /// Reads what was remembered in a file; what cannot be read is forgotten.
    pub fn open(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        Self {
            known: serde_json::from_str(&text).unwrap_or_default(),
            file: file.into(),
        }
    }

    /// Remembers, for the next night. Without it everything is only slower.
    pub fn save(&self) {
        if let Ok(text) = serde_json::to_vec(&self.known) {
            let _ = std::fs::write(&self.file, text);
        }
    }

    /// The hash of a file, or of a folder: over the names and hashes of all files in it.
    pub fn of(&mut self, path: &Path) -> Result<String, HubError> {
        let failed = |source| HubError::Io {
            path: path.into(),
            source,
        };
        if !path.is_dir() {
            return self.of_file(path);
        }
        let mut names: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            names.push(entry.map_err(failed)?.path());
        }
        names.sort();
        let mut hasher = Sha256::new();
        for name in names {
            let own = name
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            hasher.update(format!("{own:?} {}\n", self.of(&name)?));
        }
        Ok(format!("{:x}", hasher.finalize()))
    }

    fn of_file(&mut self, path: &Path) -> Result<String, HubError> {
        let failed = |source| HubError::Io {
            path: path.into(),
            source,
        };
        let data = std::fs::metadata(path).map_err(failed)?;
        let changed = data.modified().map_err(failed)?.duration_since(UNIX_EPOCH);
        let changed_ns = changed.map_or(0, |time| time.as_nanos());
        let place = path.canonicalize().map_err(failed)?;
        if let Some(known) = self.known.get(&place)
            && known.bytes == data.len()
            && known.changed_ns == changed_ns
        {
            return Ok(known.sha256.clone());
        }
        let sha256 = hub::sha256(path)?;
        let known = Known {
            bytes: data.len(),
            changed_ns,
            sha256: sha256.clone(),
        };
        self.known.insert(place, known);
        Ok(sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_changes_with_its_files_and_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("images");
        std::fs::create_dir(&images).unwrap();
        std::fs::write(images.join("a"), "1").unwrap();
        let mut hashes = Hashes::open(&folder.path().join("hashes.json"));
        let first = hashes.of(&images).unwrap();
        assert_eq!(hashes.of(&images).unwrap(), first);
        hashes.save();
        let mut again = Hashes::open(&folder.path().join("hashes.json"));
        assert_eq!(again.known, hashes.known);
        std::fs::write(images.join("a"), "22").unwrap();
        let changed = again.of(&images).unwrap();
        assert_ne!(changed, first);
        std::fs::rename(images.join("a"), images.join("b")).unwrap();
        assert_ne!(again.of(&images).unwrap(), changed);
        assert!(again.of(&folder.path().join("none")).is_err());
    }
}
