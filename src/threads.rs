//! The pool of threads that a job runs on, where it is told how many.

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// More than any machine has, or answers: a typing error.
pub const MOST: usize = 1024;

/// As much as a main thread has, which jobs run on where no number of threads is given.
const STACK: usize = 8 << 20;

/// A pool of so many threads; 0 is one for each core.
///
/// # Errors
/// A system that has no more threads.
pub fn pool(threads: usize) -> Result<ThreadPool, ThreadPoolBuildError> {
    ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK).build()
}
