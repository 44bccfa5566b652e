//! What the tests of several systems share: the program, the caption fixtures, and embeddings that can tell them
//! apart. The tiny encoder has random weights, so it serves for everything but quality; where quality matters,
//! captions are embedded as bags of words.

#![allow(dead_code)] // Not every test file uses all of it.

use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use ndarray::Array2;
use serde_json::Value;

const DIMENSIONS: usize = 24;

/// The program, without a cache, and without settings from outside.
pub fn fgd(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fgd"));
    let variables = std::env::vars_os().map(|(name, _)| name);
    for name in variables.filter(|name| name.to_string_lossy().starts_with("FGD_")) {
        command.env_remove(name);
    }
    command.env("HF_HUB_OFFLINE", "1").env("FGD_NO_CACHE", "true");
    command.args(arguments);
    command
}

/// Exit code, stdout and stderr of a run.
pub fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = fgd(arguments).output().unwrap();
    (
        output.status.code().expect("it was not killed"),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// The record that a run prints with `--format json`, which must succeed.
pub fn record(arguments: &[&str]) -> Value {
    let (code, stdout, stderr) = run(&[arguments, &["--format", "json"]].concat());
    assert_eq!(code, 0, "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// A path under fixtures/.
pub fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    path.to_str().unwrap().to_owned()
}

/// A caption file under fixtures/captions.
pub fn captions(name: &str) -> String {
    fixture(&format!("captions/{name}"))
}

/// The encoder of the fixtures.
pub fn encoder() -> String {
    fixture("encoder/tiny-mean")
}

/// Writes the captions of a fixture as embeddings, in the order of the ids: hashed bags of words, of unit length.
pub fn embed(name: &str, folder: &Path) -> String {
    let mut reader = csv::Reader::from_path(captions(name)).unwrap();
    let mut rows: Vec<(String, String)> = reader
        .records()
        .map(|row| {
            let row = row.unwrap();
            (row[0].to_owned(), row[1].to_owned())
        })
        .collect();
    rows.sort();
    let mut embeddings = Array2::<f32>::zeros((rows.len(), DIMENSIONS + 1));
    for (mut row, (_, caption)) in embeddings.rows_mut().into_iter().zip(&rows) {
        // Words may cancel each other; what all captions share keeps them from having no direction.
        row[DIMENSIONS] = 1.0;
        let words = caption.to_lowercase();
        for word in words.split(|c: char| !c.is_alphanumeric()).filter(|w| w.len() > 2) {
            let mut hasher = std::collections::hash_map::DefaultHasher::new();
            word.hash(&mut hasher);
            let hash = hasher.finish();
            row[hash as usize % DIMENSIONS] += if hash >> 63 == 0 { 1.0 } else { -1.0 };
        }
        let length = row.dot(&row).sqrt();
        row.mapv_inplace(|value| value / length);
    }
    let path: PathBuf = folder.join(Path::new(name).with_extension("npy"));
    let file = std::fs::File::create(&path).unwrap();
    fgd_store::arrays::write_embeddings(file, embeddings.view()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A record without what differs from run to run.
pub fn timeless(mut record: Value) -> Value {
    record["created"] = Value::Null;
    record["timings"] = Value::Null;
    record["host"] = Value::Null;
    record
}

/// The difference of two systems in a metric, out of the record of `fgd compare`.
pub fn difference<'a>(record: &'a Value, metric: &str, system: &str, versus: &str) -> &'a Value {
    let all = record["results"]["differences"].as_array().unwrap();
    all.iter()
        .find(|d| d["metric"] == metric && d["system"] == system && d["versus"] == versus)
        .unwrap_or_else(|| panic!("no difference of {system} and {versus} in {metric}"))
}
