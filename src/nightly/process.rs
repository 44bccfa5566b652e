//! A step as a process of its own: whatever happens to it happens to it alone.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fgd_store::file::FileError;
use serde::{Deserialize, Serialize};

use super::NightlyError;

/// How often a running step is looked at.
const POLL: Duration = Duration::from_millis(25);
/// How long a step that is asked to end may take to do so.
const GRACE: Duration = Duration::from_secs(10);
/// Characters of a step's messages that are kept as the reason of its failure.
const TAIL: usize = 600;
/// Exit code of a benchmark that does not count. Its record says why.
const NOT_VALID: i32 = 5;

/// A process that can be told from a later one of the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// Process.
    pub pid: u32,
    /// Clock ticks from the start of the machine to that of the process.
    pub started: u64,
    /// Identity of the machine's own start.
    pub boot: String,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Termination {
    /// It did its work.
    Done,
    /// It failed; the end of what it said.
    Failed(String),
    /// It was ended because the time was over.
    OutOfTime,
}

/// Runs a process whose result is a file. What it says goes to `log`; `started` is told of the process.
pub fn run(
    mut command: Command,
    log: &Path,
    deadline: Option<Instant>,
    started: &mut dyn FnMut(Worker) -> Result<(), FileError>,
) -> Result<Termination, NightlyError> {
    let failed = |source| NightlyError::io(log, source);
    let messages = File::create(log).map_err(failed)?;
    let program = command.get_program().to_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(messages)
        .spawn()
        .map_err(|source| NightlyError::io(Path::new(&program), source))?;
    if let Some(worker) = Worker::of(child.id())
        && let Err(error) = started(worker)
    {
        let _ = child.kill();
        let _ = child.wait();
        return Err(error.into());
    }
    let Some(status) = wait(&mut child, deadline).map_err(failed)? else {
        return Ok(Termination::OutOfTime);
    };
    Ok(match status.code() {
        Some(0 | NOT_VALID) => Termination::Done,
        Some(code) => Termination::Failed(with_tail(log, &format!("exit code {code}"))),
        None => Termination::Failed(with_tail(log, &killed(&status))),
    })
}

/// Waits for a process, and ends it at the deadline: then there is no status.
pub(super) fn wait(
    child: &mut Child,
    deadline: Option<Instant>,
) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return end(child).map(|()| None);
        }
        sleep(POLL);
    }
}

/// Asks a process to end, and ends it.
fn end(child: &mut Child) -> std::io::Result<()> {
    signal(child.id(), "TERM");
    let patience = Instant::now() + GRACE;
    while Instant::now() < patience {
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        sleep(POLL);
    }
    child.kill()?;
    child.wait().map(|_| ())
}

/// Sends a signal by name. The shell has the command built in wherever there is a shell.
fn signal(pid: u32, name: &str) {
    let _ = Command::new("sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .stderr(Stdio::null())
        .status();
}

impl Worker {
    /// A running process; `None` where the system does not tell.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold anything; the 22nd field is the 20th after it.
        let started = stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()?;
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(Self { pid, started, boot: boot.trim().into() })
    }

    /// Ends the process if it is still at work, as a step of a killed run is.
    pub fn end(&self) {
        let is_it = || Self::of(self.pid).as_ref() == Some(self);
        for (name, patience) in [("TERM", GRACE), ("KILL", GRACE)] {
            if !is_it() {
                return;
            }
            signal(self.pid, name);
            let until = Instant::now() + patience;
            while is_it() && !self.is_zombie() && Instant::now() < until {
                sleep(POLL);
            }
            if self.is_zombie() {
                return;
            }
        }
    }

    fn is_zombie(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
    }
}

#[cfg(unix)]
fn killed(status: &std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(9) => "killed by signal 9: out of memory, or somebody killed it".into(),
        Some(signal) => format!("killed by signal {signal}"),
        None => "ended without an exit code".into(),
    }
}

#[cfg(not(unix))]
fn killed(_status: &std::process::ExitStatus) -> String {
    "ended without an exit code".into()
}

/// The end of what a step said, in one line.
fn tail(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let from = lines.len().saturating_sub(3);
    let last = lines[from..].join("; ");
    let skip = last.chars().count().saturating_sub(TAIL);
    last.chars().skip(skip).collect()
}

fn with_tail(log: &Path, how: &str) -> String {
    match tail(log) {
        said if said.is_empty() => how.into(),
        said => format!("{how}: {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_of_its_number() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let worker = Worker::of(child.id()).unwrap();
        assert_eq!(Worker::of(child.id()), Some(worker.clone()));
        let other = Worker { started: worker.started + 1, ..worker.clone() };
        other.end();
        assert!(child.try_wait().unwrap().is_none(), "another process was ended");
        worker.end();
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn a_process_that_does_not_end_is_ended() {
        let sleep = |seconds: &str| Command::new("sleep").arg(seconds).spawn().unwrap();
        let soon = || Some(Instant::now() + Duration::from_millis(100));
        let (mut long, mut short) = (sleep("600"), sleep("0"));
        assert_eq!(wait(&mut long, soon()).unwrap(), None);
        assert!(long.try_wait().unwrap().is_some());
        assert!(wait(&mut short, None).unwrap().unwrap().success());
    }

    #[test]
    fn the_end_of_a_log_is_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, "one\n\ntwo\n three\nerror: four\n").unwrap();
        assert_eq!(tail(&log), "two; three; error: four");
        assert_eq!(with_tail(&folder.path().join("none"), "exit code 1"), "exit code 1");
    }
}
