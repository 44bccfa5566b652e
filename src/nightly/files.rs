//! Files that appear whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};

/// A file or folder that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}{}", path.display(), hint(source))]
pub struct Failure {
    path: PathBuf,
    source: std::io::Error,
}

impl Failure {
    /// What the system said of a path.
    pub fn new(path: &Path, source: std::io::Error) -> Self {
        Self {
            path: path.into(),
            source,
        }
    }
}

fn hint(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "; make room and run again: what is finished is kept"
        }
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            "; make it writable, or name another folder in the suite"
        }
        _ => "",
    }
}

/// Writes a file beside its place, to the disk, and then into its place.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let put = || {
        let mut file = new_temporary(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    put().map_err(|source| Failure::new(path, source))
}

/// A temporary file is private by default; a record should be as readable as any new file.
fn new_temporary(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tmp-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Copies a file, with the same care.
pub fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let bytes = std::fs::read(from).map_err(|source| Failure::new(from, source))?;
    write(to, &bytes)
}

/// Makes a folder and finds out whether something can be written there.
pub fn make_writable(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|source| Failure::new(folder, source))?;
    let probe = || {
        let mut file = tempfile::tempfile_in(folder)?;
        // More than a file system keeps back within its own tables.
        file.write_all(&[0; 1 << 16])?;
        file.sync_all()
    };
    probe().map_err(|source| Failure::new(folder, source))
}
