//! Processes of a test: they end with it.

mod place;

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub use place::Place;

/// Enough for several buckets to be summed before the last.
pub const PAIRS: usize = 30_000;
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until something holds.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn fgd() -> PathBuf {
    std::env::var_os("FGD_PROGRAM").expect("FGD_PROGRAM is not set; run script/cluster-test").into()
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)
}

fn encoder() -> PathBuf {
    fixture("encoder/tiny-mean")
}

/// A command in the test's own environment.
fn command(program: impl AsRef<std::ffi::OsStr>, place: &Place) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FGD_") {
            command.env_remove(name);
        }
    }
    command.env("FGD_CACHE_DIR", place.path("cache")).env("HF_HUB_OFFLINE", "1");
    command.envs(place.variables());
    command
}

fn success(output: Output) -> Vec<u8> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn cluster(place: &Place) -> Command {
    command(env!("CARGO_BIN_EXE_fgd-cluster"), place)
}

/// A port that is free with the one after it, where the scheduler is asked how it is. Below those that systems give to connections.
fn free_port() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let first = 20_000 + (std::process::id() % 5_000) as u16 * 2;
    (first..32_000)
        .step_by(2)
        .find(|&port| is_free(port) && is_free(port + 1))
        .expect("a free port")
}

/// A child that does not outlive its test.
pub struct Process(Child);

impl Process {
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// What it writes, if that is a pipe.
    pub fn stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().unwrap()
    }

    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A scheduler and its executors.
pub struct Cluster {
    port: u16,
    scheduler: Process,
    executors: Vec<Process>,
    work_dirs: Vec<PathBuf>,
    key: Option<PathBuf>,
}

impl Cluster {
    /// Starts them and waits until all executors are known.
    pub fn start(place: &Place, executors: usize, more: &[&str]) -> Self {
        Self::start_with(place, executors, more, None)
    }

