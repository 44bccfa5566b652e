//! One run at a time: a lock on the state folder that says who holds it.
//!
//! The lock is the system's own lock on an open file, so it ends with its process however that ends. What stands in the
//! file is for people, and for the next run: a step of a killed run may still be at work.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fgd_store::file::{FileError, write};
use serde::{Deserialize, Serialize};

use super::process::Worker;

/// How long a lock that is held is waited for, three times.
const LOOK: Duration = Duration::from_millis(30);
/// File of the notes.
const NOTES: &str = "lock.json";

/// The lock of a state folder, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    // Held for its lock.
    _file: File,
    notes: PathBuf,
    holder: Holder,
}

/// Who holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process.
    pub pid: u32,
    /// Name of the machine.
    pub host: String,
    /// When it began.
    pub started: String,
    /// The step at work.
    pub worker: Option<Worker>,
}

/// Why the lock was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else runs.
    #[error(
        "{}: another run is at work{}; wait for it, or end it and run again",
        state.display(),
        .holder.as_ref().map_or(String::new(), |h| format!(": process {} on {} since {}", h.pid, h.host, h.started))
    )]
    Held {
        /// The state folder.
        state: PathBuf,
        /// Who it is, where that is known.
        holder: Option<Holder>,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Io(#[from] FileError),
}

impl Lock {
    /// Takes the lock of a state folder. Answers who held it before, if that one died with it.
    pub fn take(state: &Path, started: &str) -> Result<(Self, Option<Holder>), LockError> {
        let path = state.join("lock");
        let notes = state.join(NOTES);
        let failed = |source| FileError::Io { path: path.clone(), source };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        // Whoever only looks whether there is a lock holds it for a moment.
        let mut looks = 3;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if looks > 0 => {
                    looks -= 1;
                    std::thread::sleep(LOOK);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held { state: state.into(), holder: noted(state) });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source).into()),
            }
        }
        // Not before the lock: then they may be of a run that has just ended.
        let before = noted(state);
        let holder = Holder {
            pid: std::process::id(),
            host: hostname(),
            started: started.into(),
            // On record until somebody has seen that it is gone.
            worker: before.as_ref().and_then(|before| before.worker.clone()),
        };
        let lock = Self { _file: file, notes, holder };
        lock.note()?;
        Ok((lock, before))
    }

    /// Who is at work in a state folder now; nothing is taken or written.
    pub fn holder(state: &Path) -> Option<Holder> {
        let file = File::open(state.join("lock")).ok()?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => noted(state),
            _ => None,
        }
    }

    /// Notes which step is at work, or that none is.
    pub fn set_worker(&mut self, worker: Option<Worker>) -> Result<(), FileError> {
        self.holder.worker = worker;
        self.note()
    }

    fn note(&self) -> Result<(), FileError> {
        let text = serde_json::to_vec(&self.holder).unwrap_or_default();
        write(&self.notes, &text)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.holder.worker.is_none() {
            let _ = std::fs::remove_file(&self.notes);
        }
    }
}

fn noted(state: &Path) -> Option<Holder> {
    let text = std::fs::read_to_string(state.join(NOTES)).ok()?;
    serde_json::from_str(&text).ok()
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "this machine".into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_told_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (held, before) = Lock::take(folder.path(), "2026-01-01T00:00:00Z").unwrap();
        assert_eq!(before, None);
        let error = Lock::take(folder.path(), "later").unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        assert!(error.contains("since 2026-01-01"), "{error}");
        drop(held);
        assert!(Lock::take(folder.path(), "later").is_ok());
    }

    #[test]
    fn who_ended_while_it_was_waited_for_did_not_die() {
        let folder = tempfile::tempdir().unwrap();
        let (held, _) = Lock::take(folder.path(), "then").unwrap();
        let ends = std::thread::spawn(move || {
            std::thread::sleep(LOOK / 3);
            drop(held);
        });
        let taken = std::iter::repeat_with(|| Lock::take(folder.path(), "now"));
        let (_lock, before) = taken.flatten().next().unwrap();
        ends.join().unwrap();
        assert_eq!(before, None);
    }

    #[test]
    fn the_lock_of_a_dead_process_is_taken_over_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let dead = Holder { pid: 1, host: "h".into(), started: "then".into(), worker: None };
        std::fs::write(folder.path().join("lock.json"), serde_json::to_vec(&dead).unwrap())
            .unwrap();
        let (_lock, before) = Lock::take(folder.path(), "now").unwrap();
        assert_eq!(before, Some(dead));
    }
}
