//! Files that are cut short while they are mapped into memory.
//!
//! Weights are mapped, not read. Where another process truncates such a file, or its disk fails, the system sends SIGBUS at the
//! next touch: nothing can be gone on with, but it can be said.

/// What is said. A signal handler may not allocate, so it is a constant.
#[cfg(unix)]
const MESSAGE: &[u8] =
    b"error: a file that was being used (weights, most likely) was cut short or its disk failed; \
let nobody change it while fgd runs, and start again\n";

/// Makes the end by SIGBUS one with a message and exit code 1.
#[cfg(unix)]
pub fn tell() {
    extern "C" fn end(_: libc::c_int) {
        // SAFETY: write and _exit may be called in a signal handler, and the message is static.
        unsafe {
            libc::write(libc::STDERR_FILENO, MESSAGE.as_ptr().cast(), MESSAGE.len());
            libc::_exit(1);
        }
    }
    // SAFETY: the handler does nothing that a signal handler may not do.
    unsafe {
        libc::signal(libc::SIGBUS, end as *const () as libc::sighandler_t);
    }
}

/// There is no such signal.
#[cfg(not(unix))]
pub fn tell() {}
