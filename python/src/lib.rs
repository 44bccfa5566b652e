//! `pyfgd._native`: what the Python package asks of Rust. Jobs go in and come out as JSON, arrays without a copy; names, types
//! and documentation for people stand in `pyfgd/*.py`.

mod arrays;
mod command;
mod documents;
mod error;
mod moments;
mod pool;
mod session;
mod work;

use pyo3::prelude::*;

/// The native part of `pyfgd`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // Readers catch the panics of the libraries that they call; others become exceptions. Neither is for the terminal.
    if std::env::var_os("FGD_LOG").is_none() {
        std::panic::set_hook(Box::new(|_| {}));
    }
    module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<session::Session>()?;
    module.add_class::<moments::Moments>()?;
    module.add_function(wrap_pyfunction!(arrays::frechet_distance, module)?)?;
    module.add_function(wrap_pyfunction!(arrays::paired_distance, module)?)?;
    module.add_function(wrap_pyfunction!(arrays::set_distance, module)?)?;
    module.add_function(wrap_pyfunction!(command::main, module)?)?;
    module.add_function(wrap_pyfunction!(documents::check_record, module)?)?;
    module.add_function(wrap_pyfunction!(documents::render, module)?)?;
    module.add_function(wrap_pyfunction!(documents::page, module)?)?;
    module.add_function(wrap_pyfunction!(documents::site, module)?)?;
    module.add_function(wrap_pyfunction!(documents::chart, module)?)?;
    module.add_function(wrap_pyfunction!(documents::write, module)?)?;
    module.add_function(wrap_pyfunction!(documents::submissions, module)?)?;
    module.add_function(wrap_pyfunction!(documents::validate, module)?)?;
    Ok(())
}
