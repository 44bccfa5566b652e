//! What the environment says, read once and in this one place: where models and caches lie, and what may be used.
//!
//! The flags' own variables (`FGD_` and the flag's name) are read by the command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use fgd_encoder::cache;
use fgd_store::hub;

use crate::variables::without_flags;

/// What starts `fgd` from outside: the binary, or what runs it inside another program, such as `python -m pyfgd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// What it is told before the arguments of `fgd`.
    pub arguments: Vec<OsString>,
    /// The file that holds this code: what it does is new when this is.
    pub code: PathBuf,
}

impl<P: Into<PathBuf>> From<P> for Program {
    fn from(path: P) -> Self {
        let path = path.into();
        Self { code: path.clone(), path, arguments: Vec::new() }
    }
}

/// The surroundings of a job.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where models are looked for and downloaded to.
    pub hub: hub::Settings,
    /// Folder of the embedding cache; `None` where there is no place for one.
    pub cache: Option<PathBuf>,
    /// The program that steps of a night and benchmarked jobs are started with: `fgd` itself.
    pub program: Program,
}

impl Settings {
    /// Reads the environment. `program` is what starts `fgd` from outside; `progress` whether downloads draw bars.
    pub fn from_env(program: Program, progress: bool) -> Self {
        Self {
            hub: hub::Settings::from_variables(variable, progress),
            cache: cache::folder(variable).ok(),
            program,
        }
    }

    /// A process that does the job of a request file.
    pub fn job(&self, request: &Path) -> Command {
        let mut command = Command::new(&self.program.path);
        command.args(&self.program.arguments);
        without_flags(&mut command);
        command.arg("job").arg(request);
        command
    }
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// A secret by the name of its variable, such as a webhook's address; `None` where it is not set.
pub fn secret(name: &str) -> Option<String> {
    variable(name)?.into_string().ok()
}

/// Whether there is a program of this name: a path, or a file in one of the folders of `PATH`.
pub fn has_program(name: &str) -> bool {
    let is_there = |path: &Path| {
        // Windows lets the ending be left out.
        let mut whole = path.as_os_str().to_owned();
        whole.push(std::env::consts::EXE_SUFFIX);
        path.is_file() || Path::new(&whole).is_file()
    };
    let name = Path::new(name);
    match variable("PATH") {
        Some(folders) if name.components().count() == 1 => {
            std::env::split_paths(&folders).any(|folder| is_there(&folder.join(name)))
        }
        Some(_) => is_there(name),
        // The system has folders of its own then.
        None => true,
    }
}
