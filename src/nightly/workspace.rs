//! A suite with the places that it names.

use std::io::Write;
use std::path::{Path, PathBuf};

use fgd_store::file::{FileError, folder_of};

use super::NightlyError;
use super::history::{History, Night};
use super::place::NightFolder;
use super::suite::{self, Suite};

/// A suite with the places that it names.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The suite.
    pub suite: Suite,
    /// The suite file.
    pub file: PathBuf,
    /// Folder of the suite file: where steps run and relative paths begin.
    pub folder: PathBuf,
    /// State folder.
    pub state: PathBuf,
    /// Folder of the site.
    pub site: PathBuf,
}

impl Workspace {
    /// Reads a suite file and makes its folders.
    ///
    /// # Errors
    /// As [`Self::look`]; a folder that cannot be written to.
    pub fn open(path: &Path) -> Result<Self, NightlyError> {
        let workspace = Self::look(path)?;
        make_writable(&workspace.state)?;
        make_writable(&workspace.site)?;
        Ok(workspace)
    }

    /// Reads a suite file and makes nothing.
    ///
    /// # Errors
    /// A suite that makes no sense; a state folder of another suite.
    pub fn look(path: &Path) -> Result<Self, NightlyError> {
        let suite = suite::read(path)?;
        let folder = folder_of(path);
        let folder = (folder.canonicalize()).map_err(|source| NightlyError::io(folder, source))?;
        let (state, site) = (folder.join(&suite.state), folder.join(suite.site()));
        let last = NightFolder::all(&state).iter().rev().find_map(NightFolder::night);
        if let Some(Night { suite: other, .. }) = last.filter(|night| night.suite != suite.name) {
            return Err(NightlyError::OtherSuite { state, suite: other });
        }
        Ok(Self { suite, file: path.into(), folder, state, site })
    }

    /// Why a night could not be written here; nothing is made.
    pub fn unwritable(&self) -> Option<FileError> {
        [&self.state, &self.site].into_iter().find_map(|folder| {
            let there = folder.ancestors().find(|folder| folder.exists())?;
            probe(there).err()
        })
    }

    /// Whether what the suite names outside of itself is there: programs on this machine, and in the history what may be gone.
    ///
    /// # Errors
    /// A name that stands for nothing, with its place in the suite; a history that cannot be read.
    pub fn check_named(&self, history: &History) -> Result<(), NightlyError> {
        let known = history.series(&self.suite.name)?;
        Ok(suite::check_named(&self.suite, &self.file, &known)?)
    }

    /// The file of the suite's history.
    pub fn history_file(&self) -> PathBuf {
        self.folder.join(self.suite.history_file())
    }

    /// Opens the history of the suite.
    ///
    /// # Errors
    /// See [`History::open_file`].
    pub fn history(&self) -> Result<History, NightlyError> {
        Ok(History::open_file(&self.history_file())?)
    }

    /// Opens the history of the suite to read it; nothing is made or written.
    ///
    /// # Errors
    /// See [`History::read_file`].
    pub fn read_history(&self) -> Result<History, NightlyError> {
        Ok(History::read_file(&self.history_file())?)
    }
}

/// Makes a folder and finds out whether something can be written there.
fn make_writable(folder: &Path) -> Result<(), FileError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| FileError::Io { path: folder.into(), source })?;
    probe(folder)
}

/// Writes to a file that is nowhere and goes at once.
fn probe(folder: &Path) -> Result<(), FileError> {
    let written = || {
        let mut file = tempfile::tempfile_in(folder)?;
        // More than a file system keeps back within its own tables.
        file.write_all(&[0; 1 << 16])?;
        file.sync_all()
    };
    written().map_err(|source| FileError::Io { path: folder.into(), source })
}
