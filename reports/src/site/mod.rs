//! A static site made from records: open `index.html` from a disk, no server and no network needed.
//!
//! The index lists every run and shows leaderboards and nights whole; each system and each comparison has a
//! page of its own. [`page`] puts all of it into one file to send around. Pages are written one at a time, so hundreds of
//! systems need the memory of one.
//! The same records give the same bytes: nothing here asks the clock or draws at random.

mod captions;
mod files;
mod images;
mod index;
mod pages;
mod section;
mod table;

use std::path::{Path, PathBuf};

use fgd_record::Record;
use fgd_store::file::FileError;
use fgd_store::folder::Together;

use crate::kind;
use files::Files;
use pages::{SCRIPT, SHEET, Templates};

/// Why a site could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// There is nothing to show.
    #[error("no record to report on: give at least one record file")]
    Empty,
    /// A file or folder could not be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// A template failed: a defect of this program.
    #[error("can not draw {page}: {source}")]
    Template {
        /// The page.
        page: String,
        /// What the template engine said.
        source: minijinja::Error,
    },
}

/// Writes the site of the records into a folder, which is made where it is missing, and answers the
/// path of its `index.html`. The pages of an earlier site stay until all new ones are written, and then go.
///
/// # Errors
/// [`SiteError::Empty`] without a record, [`SiteError::Write`] where a file can not be written.
pub fn write(records: &[Record], dir: &Path) -> Result<PathBuf, SiteError> {
    write_with(records, dir, &|_| Vec::new())
}

/// Larger pictures of images by id, in the order of the ids: JPEGs, as far as they can be had.
pub type Pictures<'a> = dyn Fn(&[&str]) -> Vec<Option<Vec<u8>>> + 'a;

/// The same with pictures in place of the small ones of the records.
///
/// # Errors
/// As [`write()`].
pub fn write_with(records: &[Record], dir: &Path, large: &Pictures) -> Result<PathBuf, SiteError> {
    if records.is_empty() {
        return Err(SiteError::Empty);
    }
    let mut pages = Together::begin(dir)?;
    let mut files = Files::of(records);
    images::save(&images::name(records, &mut files), large, &mut pages)?;
    let mut save = |name: &str, text: &str| pages.write(name, text.as_bytes());
    save("site.css", SHEET)?;
    save("site.js", SCRIPT)?;
    let templates = Templates::new();
    for (record, files) in records.iter().zip(&files) {
        let kind = kind::of(record);
        if let Some(own) = &files.own {
            save(own, &templates.page(kind.document(record), files)?)?;
        }
        for (system, file) in &files.pages {
            if let Some(document) = kind.page(record, system) {
                save(file, &templates.page(document, files)?)?;
            }
        }
    }
    save("index.html", &templates.index(records, &files)?)?;
    pages.commit()?;
    Ok(dir.join("index.html"))
}

/// One self-contained page of the records, with sheet, scripts and captions inside.
///
/// # Errors
/// [`SiteError::Empty`] without a record.
pub fn page(records: &[Record]) -> Result<String, SiteError> {
    match records {
        [] => Err(SiteError::Empty),
        records => Templates::new().alone(records),
    }
}
