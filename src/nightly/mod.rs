//! A suite, night after night: run it, hold it against its history, tell noise from regression.
//!
//! [`suite`] reads the suite file. [`night`] runs it: [`plan`] makes requests of jobs with a key over all that goes into
//! them, [`execute`] has each done by a [`process`] of its own and none twice, under a [`lock`]; [`place`] says where files
//! lie. [`quality`] and [`speed`] judge what came out, by the [`timeline`] of the [`history`]; a figure with what is said of
//! it is an [`assessment`]. [`acceptance`] takes a new level for good. [`trend`] and [`site`] show it, [`notify`] tells.
//! [`preview`] says what a night would do, [`status`] how the suite stands.

pub mod acceptance;
pub mod assessment;
mod error;
pub mod execute;
pub mod history;
mod inputs;
pub mod lock;
pub mod night;
pub mod notify;
pub mod place;
pub mod plan;
pub mod preview;
pub mod process;
pub mod quality;
pub mod site;
pub mod speed;
pub mod status;
pub mod suite;
pub mod timeline;
pub mod trend;
mod workspace;

use std::path::PathBuf;

use fgd_record::Record;
use serde::{Deserialize, Serialize};

use crate::jobs::{JobError, Session};

pub use error::NightlyError;
pub use workspace::Workspace;

/// What `fgd nightly run` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The suite file.
    pub suite: PathBuf,
    /// Begin a new night even where one is unfinished.
    #[serde(default)]
    pub fresh: bool,
}

/// Runs the suite's night; a killed run goes on where it was.
///
/// # Errors
/// A suite that makes no sense, another run at work, a history or folder that cannot be used. A step that fails is no
/// error: its figures are missing.
pub fn run(request: &Request, session: &Session) -> Result<Record, JobError> {
    let workspace = Workspace::open(&request.suite)?;
    Ok(night::run(&workspace, request.fresh, session)?)
}
