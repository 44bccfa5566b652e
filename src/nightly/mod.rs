//! Nightly jobs: run a suite, hold it against its history, tell noise from regression.
//!
//! [`suite`] reads the suite file. [`night`] runs it: [`plan`] makes steps with a key over all that goes into them,
//! [`execute`] runs each as a [`process`] of its own and none twice, under a [`lock`]; [`place`] says where files lie,
//! [`hashes`] what is in them. [`quality`] and [`speed`] judge what came out, by the [`history`]; each figure with what is
//! said of it is [`judged`]. [`accepting`] takes a new level for good. [`trend`] and [`site`] show it, [`notify`] tells.

pub mod accepting;
pub mod execute;
pub mod files;
pub mod hashes;
pub mod history;
pub mod judged;
pub mod lock;
pub mod night;
pub mod notify;
pub mod place;
pub mod plan;
pub mod process;
pub mod quality;
pub mod site;
pub mod speed;
pub mod suite;
pub mod trend;

mod error;

pub use error::NightlyError;

use history::History;
use std::path::{Path, PathBuf};
use suite::Suite;

/// A suite with the places it names.
#[derive(Debug, Clone)]
pub struct Job {
    /// The suite.
    pub suite: Suite,
    /// Folder of the suite file: where steps run and relative paths begin.
    pub folder: PathBuf,
    /// State folder.
    pub state: PathBuf,
    /// Folder of the site.
    pub site: PathBuf,
}

impl Job {
    /// Reads a suite file and makes its folders.
    pub fn open(path: &Path) -> Result<Self, NightlyError> {
        let suite = suite::read(path)?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let folder = folder
            .canonicalize()
            .map_err(|source| files::Failure::new(folder, source))?;
        let (state, site) = (folder.join(&suite.state), folder.join(suite.site()));
        files::make_writable(&state)?;
        files::make_writable(&site)?;
        Ok(Self {
            suite,
            folder,
            state,
            site,
        })
    }

    /// Opens the history that the suite names.
    pub fn history(&self) -> Result<History, NightlyError> {
        let Some(name) = &self.suite.history.postgres else {
            let file = self.folder.join(self.suite.history_file());
            return Ok(History::open_file(&file)?);
        };
        let connection = std::env::var(name).map_err(|_| NightlyError::Secret {
            name: name.clone(),
            what: "the connection string of the history",
        })?;
        Ok(History::connect(&connection)?)
    }
}
