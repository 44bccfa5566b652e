//! `fgd completions`: a completion script for a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;
use super::exit::Exit;
use super::output::Sink;

/// Arguments of `fgd completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell.
    shell: Shell,
}

/// Runs `fgd completions`.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "fgd", &mut script);
    Sink::Stdout.write(&script)?;
    Ok(Exit::Success)
}
