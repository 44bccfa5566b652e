//! An image's file: read whole, and known again without reading it.

use std::fs::Metadata;
use std::io::{ErrorKind, Read};
use std::path::Path;

use fgd_store::digest::{bytes_sha256, changed_ns, file_sha256};
use serde::{Deserialize, Serialize};

use super::format::{HEAD, format};

/// Largest file that is read, in bytes: more than [`MAX_PIXELS`](super::MAX_PIXELS) take uncompressed in 8 bits.
const MAX_BYTES: u64 = 1 << 30;

/// What a file was when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its length.
    bytes: u64,
    /// When it, or what the system knows of it, last changed, in nanoseconds since 1970. Replacing a file by one that keeps
    /// its own time changes this all the same.
    changed_ns: i64,
}

impl FileState {
    /// Whether the same bytes stand at `path` now. They are read only where length or time differ.
    pub fn is_of(&self, path: &Path) -> bool {
        match path.metadata() {
            Ok(now) if (now.len(), changed_ns(&now)) == (self.bytes, self.changed_ns) => true,
            Ok(now) if now.len() == self.bytes => {
                file_sha256(path).is_ok_and(|sha256| sha256 == self.sha256)
            }
            _ => false,
        }
    }
}

/// The bytes of an image's file and what it was.
///
/// # Errors
/// In a line: a file that is not there, is none, is too large or cannot be read.
pub fn read(path: &Path) -> Result<(Vec<u8>, FileState), String> {
    let metadata = checked(path)?;
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let state = FileState {
        sha256: bytes_sha256(&bytes),
        bytes: bytes.len() as u64,
        changed_ns: changed_ns(&metadata),
    };
    Ok((bytes, state))
}

/// What can be known of an image by the first bytes of its file: whether it is there and of a format that is read.
///
/// # Errors
/// In a line, why it cannot be captioned.
pub fn look(path: &Path) -> Result<(), String> {
    checked(path)?;
    format(&head(path).map_err(|error| error.to_string())?).map(drop)
}

/// The first bytes of a file.
pub fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    std::fs::File::open(path)?.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

fn checked(path: &Path) -> Result<Metadata, String> {
    let metadata = path.metadata().map_err(|error| match path.read_link() {
        Ok(target) => format!("a link to {}, which cannot be had: {error}", target.display()),
        Err(_) if error.kind() == ErrorKind::NotFound => "there is no such file".into(),
        Err(_) => error.to_string(),
    })?;
    if !metadata.is_file() {
        return Err("not a file".into());
    }
    if metadata.len() > MAX_BYTES {
        return Err(format!("{} bytes exceed the limit of {MAX_BYTES}", metadata.len()));
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_again_by_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a.png"), folder.path().join("b.png"));
        std::fs::write(&path, "one").unwrap();
        let (_, state) = read(&path).unwrap();
        assert!(state.is_of(&path));
        // Copied, with another time.
        std::fs::write(&other, "one").unwrap();
        assert!(state.is_of(&other));
        // Replaced by as many other bytes, with the time of the first.
        let modified = path.metadata().unwrap().modified().unwrap();
        std::fs::write(&other, "two").unwrap();
        std::fs::File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(!state.is_of(&path));
        std::fs::remove_file(&path).unwrap();
        assert!(!state.is_of(&path));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_said_and_never_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap_err(), "not a file");
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err(), "not a file");
        assert_eq!(read(&folder.path().join("gone.jpg")).unwrap_err(), "there is no such file");
        let link = folder.path().join("link.jpg");
        std::os::unix::fs::symlink("gone.jpg", &link).unwrap();
        assert!(read(&link).unwrap_err().starts_with("a link to gone.jpg"));
        assert!(look(&link).unwrap_err().starts_with("a link to gone.jpg"));
    }
}
