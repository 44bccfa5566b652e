//! The program: parse, run, exit.

use std::process::ExitCode;

use fgd::cli::exit::Exit;

fn main() -> ExitCode {
    match std::env::current_exe() {
        Ok(program) => fgd::cli::run_from(program, std::env::args_os()).into(),
        Err(error) => {
            eprintln!("error: the path of this program is not known: {error}");
            Exit::Failure.into()
        }
    }
}
