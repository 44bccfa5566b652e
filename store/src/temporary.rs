//! Temporary files and folders beside what they become: locked as long as somebody writes them, so that what a killed process
//! left is told from them, and swept when the next one writes to the same folder.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// How temporary files and folders begin.
pub(crate) const PREFIX: &str = ".fgd-tmp-";

/// Letters and digits that tempfile puts behind it. What is called otherwise is not ours, and is never swept.
const RANDOM: usize = 6;

/// A temporary file with the permissions `kept`, or those that the umask leaves a new file: tempfile's own default keeps the
/// result from everybody but its owner.
pub(crate) fn temporary_in(
    folder: &Path,
    kept: Option<std::fs::Permissions>,
) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let new = || std::fs::Permissions::from_mode(0o666);
        builder.permissions(kept.clone().unwrap_or_else(new));
    }
    loop {
        let temporary = builder.tempfile_in(folder).map_err(unplaced)?;
        if !is_ours(temporary.as_file(), temporary.path()) {
            continue;
        }
        if let Some(kept) = kept {
            temporary.as_file().set_permissions(kept)?;
        }
        return Ok(temporary);
    }
}

/// What the system said, without the name of the temporary file, which nobody knows.
pub(crate) fn unplaced(error: io::Error) -> io::Error {
    let said = error.to_string();
    match said.split_once(" at path ") {
        Some((said, _)) => io::Error::new(error.kind(), said),
        None => error,
    }
}

/// Locks what was just made, so that no other process sweeps it; false where one did before it was locked. A file system
/// without locks is never swept.
pub(crate) fn is_ours(file: &File, path: &Path) -> bool {
    let _ = file.lock();
    path.exists()
}

/// Removes what killed processes left in a folder: temporary files and folders that nobody has locked.
pub(crate) fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let is_temporary = |name: &OsStr| {
        let random = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        random.is_some_and(|random| {
            random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    for entry in entries.flatten().filter(|entry| is_temporary(&entry.file_name())) {
        let Ok(kind) = entry.file_type() else { continue };
        let path = entry.path();
        // Held until it is gone: who made it just now asks for the lock, then whether it is still there.
        let Some(_held) = File::open(&path).ok().filter(|file| file.try_lock().is_ok()) else {
            continue;
        };
        if kind.is_file() {
            let _ = std::fs::remove_file(&path);
        } else if kind.is_dir() {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}
