//! A step as a process of its own: whatever happens to it happens to it alone.
//!
//! And it ends with the night, however that ends. A step begins its work only when it is told to, which is after its process
//! is on record ([`wait_for_start`]); the system kills it when its parent dies; and a night that goes on looks for what the
//! record names, itself and whatever it started, before it begins ([`Worker::end`]).

use std::fs::File;
use std::io::{Read, Write};
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

/// What a step that waits for its start is told.
const START: &[u8] = b"start\n";
/// How long a process that is killed may take to be gone, on whatever load.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a process whose result is a file. What it says goes to `log`; `started` is told of the process, which waits on its
/// standard input until that is done.
pub fn run(
    mut command: Command,
    log: &Path,
    deadline: Option<Instant>,
    started: &mut dyn FnMut(Worker) -> Result<(), FileError>,
) -> Result<Termination, NightlyError> {
    let failed = |source| NightlyError::io(log, source);
    let messages = File::create(log).map_err(failed)?;
    let program = command.get_program().to_owned();
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command
        .stdin(Stdio::piped())
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
    if let Some(mut input) = child.stdin.take() {
        // One that does not wait, or is dead already, is no trouble here: its end says more.
        let _ = input.write_all(START);
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

/// Waits for a process, and ends it at the deadline with what it started, if it leads a group of its own: then there is no
/// status.
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

/// Waits until the night has this process on record. From here on it dies with its parent.
///
/// # Errors
/// The parent died first, so nobody knows of this process and nothing may be done.
pub fn wait_for_start() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    let mut told = Vec::new();
    std::io::stdin().lock().take(START.len() as u64).read_to_end(&mut told)?;
    match told == START {
        true => Ok(()),
        false => Err(std::io::Error::other("the night that started this step is gone")),
    }
}

/// Asks a process and what it started to end, and ends them.
fn end(child: &mut Child) -> std::io::Result<()> {
    signal_group(child.id(), Ending::Asked);
    let patience = Instant::now() + GRACE;
    while Instant::now() < patience {
        if child.try_wait()?.is_some() {
            break;
        }
        sleep(POLL);
    }
    signal_group(child.id(), Ending::Killed);
    child.kill()?;
    child.wait().map(|_| ())
}

/// How a group of processes is ended.
#[derive(Clone, Copy)]
enum Ending {
    Asked,
    Killed,
}

/// Sends a signal to a process and what it started.
#[cfg(unix)]
fn signal_group(leader: u32, ending: Ending) {
    use nix::sys::signal::{Signal, killpg};
    let signal = match ending {
        Ending::Asked => Signal::SIGTERM,
        Ending::Killed => Signal::SIGKILL,
    };
    if let Ok(leader) = i32::try_from(leader) {
        let _ = killpg(nix::unistd::Pid::from_raw(leader), signal);
    }
}

#[cfg(not(unix))]
fn signal_group(_leader: u32, _ending: Ending) {}

/// Which start of the system this is; `None` where it does not tell.
fn boot() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(boot.trim().into())
}

impl Worker {
    /// A running process; `None` where the system does not tell.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold anything; the 22nd field is the 20th after it.
        let started = stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()?;
        Some(Self { pid, started, boot: boot()? })
    }

    /// Ends the process and what it started if they are still at work, as the step of a killed run may be. Answers whether
    /// they are gone.
    pub fn end(&self) -> bool {
        let until = Instant::now() + PATIENCE;
        while self.is_at_work() {
            if Instant::now() >= until {
                return false;
            }
            signal_group(self.pid, Ending::Killed);
            sleep(POLL);
        }
        true
    }

    /// Whether a process of its group lives. A later process of the same number is another one.
    fn is_at_work(&self) -> bool {
        // Groups of another boot are others, whatever their number.
        if boot().is_some_and(|boot| boot != self.boot)
            || Self::of(self.pid).is_some_and(|leader| leader != *self)
        {
            return false;
        }
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let stats =
            entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
        let mut lives = stats.filter_map(|stat| {
            // State, parent and group follow the name in brackets.
            let mut fields = stat.rsplit_once(") ")?.1.split(' ');
            let (state, group) = (fields.next()?.to_owned(), fields.nth(1)?.parse::<u32>().ok()?);
            Some(group == self.pid && !matches!(state.as_str(), "Z" | "X"))
        });
        lives.any(|lives| lives)
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

/// The end of what a step said, in one line, after the first error in a file where there are many.
fn tail(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let from = lines.len().saturating_sub(3);
    let first = lines[..from].iter().find(|line| line.contains(": error["));
    let last = match (first, lines.last()) {
        (Some(first), Some(last)) => format!("{first}; …; {last}"),
        _ => lines[from..].join("; "),
    };
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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_step_ends_with_all_it_started_and_is_told_from_a_later_one_of_its_number() {
        use std::os::unix::process::CommandExt;
        // A child of its own outlives the leader.
        let mut leader = Command::new("sh")
            .args(["-c", "sleep 600 & echo; wait"])
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = [0];
        leader.stdout.take().unwrap().read_exact(&mut line).unwrap();
        let worker = Worker::of(leader.id()).unwrap();
        let other = Worker { started: worker.started + 1, ..worker.clone() };
        assert!(other.end());
        assert!(leader.try_wait().unwrap().is_none(), "another process was ended");
        leader.kill().unwrap();
        leader.wait().unwrap();
        assert!(worker.is_at_work(), "what the leader started is not seen");
        assert!(worker.end() && !worker.is_at_work());
    }

    #[cfg(unix)]
    #[test]
    fn a_process_that_does_not_end_is_ended() {
        use std::os::unix::process::CommandExt;
        let sleep =
            |seconds: &str| Command::new("sleep").arg(seconds).process_group(0).spawn().unwrap();
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
        let found = (1..9).map(|row| format!("a.csv: error[empty-caption]: row {row}: empty\n"));
        std::fs::write(&log, found.collect::<String>() + "error: 8 errors\n").unwrap();
        let said = "a.csv: error[empty-caption]: row 1: empty; …; error: 8 errors";
        assert_eq!(tail(&log), said);
        assert_eq!(with_tail(&folder.path().join("none"), "exit code 1"), "exit code 1");
    }
}
