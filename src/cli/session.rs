//! The session of a command: what the environment says, bars on the terminal, and Ctrl-C.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

use indicatif::ProgressBar;

use super::output::Output;
use crate::jobs::{Bar, Interrupt, Progress, Session};
use crate::settings::Settings;

/// The session of a command line. `program` is what starts `fgd` from outside.
pub fn session(program: PathBuf, output: &Output) -> Session {
    let settings = Settings::from_env(program, output.draws_progress());
    let mut session = Session::new(settings);
    session.progress = Arc::new(*output);
    session.interrupt = on_signal();
    session
}

/// Ctrl-C ends a job early; what it has until then is still reported. Listens from the first time that a job asks, so that
/// a job that never does ends at once, as it does at the second signal.
fn on_signal() -> Interrupt {
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

impl Progress for Output {
    fn say(&self, line: &str) {
        Output::say(self, line);
    }

    fn begin(&self, what: &'static str, total: u64) -> Box<dyn Bar> {
        Box::new(TerminalBar(self.bar(total, what)))
    }
}

/// Goes away when it is dropped.
struct TerminalBar(ProgressBar);

impl Bar for TerminalBar {
    fn advance(&self, count: u64) {
        self.0.inc(count);
    }

    fn set(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }
}

impl Drop for TerminalBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
