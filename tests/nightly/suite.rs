//! A suite of the fixtures, and the commands that are run on it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::program::{self, Place, captions, fixture};

/// A suite in a folder of its own, with the fixtures that it may name.
pub struct Nightly {
    pub place: Place,
}

impl Nightly {
    pub fn new(suite: &str) -> Self {
        let place = Place::new();
        let links = [
            ("encoder", "encoder/tiny-mean"),
            ("base", "tiny-blip2/base"),
            ("merged", "tiny-blip2/merged"),
            ("adapter", "tiny-blip2/adapter"),
        ];
        for (name, target) in links {
            std::os::unix::fs::symlink(fixture(target), place.path(name)).unwrap();
        }
        std::fs::create_dir(place.path("images")).unwrap();
        let mut references = "image_id,caption\n".to_owned();
        let words =
            ["a red cat", "two dogs on grass", "the sea", "a sign", "a man and a bus", "snow"];
        for (index, words) in words.iter().enumerate() {
            let name = format!("images/p{index}.png");
            std::fs::copy(fixture("captioner/images/rgb.png"), place.path(&name)).unwrap();
            references += &format!("p{index},{words} in picture {index}\n");
        }
        std::fs::write(place.path("pictures.csv"), references).unwrap();
        for name in ["references.csv", "good.csv", "other.csv"] {
            std::fs::copy(captions(name), place.path(name)).unwrap();
        }
        std::fs::write(place.path("suite.toml"), suite).unwrap();
        Self { place }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path(name)
    }

    pub fn suite(&self) -> PathBuf {
        self.path("suite.toml")
    }

    /// Exit code, the record where there is one, and what was said.
    pub fn nightly(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = self.place.fgd();
        command.arg("nightly").arg(arguments[0]).arg(self.suite()).args(&arguments[1..]);
        let output = command.output().unwrap();
        (output.status.code().unwrap(), program::stdout(&output), program::stderr(&output))
    }

    pub fn run(&self) -> (i32, Value, String) {
        let (code, stdout, stderr) = self.nightly(&["run", "--format", "json"]);
        let record = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{code} {stderr}"));
        (code, record, stderr)
    }

    /// A run whose end is not waited for; its stderr comes line by line.
    pub fn start(&self) -> (Child, impl Iterator<Item = String>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fgd"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FGD_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .args(["nightly", "run"])
            .arg(self.suite())
            .env("FGD_CACHE_DIR", self.path("cache"))
            .env("HF_HUB_OFFLINE", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        (child, lines.map_while(Result::ok))
    }

    /// The shell that cron starts a line with: its PATH, and no HOME.
    pub fn cron(&self, line: &str) -> (i32, String) {
        let output = Command::new("/bin/sh")
            .args(["-c", line])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/")
            .output()
            .unwrap();
        let mail = program::stdout(&output) + &program::stderr(&output);
        (output.status.code().unwrap(), mail)
    }

    /// The process of the step at work, as the lock names it.
    pub fn worker(&self) -> Option<u64> {
        let text = std::fs::read_to_string(self.path("nightly/lock.json")).ok()?;
        let holder: Value = serde_json::from_str(&text).ok()?;
        holder["worker"]["pid"].as_u64()
    }

    /// A process has ended, or does so within a minute: under load even a killed one takes its time.
    #[cfg(target_os = "linux")]
    pub fn assert_gone(&self, pid: u64) {
        for _ in 0..600 {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z')) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("process {pid} outlived its night");
    }

    #[cfg(not(target_os = "linux"))]
    pub fn assert_gone(&self, _pid: u64) {}

    pub fn rows(&self) -> Vec<Value> {
        let file = self.path("export.jsonl");
        let (code, _, stderr) = self.nightly(&["export", "-o", file.to_str().unwrap()]);
        assert_eq!(code, 0, "{stderr}");
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn import(&self, rows: &[Value]) {
        let file = self.path("import.jsonl");
        let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
        std::fs::write(&file, lines.join("\n")).unwrap();
        let (code, _, stderr) = self.nightly(&["import", file.to_str().unwrap()]);
        assert_eq!(code, 0, "{stderr}");
    }
}

/// A suite of one submission, with further lines.
pub fn small(more: &str) -> String {
    format!(
        "name = \"small\"\nencoder = \"encoder\"\n[[data]]\nname = \"captions\"\nreferences = \"references.csv\"\n\
         [[system]]\nname = \"good\"\nsubmission = \"good.csv\"\n{more}"
    )
}

/// The finding of a record on a metric of a system.
pub fn finding<'a>(record: &'a Value, system: &str, metric: &str) -> &'a Value {
    let all = record["results"]["findings"].as_array().unwrap();
    let found = all.iter().find(|f| f["system"] == system && f["metric"] == metric);
    found.unwrap_or_else(|| panic!("no finding on {system} {metric} in {all:#?}"))
}

/// Systems and metrics with this verdict.
pub fn verdicts<'a>(record: &'a Value, verdict: &str) -> Vec<(&'a str, &'a str)> {
    let all = record["results"]["findings"].as_array().unwrap();
    let text = |f: &'a Value, key: &str| f[key].as_str().unwrap();
    all.iter()
        .filter(|f| f["verdict"] == verdict)
        .map(|f| (text(f, "system"), text(f, "metric")))
        .collect()
}
