//! Reading a suite file: what is wrong with it is said with line, column and the nearest thing that would be right.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Suite;
use super::check::wrong_with;
use crate::toml_file::Misplaced;

/// Why a suite file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// It cannot be read.
    #[error("{}: {source}; give a suite file: `fgd nightly init` writes one", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, a key or value is not one that suites have, or its parts do not fit each other.
    #[error(transparent)]
    Place(#[from] Misplaced),
}

/// Reads a suite file.
pub fn read(path: &Path) -> Result<Suite, SuiteError> {
    parse(&text_of(path)?, path)
}

/// Reads a suite from its text; `path` is for messages.
pub(super) fn parse(text: &str, path: &Path) -> Result<Suite, SuiteError> {
    let understood = |error| Misplaced::of(error, text, path, retired);
    let suite: Suite = toml::from_str(text).map_err(understood)?;
    // Places are those of the text, so it is read as it stands first.
    let suite = with_encoder(text, &suite).map_err(understood)?;
    match wrong_with(&suite) {
        None => Ok(suite),
        Some(problem) => Err(problem.of(text, path).into()),
    }
}

/// The text of a suite file.
pub(super) fn text_of(path: &Path) -> Result<String, SuiteError> {
    std::fs::read_to_string(path).map_err(|source| SuiteError::Io { path: path.into(), source })
}

/// The suite with its encoder in every benchmark that embeds captions and does not name another one.
fn with_encoder(text: &str, suite: &Suite) -> Result<Suite, toml::de::Error> {
    let mut document: Table = toml::from_str(text)?;
    let mut own = Table::new();
    own.insert("encoder".into(), suite.encoder.clone().into());
    own.insert("engine".into(), suite.engine.name().into());
    own.insert("device".into(), suite.device.clone().into());
    if let Some(tokens) = suite.max_length {
        own.insert("max_length".into(), i64::try_from(tokens).unwrap_or(i64::MAX).into());
    }
    let benchmarks = document.get_mut("benchmark").and_then(Value::as_array_mut);
    for benchmark in benchmarks.into_iter().flatten().filter_map(Value::as_table_mut) {
        let target = if benchmark.contains_key("encoder") {
            benchmark.get_mut("encoder")
        } else {
            benchmark.get_mut("score").and_then(|target| target.get_mut("score"))
        };
        let Some(target) = target.and_then(Value::as_table_mut) else {
            continue;
        };
        let encoding = target.entry("encoding").or_insert_with(|| Table::new().into());
        // Another encoder does not take over what was said of the suite's own.
        let Some(encoding) = encoding.as_table_mut().filter(|own| !own.contains_key("encoder"))
        else {
            continue;
        };
        for (key, value) in &own {
            encoding.entry(key.as_str()).or_insert_with(|| value.clone());
        }
    }
    document.try_into()
}

/// Keys that suites once had, each with a key that its table still has, and what to write instead.
const RETIRED: [(&str, &str, &str); 7] = [
    (
        "fail_on_invalid",
        "allow_failed",
        "what fails always counts; name exceptions, such as allow_failed = [\"base\"]",
    ),
    (
        "arguments",
        "submission",
        "write [system.captioning], such as captioning = { generation = { num_beams = 5 } }",
    ),
    (
        "arguments",
        "references",
        "write [data.reading], reference_id_column, reference_caption_column or slice",
    ),
    (
        "arguments",
        "captioner",
        "write [benchmark.encoder], [benchmark.captioner] or [benchmark.score] with fields of the flags' names",
    ),
    (
        "target",
        "captioner",
        "name a table after it: [benchmark.encoder], [benchmark.captioner] or [benchmark.score]",
    ),
    (
        "scenario",
        "captioner",
        "write it into the load of the target, such as encoder = { load = { scenario = \"offline\" } }",
    ),
    (
        "postgres",
        "file",
        "name a file; a team shares a night by its site and a history by `fgd nightly export` and `import`",
    ),
];

/// What to write instead of a key that suites once had.
fn retired(key: &str, beside: &[&str]) -> Option<String> {
    let known = RETIRED.iter().find(|(name, other, _)| *name == key && beside.contains(other));
    known.map(|(_, _, instead)| format!("`{key}` is no key any more: {instead}"))
}
