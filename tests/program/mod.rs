//! The program as a user runs it, in an environment of its own: the caption set, the tiny encoder, a cache that is thrown away.

#![allow(dead_code, reason = "every test binary uses its part of this")]

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A folder for one test: its cache and what it writes.
pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Names of everything in the folder.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// `fgd`, offline, with this folder's cache, and with no flag set by the tester's environment.
    pub fn fgd(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fgd"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FGD_") {
                command.env_remove(name);
            }
        }
        command
            .env("FGD_CACHE_DIR", self.path("cache"))
            .env("HF_HUB_OFFLINE", "1")
            .env("NO_COLOR", "1");
        command
    }

    /// `fgd score` with the tiny encoder.
    pub fn score(&self, submission: &Path, references: &Path) -> Command {
        let mut command = self.fgd();
        command
            .arg("score")
            .arg(submission)
            .arg("--references")
            .arg(references)
            .arg("--encoder")
            .arg(fixture("encoder/tiny-mean"));
        command
    }

    /// The record of `fgd score` with the tiny encoder, and further arguments.
    pub fn record(&self, submission: &Path, references: &Path, more: &[&str]) -> Value {
        let mut command = self.score(submission, references);
        json(command.args(["--format", "json"]).args(more))
    }
}

/// Runs a command that must succeed, and parses what it says.
pub fn json(command: &mut Command) -> Value {
    let output = command.assert().success().get_output().clone();
    serde_json::from_slice(&output.stdout).unwrap()
}

pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// A file of the caption set.
pub fn captions(name: &str) -> PathBuf {
    fixture("captions").join(name)
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The number at `pointer` of a record's results.
pub fn number(record: &Value, pointer: &str) -> f64 {
    record["results"]
        .pointer(pointer)
        .and_then(Value::as_f64)
        .unwrap_or_else(|| panic!("no number at {pointer}"))
}

pub fn assert_close(a: f64, b: f64, tolerance: f64, what: &str) {
    assert!((a - b).abs() <= tolerance, "{what}: {a} and {b}");
}
