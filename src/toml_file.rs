//! Files in TOML that people write, such as suites and presets: what is wrong with one is said with line, column and the nearest thing
//! that would be right.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Something in a file that is not as it should be.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", path.display())]
pub struct Misplaced {
    /// The file.
    path: PathBuf,
    /// The line, from 1.
    line: usize,
    /// The column in characters, from 1.
    column: usize,
    /// What is wrong there.
    message: String,
}

impl Misplaced {
    /// At a byte of the text.
    pub fn new(text: &str, path: &Path, offset: usize, message: String) -> Self {
        let before = text.get(..offset.min(text.len())).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            path: path.into(),
            line: 1 + before.matches('\n').count(),
            column: 1 + before[line_start..].chars().count(),
            message,
        }
    }

    /// What serde could not read. `retired` may know a key, given the keys that stand in its place today.
    pub fn of(
        error: toml::de::Error,
        text: &str,
        path: &Path,
        retired: fn(&str, &[&str]) -> Option<String>,
    ) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        Self::new(text, path, offset, with_nearest(error.message(), retired))
    }
}

/// Reads plain data from its text; `path` is for messages.
///
/// # Errors
/// What is no TOML, and keys and values that are not those of the type.
pub fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, Misplaced> {
    toml::from_str(text).map_err(|error| Misplaced::of(error, text, path, |_, _| None))
}

/// The word that is most like another one; `None` where none is like it.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// serde calls what it expected by the names of Rust's types.
pub fn in_words(message: &str) -> String {
    let Some((found, expected)) = message.rsplit_once(", expected ") else {
        return message.to_owned();
    };
    let expected = match expected {
        "usize" | "u8" | "u16" | "u32" | "u64" => "a whole number that is not negative",
        "isize" | "i8" | "i16" | "i32" | "i64" => "a whole number",
        "a nonzero usize" | "a nonzero u32" | "a nonzero u64" => "a whole number from 1 on",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list, in [ ]",
        "a map" => "a table",
        own => own,
    };
    format!("{found}, expected {expected}")
}

/// serde lists what it expected in backticks; the nearest of these is said first.
fn with_nearest(message: &str, retired: fn(&str, &[&str]) -> Option<String>) -> String {
    let message = in_words(&message.trim().replace('\n', " "));
    let is_key = message.starts_with("unknown field");
    let known =
        message.strip_prefix("unknown field").or_else(|| message.strip_prefix("unknown variant"));
    let Some((found, expected)) = known.and_then(|rest| rest.split_once(", ")) else {
        return message;
    };
    let found = found.trim().trim_matches('`');
    let words: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    if let Some(instead) = retired(found, &words).filter(|_| is_key) {
        return instead;
    }
    let what = if is_key { "key" } else { "value" };
    match nearest(found, words.iter().copied()) {
        Some(word) => format!("unknown {what} `{found}`: did you mean `{word}`?"),
        None => format!("unknown {what} `{found}`: there are {}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only what goes wrong is read")]
    struct Items {
        items: usize,
        rate: Option<f64>,
        names: Option<Vec<String>>,
    }

    #[test]
    fn types_are_said_in_words() {
        for (text, said) in [
            ("items = -64", "`-64`, expected a whole number that is not negative"),
            ("items = \"many\"", "expected a whole number that is not negative"),
            (
                "items = 1\nrate = \"fast\"",
                "suite.toml:2:8: invalid type: string \"fast\", expected a number",
            ),
            ("items = 1\nnames = 3", "expected a list, in [ ]"),
        ] {
            let error = parse::<Items>(text, Path::new("suite.toml")).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
