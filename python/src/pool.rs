//! The threads of the package: a pool of its own, since the host may have one, and one for each process, since threads do not
//! live through a fork.

use std::sync::{Arc, Mutex, PoisonError};

use fgd::threads;
use pyo3::exceptions::PyRuntimeError;
use pyo3::{PyResult, Python};
use rayon::ThreadPool;

use crate::error;

struct Current {
    process: u32,
    threads: usize,
    pool: Arc<ThreadPool>,
}

// One pool for all that a process does; Python has one interpreter a process too.
static CURRENT: Mutex<Option<Current>> = Mutex::new(None);

/// The pool of this process with so many threads; 0 is one for each core.
pub fn pool(py: Python<'_>, count: usize) -> PyResult<Arc<ThreadPool>> {
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    match current.take() {
        Some(known) if known.process == process && known.threads == count => {
            let pool = known.pool.clone();
            *current = Some(known);
            return Ok(pool);
        }
        // The threads of a forked parent are not here to be waited for.
        Some(foreign) if foreign.process != process => std::mem::forget(foreign),
        _ => {}
    }
    if count > threads::MOST {
        let message = format!("threads = {count}: give {} at most", threads::MOST);
        return Err(error::usage(py, message));
    }
    let pool =
        Arc::new(threads::pool(count).map_err(|error| PyRuntimeError::new_err(error.to_string()))?);
    *current = Some(Current { process, threads: count, pool: pool.clone() });
    Ok(pool)
}
