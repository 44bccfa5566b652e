//! Golden files: what was rendered once, looked at, and must not change unseen.

use std::path::Path;

/// Compares a text with its golden file; with `UPDATE_GOLDEN` set the file is written first.
pub fn hold(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let difference = text.lines().zip(golden.lines()).position(|(now, then)| now != then);
    if text != golden {
        let at = difference.unwrap_or(text.lines().count().min(golden.lines().count()));
        let line = |of: &str| of.lines().nth(at).map(str::to_string);
        panic!(
            "{name} is not what it was, first in line {}:\nnow  {:?}\nthen {:?}",
            at + 1,
            line(text),
            line(&golden)
        );
    }
}
