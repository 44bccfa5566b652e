//! Processes of a test: they end with it.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

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

/// A folder for one test.
pub struct Place {
    dir: TempDir,
}

fn fgd() -> PathBuf {
    std::env::var_os("FGD_PROGRAM").expect("FGD_PROGRAM is not set; run script/cluster-test").into()
}

fn fixture(name: &str) -> PathBuf {
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
    command
}

fn success(output: Output) -> Vec<u8> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

impl Place {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A submission and references of so many images, made of the words of the caption set.
    pub fn captions(&self, pairs: usize) -> [PathBuf; 2] {
        ["good.csv", "references.csv"].map(|name| {
            let text = fs::read_to_string(fixture("captions").join(name)).unwrap();
            let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphabetic()).collect();
            let words: Vec<&str> = words.into_iter().filter(|word| word.len() > 2).collect();
            let mut rows = String::from("image_id,caption,part\n");
            for i in 0..pairs {
                let word = |k: usize| words[(i * 31 + k * (7 + i % 13)) % words.len()];
                let caption: Vec<&str> = (0..6 + i % 9).map(word).collect();
                rows += &format!("image-{i},{},{}\n", caption.join(" "), ["a", "b", "c"][i % 3]);
            }
            let path = self.path(name);
            fs::write(&path, rows).unwrap();
            path
        })
    }

    /// The same rows in another order.
    pub fn shuffled(&self, file: &Path) -> PathBuf {
        let text = fs::read_to_string(file).unwrap();
        let (header, rows) = text.split_once('\n').unwrap();
        let mut rows: Vec<&str> = rows.lines().collect();
        rows.sort_by_key(|row| row.bytes().rev().map(|b| b.wrapping_mul(37)).collect::<Vec<_>>());
        let path = self.path("shuffled.csv");
        fs::write(&path, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
        path
    }

    /// The record of one process.
    pub fn exact(&self, submission: &Path, references: &Path, more: &[&str]) -> Value {
        let mut command = command(fgd(), self);
        command.args(["score", "--exact", "--format", "json", "--encoder"]).arg(encoder());
        command.arg(submission).arg("--references").arg(references).args(more);
        serde_json::from_slice(&success(command.output().unwrap())).unwrap()
    }

    /// A folder of buckets.
    pub fn prepare(
        &self,
        folder: &str,
        submission: &Path,
        references: &Path,
        more: &[&str],
    ) -> PathBuf {
        let folder = self.path(folder);
        let mut command = cluster(self);
        command.args(["prepare", "--fgd"]).arg(fgd()).arg(submission).arg("-r").arg(references);
        success(command.arg("-o").arg(&folder).args(more).output().unwrap());
        folder
    }

    /// How many buckets have their sums.
    pub fn summed(buckets: &Path) -> usize {
        Self::sums(buckets).map_or(0, |folder| fs::read_dir(folder).map_or(0, Iterator::count))
    }

    /// Removes the sums of buckets.
    pub fn forget(buckets: &Path) {
        fs::remove_dir_all(Self::sums(buckets).unwrap()).unwrap();
    }

    fn sums(buckets: &Path) -> Option<PathBuf> {
        let mut entries = fs::read_dir(buckets).ok()?.map(|entry| entry.unwrap());
        let is_sums = |name: std::ffi::OsString| name.to_string_lossy().starts_with("sums-");
        entries.find(|entry| is_sums(entry.file_name())).map(|entry| entry.path())
    }
}

fn cluster(place: &Place) -> Command {
    command(env!("CARGO_BIN_EXE_fgd-cluster"), place)
}

/// A child that does not outlive its test.
struct Process(Child);

impl Process {
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
    place: PathBuf,
}

impl Cluster {
    /// Starts them and waits until all executors are known.
    pub fn start(place: &Place, executors: usize, more: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let scheduler = Self::scheduler(place, port);
        let place_path = place.path("");
        let mut cluster = Self { port, scheduler, executors: Vec::new(), place: place_path };
        (0..executors).for_each(|_| cluster.add_executor(place, more));
        let wanted = format!("{executors} executors");
        until(&wanted, || cluster.status().starts_with(&wanted));
        cluster
    }

    fn scheduler(place: &Place, port: u16) -> Process {
        let log = File::options().create(true).append(true).open(place.path("scheduler.log"));
        let mut command = cluster(place);
        command.args(["scheduler", "--port", &port.to_string(), "--executor-timeout", "4"]);
        command.stdout(Stdio::null()).stderr(log.unwrap());
        Process(command.spawn().unwrap())
    }

    fn at(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn add_executor(&mut self, place: &Place, more: &[&str]) {
        let name = format!("executor-{}", self.executors.len());
        let mut command = cluster(place);
        command.args(["executor", "--scheduler", &self.at(), "--heartbeat", "1", "--threads", "1"]);
        command.arg("--encoder").arg(encoder()).arg("--work-dir").arg(place.path(&name)).args(more);
        let log = File::create(place.path(&format!("{name}.log"))).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        self.executors.push(Process(command.spawn().unwrap()));
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
        self.scheduler = Self::scheduler(place, self.port);
    }

    pub fn status(&self) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fgd-cluster"));
        let output = command.args(["status", "--scheduler", &self.at()]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Begins a score.
    pub fn begin(&self, buckets: &Path, more: &[&str]) -> Score {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fgd-cluster"));
        command.env("FGD_CACHE_DIR", self.place.join("cache")).env("HF_HUB_OFFLINE", "1");
        command.arg("score").arg(buckets).args(["--scheduler", &self.at(), "--jobs", "4"]);
        command.arg("--encoder").arg(encoder()).arg("--fgd").arg(fgd()).args(more);
        Score { child: command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap() }
    }

    /// The record of a score.
    pub fn score(&self, buckets: &Path) -> Value {
        self.begin(buckets, &[]).record()
    }
}

/// A score that goes on.
pub struct Score {
    child: Child,
}

impl Score {
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn record(self) -> Value {
        self.finish().0
    }

    /// The record, and what was said on the way.
    pub fn finish(self) -> (Value, String) {
        let output = self.child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        eprint!("{said}");
        (serde_json::from_slice(&output.stdout).unwrap(), said)
    }

    /// What a score that must fail said.
    pub fn fails(self) -> String {
        let output = self.child.wait_with_output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }
}
