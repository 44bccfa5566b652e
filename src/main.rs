//! The program: parse, run, exit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use fgd::cli;

fn main() -> ExitCode {
    // Readers catch the panics of the libraries that they call, and say what was wrong with the file; a panic that nobody catches
    // is told below. With FGD_LOG set every one is printed where it happens.
    if std::env::var_os("FGD_LOG").is_none() {
        std::panic::set_hook(Box::new(|_| {}));
    }
    cli::mapped::tell();
    let program = std::env::current_exe().unwrap_or_else(|_| "fgd".into());
    let run = AssertUnwindSafe(|| cli::run_from(program.into(), std::env::args_os()));
    catch_unwind(run).unwrap_or_else(|panic| cli::panicked(&*panic)).into()
}
