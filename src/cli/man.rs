//! `fgd man`: the manual pages, on stdout or one file per subcommand.

use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;

use super::Cli;
use super::exit::Exit;
use super::output::Sink;

/// Arguments of `fgd man`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write fgd.1, fgd-score.1 and so on into this folder; otherwise fgd.1 goes to stdout.
    #[arg(long, value_name = "DIR", env = "FGD_DIR")]
    dir: Option<PathBuf>,
}

/// Runs `fgd man`.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let command = Cli::command();
    match &args.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
            clap_mangen::generate_to(command, dir).with_context(|| dir.display().to_string())?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            Sink::Stdout.write(&page)?;
        }
    }
    Ok(Exit::Success)
}
