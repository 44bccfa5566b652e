//! The targets: for each reader a function that brings bytes to it the way a user would.

mod captions;
mod models;
mod results;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::Target;

/// By subject.
pub const TARGETS: [&[Target]; 3] = [captions::TARGETS, results::TARGETS, models::TARGETS];

thread_local! {
    static FOLDER: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

/// A folder for the files of this thread.
fn folder() -> PathBuf {
    FOLDER.with_borrow_mut(|folder| {
        let folder =
            folder.get_or_insert_with(|| tempfile::tempdir().expect("a folder for inputs"));
        folder.path().to_owned()
    })
}

/// Gives `read` a file of this name with these bytes.
fn at<T>(name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    let path = folder().join(name);
    std::fs::write(&path, bytes).expect("an input can be written");
    read(&path)
}

/// Gives `read` a copy of a model's folder in which one file has these bytes.
fn in_model<T>(model: &Path, name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    let copy = folder().join(model.file_name().unwrap_or_default());
    if !copy.exists() {
        copy_folder(model, &copy).expect("the fixture can be copied");
    }
    std::fs::write(copy.join(name), bytes).expect("an input can be written");
    let result = read(&copy);
    // The next target finds the model whole.
    std::fs::copy(model.join(name), copy.join(name)).expect("the fixture can be copied");
    result
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &place)?,
            false => drop(std::fs::copy(entry.path(), place)?),
        }
    }
    Ok(())
}
