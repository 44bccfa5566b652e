//! Ctrl-C ends a job early; what it has until then is still reported.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

use crate::jobs::Interrupt;

/// Whether the process was asked to end. Listens from the first time that a job asks: a job that never does ends at once,
/// as any does at the second signal.
pub fn on_signal() -> Interrupt {
    let interrupted = Arc::new(AtomicBool::new(false));
    let listen = Once::new();
    Arc::new(move || {
        listen.call_once(|| {
            let interrupted = interrupted.clone();
            let handler = move || {
                if interrupted.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
            };
            if let Err(error) = ctrlc::set_handler(handler) {
                tracing::warn!("Ctrl-C will lose what was measured: {error}");
            }
        });
        interrupted.load(Ordering::Relaxed)
    })
}
