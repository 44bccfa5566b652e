//! Reading a suite file: what is wrong with it is said with line, column and the nearest thing that would be right.

use std::path::{Path, PathBuf};

use super::Suite;
use super::check::{nearest, wrong_with};

/// Why a suite file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// It cannot be read.
    #[error("{}: {source}; `fgd nightly init` writes one", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, or a key or value is not one that suites have.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Place {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// Its parts do not fit each other.
    #[error("{}: {message}", path.display())]
    Meaning {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

/// Reads a suite file.
pub fn read(path: &Path) -> Result<Suite, SuiteError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SuiteError::Io { path: path.into(), source })?;
    parse(&text, path)
}

/// Reads a suite from its text; `path` is for messages.
pub(super) fn parse(text: &str, path: &Path) -> Result<Suite, SuiteError> {
    let suite: Suite = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start).min(text.len());
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        SuiteError::Place {
            path: path.into(),
            line: 1 + before.matches('\n').count(),
            column: 1 + before[line_start..].chars().count(),
            message: with_nearest(error.message()),
        }
    })?;
    match wrong_with(&suite) {
        None => Ok(suite),
        Some(message) => Err(SuiteError::Meaning { path: path.into(), message }),
    }
}

/// Keys that suites once had, each with a key that its table still has, and what to write instead.
const RETIRED: [(&str, &str, &str); 6] = [
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

/// serde lists what it expected in backticks; the nearest of these is said first.
fn with_nearest(message: &str) -> String {
    let message = message.trim().replace('\n', " ");
    let known =
        message.strip_prefix("unknown field").or_else(|| message.strip_prefix("unknown variant"));
    let Some((found, expected)) = known.and_then(|rest| rest.split_once(", ")) else {
        return message;
    };
    let found = found.trim().trim_matches('`');
    let words: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let retired = (RETIRED.iter())
        .find(|(key, beside, _)| *key == found && words.contains(beside))
        .filter(|_| message.starts_with("unknown field"));
    if let Some((key, _, instead)) = retired {
        return format!("`{key}` is no key any more: {instead}");
    }
    let what = if message.starts_with("unknown field") { "key" } else { "value" };
    match nearest(found, words.iter().copied()) {
        Some(word) => format!("unknown {what} `{found}`: did you mean `{word}`?"),
        None => format!("unknown {what} `{found}`: there are {}", words.join(", ")),
    }
}
