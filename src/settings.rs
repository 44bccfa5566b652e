//! What the environment says, read once and in this one place: where models and caches lie, and what may be used.
//!
//! The flags' own variables (`FGD_` and the flag's name) are read by the command line.

use fgd_encoder::cache;
use fgd_store::hub;
use std::ffi::OsString;
use std::path::PathBuf;

/// The surroundings of a job.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where models are looked for and downloaded to.
    pub hub: hub::Settings,
    /// Folder of the embedding cache; `None` where there is no place for one.
    pub cache: Option<PathBuf>,
    /// The program that steps of a night and benchmarked jobs are started with: `fgd` itself.
    pub program: PathBuf,
}

impl Settings {
    /// Reads the environment. `program` is what starts `fgd` from outside; `progress` whether downloads draw bars.
    pub fn from_env(program: PathBuf, progress: bool) -> Self {
        Self {
            hub: hub::Settings::from_variables(variable, progress),
            cache: cache::folder(variable).ok(),
            program,
        }
    }
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// A secret by the name of its variable, such as a webhook's address; `None` where it is not set.
pub fn secret(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
