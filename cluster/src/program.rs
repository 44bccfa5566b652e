//! `fgd` itself, which reads caption files and makes records: the same code as on one machine, in a program without the engine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::variables::without_flags;

/// Where `fgd` is.
#[derive(Debug, Clone, clap::Args)]
pub struct Program {
    /// The program `fgd`; by default the one beside this program, else the one that the shell would find.
    #[arg(long, value_name = "FILE", env = "FGD_PROGRAM")]
    fgd: Option<PathBuf>,
}

impl Program {
    fn command(&self) -> Command {
        let beside = || {
            let own = std::env::current_exe().ok()?;
            let beside = own.with_file_name(format!("fgd{}", std::env::consts::EXE_SUFFIX));
            beside.exists().then_some(beside)
        };
        let path = self.fgd.clone().or_else(beside).unwrap_or_else(|| "fgd".into());
        let mut command = Command::new(path);
        without_flags(&mut command);
        command
    }

    fn status(mut command: Command) -> anyhow::Result<std::process::ExitStatus> {
        let program = command.get_program().to_owned();
        command.status().with_context(|| {
            format!(
                "{} cannot be started; say where fgd is with --fgd",
                Path::new(&program).display()
            )
        })
    }

    /// Does a job; the record goes to a file or to stdout.
    pub fn job(&self, request: &Value, output: Option<&Path>) -> anyhow::Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        serde_json::to_writer(&file, request)?;
        let mut command = self.command();
        command.arg("job").arg(file.path());
        if let Some(output) = output {
            command.arg("-o").arg(output);
        }
        let status = Self::status(command)?;
        if !status.success() {
            bail!("fgd ended with {status}, so there is no record; what was summed is kept");
        }
        Ok(())
    }
}

/// Arguments of `fgd-cluster prepare`.
#[derive(Debug, clap::Args)]
pub struct PrepareArgs {
    #[command(flatten)]
    program: Program,
    /// Those of `fgd prepare`: SUBMISSION -r REFERENCES -o DIR …
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl PrepareArgs {
    /// Runs `fgd prepare`; its exit code is that of this program.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut command = self.program.command();
        command.arg("prepare").args(self.arguments);
        let status = Program::status(command)?;
        Ok(ExitCode::from(status.code().and_then(|code| code.try_into().ok()).unwrap_or(1)))
    }
}
