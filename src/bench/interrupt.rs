//! Ctrl-C ends a run early; what was measured until then is still reported, as INVALID.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static LISTEN: Once = Once::new();

/// Whether the process was asked to end. Listens from the first call on; a second request ends it at once.
pub fn interrupted() -> bool {
    LISTEN.call_once(|| {
        let on_signal = || {
            if INTERRUPTED.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        };
        if let Err(error) = ctrlc::set_handler(on_signal) {
            tracing::warn!("Ctrl-C will lose what was measured: {error}");
        }
    });
    INTERRUPTED.load(Ordering::Relaxed)
}
