//! The program: parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    let program = std::env::current_exe().unwrap_or_else(|_| "fgd".into());
    fgd::cli::run_from(program, std::env::args_os()).into()
}
