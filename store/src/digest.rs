//! Digests: keys over explicit, versioned fields, and the SHA-256 of files.
//!
//! What is kept between runs (embeddings, journals, steps of a night) is found again by a [`Digest`] of everything it depends
//! on. Names of fields and a version make the key a format of its own: no change to a Rust type changes it by accident, and a
//! change on purpose raises the version, so that what is old is not found rather than misread.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// SHA-256 over named fields. Every name and value is preceded by its length, so that no two lists of fields run together.
///
/// ```
/// use fgd_store::digest::Digest;
///
/// let key = |text| Digest::new("greeting", 1).field("text", text).finish();
/// assert_eq!(key("hello").len(), 64);
/// assert_ne!(key("hello"), key("hullo"));
/// assert_ne!(key("hello"), Digest::new("greeting", 2).field("text", "hello").finish());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// A digest of the kind `name`, whose fields are those of `version`.
    pub fn new(name: &str, version: u32) -> Self {
        Self::default().field(name, version.to_le_bytes())
    }

    /// Adds a field. Order matters, and a field may come several times, as the elements of a list do.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.push(name);
        self.push(value);
        self
    }

    /// Adds a part without a name. Its length keeps ("a", "bc") apart from ("ab", "c").
    pub fn push(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// The digest in lower-case hexadecimal, 64 characters.
    pub fn finish(self) -> String {
        format!("{:x}", self.0.finalize())
    }
}

/// A file or folder that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct DigestError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl DigestError {
    fn of(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self { path: path.into(), source }
    }
}

/// SHA-256 of a file's bytes, in lower-case hexadecimal.
///
/// # Errors
/// A file that cannot be read.
pub fn file_sha256(path: &Path) -> Result<String, DigestError> {
    let failed = DigestError::of(path);
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path).map_err(&failed)?, &mut hasher).map_err(&failed)?;
    Ok(format!("{:x}", hasher.finalize()))
}

/// SHA-256 of what a file is going to hold, as [`file_sha256`] has it.
pub fn bytes_sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Hashes of files, remembered by path, size and time of change: a checkpoint of gigabytes is read once, not every night.
#[derive(Debug, Default)]
pub struct HashMemo {
    known: BTreeMap<PathBuf, Known>,
    file: PathBuf,
    /// Whether there is something that `file` does not have.
    changed: bool,
}

/// When a file was changed last, in nanoseconds: as the system notes it, since the time of modification is set by who copies or
/// unpacks a file.
#[cfg(unix)]
pub fn changed_ns(metadata: &Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt;
    metadata.ctime().wrapping_mul(1_000_000_000).wrapping_add(metadata.ctime_nsec())
}

/// When a file was changed last, in nanoseconds.
#[cfg(not(unix))]
pub fn changed_ns(metadata: &Metadata) -> i64 {
    let modified =
        metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    modified.map_or(0, |time| time.as_nanos() as i64)
}

/// The hash of a file as it was.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    bytes: u64,
    changed_ns: i64,
    sha256: String,
}

impl HashMemo {
    /// Reads what was remembered in `file`, a JSON object by path; what cannot be read is forgotten.
    pub fn open(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        Self {
            known: serde_json::from_str(&text).unwrap_or_default(),
            file: file.into(),
            changed: false,
        }
    }

    /// Remembers for the next run. Without it everything is only slower, so a failure is no error.
    pub fn save(&mut self) {
        if let (true, Ok(text)) = (self.changed, serde_json::to_vec(&self.known)) {
            self.changed = crate::file::write(&self.file, &text).is_err();
        }
    }

    /// SHA-256 of a file, as [`file_sha256`] computes it; of a folder the digest of the names and hashes of all that is in it.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn sha256(&mut self, path: &Path) -> Result<String, DigestError> {
        match path.is_dir() {
            true => self.of_folder(path),
            false => self.of_file(path),
        }
    }

    fn of_folder(&mut self, folder: &Path) -> Result<String, DigestError> {
        let failed = DigestError::of(folder);
        let entries = std::fs::read_dir(folder).map_err(&failed)?;
        let mut names = entries
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(&failed)?;
        names.sort();
        let mut digest = Digest::new("folder", 1);
        for name in names {
            let sha256 = self.sha256(&folder.join(&name))?;
            digest = digest.field("name", name.as_encoded_bytes()).field("sha256", sha256);
        }
        Ok(digest.finish())
    }

    fn of_file(&mut self, path: &Path) -> Result<String, DigestError> {
        let failed = DigestError::of(path);
        let metadata = std::fs::metadata(path).map_err(&failed)?;
        let changed_ns = changed_ns(&metadata);
        let place = path.canonicalize().map_err(&failed)?;
        if let Some(known) = self.known.get(&place)
            && (known.bytes, known.changed_ns) == (metadata.len(), changed_ns)
        {
            return Ok(known.sha256.clone());
        }
        let known = Known { bytes: metadata.len(), changed_ns, sha256: file_sha256(path)? };
        let sha256 = known.sha256.clone();
        self.known.insert(place, known);
        self.changed = true;
        Ok(sha256)
    }
}

/// The first eight bytes of a hexadecimal digest as a number; 0 of what is none.
pub fn number(digest: &str) -> u64 {
    digest.get(..16).and_then(|first| u64::from_str_radix(first, 16).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_run_together() {
        let of = |fields: &[(&str, &str)]| {
            let start = Digest::new("test", 1);
            let digest = fields.iter().fold(start, |d, (name, value)| d.field(name, value));
            digest.finish()
        };
        let all = [
            of(&[("a", "b"), ("c", "d")]),
            of(&[("a", "bc"), ("", "d")]),
            of(&[("ab", ""), ("c", "d")]),
            of(&[("c", "d"), ("a", "b")]),
            of(&[("a", "b")]),
            Digest::new("test", 2).field("a", "b").finish(),
            Digest::new("other", 1).field("a", "b").finish(),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn a_key_is_the_same_in_every_version_of_the_program() {
        // Python: sha256 over struct.pack("<Q", len(part)) + part for test, version 1 as "<I", text, hello.
        assert_eq!(
            Digest::new("test", 1).field("text", "hello").finish(),
            "2a5a114425fe44c212a4dd888295ab70042a70a164df06b1bd1417f54ac10d45"
        );
    }

    #[test]
    fn a_file_is_hashed_again_when_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights");
        std::fs::write(&file, "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(file_sha256(&file).unwrap(), abc);
        let mut memo = HashMemo::open(&folder.path().join("hashes.json"));
        assert_eq!(memo.sha256(&file).unwrap(), abc);
        std::fs::write(&file, "other").unwrap();
        assert_ne!(memo.sha256(&file).unwrap(), abc);
    }

    #[test]
    fn a_folder_changes_with_its_files_and_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("images");
        std::fs::create_dir(&images).unwrap();
        std::fs::write(images.join("a"), "1").unwrap();
        let mut memo = HashMemo::open(&folder.path().join("hashes.json"));
        let first = memo.sha256(&images).unwrap();
        assert_eq!(memo.sha256(&images).unwrap(), first);
        memo.save();
        let mut again = HashMemo::open(&folder.path().join("hashes.json"));
        assert_eq!(again.known, memo.known);
        std::fs::write(images.join("a"), "22").unwrap();
        let changed = again.sha256(&images).unwrap();
        assert_ne!(changed, first);
        std::fs::rename(images.join("a"), images.join("b")).unwrap();
        assert_ne!(again.sha256(&images).unwrap(), changed);
        let message = again.sha256(&folder.path().join("none")).unwrap_err();
        assert!(message.to_string().contains("none: "), "{message}");
    }
}
