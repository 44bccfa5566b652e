//! Files of a test, and what `fgd` makes of them in one process.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::{cluster, command, encoder, fgd, fixture, success};

/// A folder for one test.
pub struct Place {
    dir: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Place {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// Sets a variable of all commands to come.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.variables.push((name, value.to_owned()));
    }

    /// These variables.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (*name, &**value))
    }

    /// Whether a command within another one can be run here.
    pub fn can(&self, within: &[&str], run: &str) -> bool {
        let mut command = command(within[0], self);
        command.args(&within[1..]).arg(run).output().is_ok_and(|output| output.status.success())
    }

    /// A key for a cluster, made as cluster/README.md says.
    pub fn key(&self, name: &str) -> PathBuf {
        let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        let readme = fs::read_to_string(readme).unwrap();
        let openssl = readme.lines().find(|line| line.trim().starts_with("openssl req")).unwrap();
        let folder = self.path(name);
        fs::create_dir(&folder).unwrap();
        let mut command = command("sh", self);
        success(command.args(["-c", openssl]).current_dir(&folder).output().unwrap());
        folder.join("cluster.pem")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A submission and references of so many images, made of the words of the caption set.
    pub fn captions(&self, pairs: usize) -> [PathBuf; 2] {
        self.captions_of(&(0..pairs).map(|i| format!("image-{i}")).collect::<Vec<_>>())
    }

    /// The same for images of these ids.
    pub fn captions_of(&self, ids: &[String]) -> [PathBuf; 2] {
        ["good.csv", "references.csv"].map(|name| {
            let text = fs::read_to_string(fixture("captions").join(name)).unwrap();
            let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphabetic()).collect();
            let words: Vec<&str> = words.into_iter().filter(|word| word.len() > 2).collect();
            let mut rows = String::from("image_id,caption,part\n");
            for (i, id) in ids.iter().enumerate() {
                let word = |k: usize| words[(i * 31 + k * (7 + i % 13)) % words.len()];
                let caption: Vec<&str> = (0..6 + i % 9).map(word).collect();
                rows += &format!("{id},{},{}\n", caption.join(" "), ["a", "b", "c"][i % 3]);
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

    /// The leaderboard of one process.
    pub fn board(&self, submissions: &[&Path], references: &Path, more: &[&str]) -> Value {
        let mut command = command(fgd(), self);
        command.args(["leaderboard", "--exact", "--format", "json", "--encoder"]).arg(encoder());
        command.args(submissions).arg("--references").arg(references).args(more);
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
        let files = Self::sums(buckets).and_then(|folder| fs::read_dir(folder).ok());
        // What is still written has another ending.
        let is_whole = |file: &fs::DirEntry| {
            file.path().extension().is_some_and(|e| e == "sums" || e == "distances")
        };
        files.map_or(0, |files| files.flatten().filter(is_whole).count())
    }

    /// Removes the sums of buckets.
    pub fn forget(buckets: &Path) {
        fs::remove_dir_all(Self::sums(buckets).unwrap()).unwrap();
    }

    /// Removes what is kept under names that end so.
    pub fn forget_some(buckets: &Path, end: &str) {
        for entry in fs::read_dir(Self::sums(buckets).unwrap()).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().ends_with(end) {
                fs::remove_file(path).unwrap();
            }
        }
    }

    fn sums(buckets: &Path) -> Option<PathBuf> {
        let mut entries = fs::read_dir(buckets).ok()?.map(|entry| entry.unwrap());
        let is_sums = |name: std::ffi::OsString| name.to_string_lossy().starts_with("sums-");
        entries.find(|entry| is_sums(entry.file_name())).map(|entry| entry.path())
    }
}
