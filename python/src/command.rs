//! The command line inside Python's process: the wheel needs no second copy of everything.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fgd::cli;
use fgd::settings::Program;
use pyo3::prelude::*;

/// Runs `fgd` with these arguments, the name it was called by first, and answers its exit code.
#[pyfunction]
pub fn main(py: Python<'_>, arguments: Vec<OsString>) -> PyResult<u8> {
    let program = program(py)?;
    Ok(py.detach(|| {
        cli::mapped::tell();
        let run = AssertUnwindSafe(|| cli::run_from(program, arguments));
        catch_unwind(run).unwrap_or_else(|panic| cli::panicked(&*panic)) as u8
    }))
}

/// What starts this `fgd` from outside: this Python with this package, whatever lies in the working directory.
pub fn program(py: Python<'_>) -> PyResult<Program> {
    let python = py.import("sys")?.getattr("executable")?.extract()?;
    let code = py.import("pyfgd._native")?.getattr("__file__")?.extract()?;
    Ok(Program { path: python, arguments: ["-P", "-m", "pyfgd"].map(Into::into).into(), code })
}