    /// The same with a key.
    pub fn start_with(place: &Place, executors: usize, more: &[&str], key: Option<&Path>) -> Self {
        let wanted = format!("{executors} executors");
        // A port may be taken by others between its choice and its use.
        for _ in 0..3 {
            let mut cluster = Self::begun(place, executors, more, key);
            let start = Instant::now();
            while start.elapsed() < PATIENCE / 3 && cluster.all_run() {
                if cluster.status(place).starts_with(&wanted) {
                    return cluster;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let log = fs::read_to_string(place.path("scheduler.log")).unwrap_or_default();
        panic!("waited in vain until {wanted}: {log}");
    }

    fn begun(place: &Place, executors: usize, more: &[&str], key: Option<&Path>) -> Self {
        let port = free_port();
        let mut cluster = Self {
            port,
            scheduler: Self::scheduler(place, port, key),
            executors: Vec::new(),
            work_dirs: Vec::new(),
            key: key.map(Path::to_owned),
        };
        (0..executors).for_each(|_| cluster.add_executor(place, more));
        cluster
    }

    fn all_run(&mut self) -> bool {
        let mut all = std::iter::once(&mut self.scheduler).chain(&mut self.executors);
        all.all(|process| matches!(process.0.try_wait(), Ok(None)))
    }

    fn scheduler(place: &Place, port: u16, key: Option<&Path>) -> Process {
        let log = File::options().create(true).append(true).open(place.path("scheduler.log"));
        let mut command = cluster(place);
        command.args(["scheduler", "--port", &port.to_string(), "--executor-timeout", "4"]);
        if let Some(key) = key {
            command.args(["--bind", "127.0.0.2", "--key"]).arg(key);
        }
        Process::start(command.stdout(Stdio::null()).stderr(log.unwrap()))
    }

    /// Where its scheduler is.
    pub fn at(&self) -> String {
        format!("127.0.0.{}:{}", if self.key.is_some() { 2 } else { 1 }, self.port)
    }

    pub fn add_executor(&mut self, place: &Place, more: &[&str]) {
        let name = format!("executor-{}", self.executors.len());
        self.add(place, cluster(place), &place.path(&name), more);
    }

    /// An executor that another program starts, with a folder of its own.
    pub fn add_executor_within(&mut self, place: &Place, within: &[&str], work_dir: &Path) {
        let mut command = command(within[0], place);
        command.args(&within[1..]).arg(env!("CARGO_BIN_EXE_fgd-cluster"));
        self.add(place, command, work_dir, &[]);
    }

    fn add(&mut self, place: &Place, mut command: Command, work_dir: &Path, more: &[&str]) {
        command.args(["executor", "--scheduler", &self.at(), "--heartbeat", "1", "--threads", "1"]);
        command.arg("--encoder").arg(encoder()).arg("--work-dir").arg(work_dir).args(more);
        if let Some(key) = &self.key {
            command.args(["--bind", "127.0.0.3", "--key"]).arg(key);
        }
        let log = format!("executor-{}.log", self.executors.len());
        let log = File::create(place.path(&log)).unwrap();
        self.executors.push(Process::start(command.stdout(Stdio::null()).stderr(log)));
        self.work_dirs.push(work_dir.to_owned());
    }

    /// What tasks of an executor have left on its disk.
    pub fn left_by(&self, executor: usize) -> impl Iterator<Item = PathBuf> {
        let mut folders = vec![self.work_dirs[executor].clone()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            // The engine removes some of them meanwhile.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(found) if found.is_dir() => folders.push(entry.path()),
                    Ok(found) if found.len() > 0 => files.push(entry.path()),
                    _ => {}
                }
            }
        }
        files.into_iter()
    }

    pub fn kill_executor(&mut self, executor: usize) {
        self.executors[executor].kill();
    }

    /// Sends an executor a signal by its name.
    pub fn signal_executor(&self, executor: usize, signal: &str) {
        let id = self.executors[executor].0.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
    }

    pub fn restart_scheduler(&mut self, place: &Place) {
        self.scheduler.kill();
        self.scheduler = Self::scheduler(place, self.port, self.key.as_deref());
    }

    /// A connection to where the scheduler is asked how it is.
    pub fn connection(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port + 1)).unwrap()
    }

    pub fn status(&self, place: &Place) -> String {
        let mut command = cluster(place);
        command.args(["status", "--scheduler", &self.at()]).args(self.key_flags());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    fn key_flags(&self) -> impl Iterator<Item = &std::ffi::OsStr> {
        self.key.iter().flat_map(|key| ["--key".as_ref(), key.as_os_str()])
    }

    /// Begins a score.
    pub fn begin(&self, place: &Place, buckets: &Path, more: &[&str]) -> Score {
        let mut command = self.command("score", place, buckets);
        command.args(self.key_flags()).args(more);
        Score::start(command)
    }

    /// Begins a leaderboard.
    pub fn rank(&self, place: &Place, buckets: &Path) -> Score {
        Score::start(self.command("leaderboard", place, buckets))
    }

    /// Begins a score with another key, or none.
    pub fn begin_with(&self, place: &Place, buckets: &Path, key: &[&std::ffi::OsStr]) -> Score {
        let mut command = self.command("score", place, buckets);
        command.args(["--attempts", "1"]).args(key);
        Score::start(command)
    }

    fn command(&self, what: &str, place: &Place, buckets: &Path) -> Command {
        let mut command = cluster(place);
        command.arg(what).arg(buckets).args(["--scheduler", &self.at(), "--jobs", "4"]);
        command.arg("--encoder").arg(encoder()).arg("--fgd").arg(fgd());
        command
    }
}

/// A score that goes on.
pub struct Score {
    child: Child,
}

impl Score {
    fn start(mut command: Command) -> Self {
        Self { child: command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap() }
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn record(self) -> Value {
        self.finish().0
    }

    /// The record, and what was said on the way.
    pub fn finish(self) -> (Value, String) {
        let (output, said) = self.end();
        (serde_json::from_slice(&output).unwrap(), said)
    }

    /// What it wrote, and what it said on the way.
    pub fn end(self) -> (Vec<u8>, String) {
        let output = self.child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        eprint!("{said}");
        (output.stdout, said)
    }

    /// What a score that must fail said.
    pub fn fails(self) -> String {
        let output = self.child.wait_with_output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }
}
