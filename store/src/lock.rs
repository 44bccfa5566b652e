//! One process at a time: a lock on a file or folder that ends with the process that holds it.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::file::FileError;

/// Locks what `file` is open on, `path` by name, until it is dropped.
///
/// # Errors
/// Another process holds it, or the file system has no locks.
pub fn hold(file: File, path: &Path) -> Result<File, FileError> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FileError::Busy(path.into())),
        Err(TryLockError::Error(source)) => Err(FileError::io(path)(source)),
    }
}

/// Locks a folder that is there.
///
/// # Errors
/// A folder that cannot be opened, or that another process holds.
pub fn hold_folder(folder: &Path) -> Result<File, FileError> {
    hold(File::open(folder).map_err(FileError::io(folder))?, folder)
}

/// Waits for a folder that is there, and locks it.
///
/// # Errors
/// A folder that cannot be opened or locked.
pub fn wait_for_folder(folder: &Path) -> Result<File, FileError> {
    let file = File::open(folder).map_err(FileError::io(folder))?;
    file.lock().map_err(FileError::io(folder))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_by_one() {
        let place = tempfile::tempdir().unwrap();
        let held = hold_folder(place.path()).unwrap();
        assert!(matches!(hold_folder(place.path()), Err(FileError::Busy(_))));
        drop(held);
        assert!(wait_for_folder(place.path()).is_ok());
    }
}
