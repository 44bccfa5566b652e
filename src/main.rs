//! The program: parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    fgd::cli::main().into()
}
