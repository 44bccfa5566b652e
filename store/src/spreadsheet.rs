//! Text that a spreadsheet must not run.
//!
//! CSV files are opened in spreadsheets, which run a cell that begins with `=`, `+`, `-`, `@` (full-width forms among them), a
//! tab or a carriage return as a formula, and captions and names are text that someone else wrote. See OWASP, "CSV Injection". A sign
//! begins ids as well (every 64th of YouTube's) and captions, and does harm only where a call or another program is named behind it:
//! without a bracket, a bar or an exclamation mark it is left alone, so that tables can be joined by ids.

use std::borrow::Cow;

const BEGINNINGS: [char; 6] = ['=', '@', '\t', '\r', '＝', '＠'];
const SIGNS: [char; 4] = ['+', '-', '＋', '－'];
/// What a formula calls a function, a program or another sheet with.
const CALLS: [char; 6] = ['(', '|', '!', '（', '｜', '！'];

/// The text as a cell that no spreadsheet runs: after an apostrophe it is shown as it is.
///
/// ```
/// use fgd_store::spreadsheet::defused;
///
/// assert_eq!(defused("=1+1"), "'=1+1");
/// assert_eq!(defused("a red bus"), "a red bus");
/// ```
pub fn defused(text: &str) -> Cow<'_, str> {
    match text.starts_with(BEGINNINGS) || (text.starts_with(SIGNS) && text.contains(CALLS)) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_stay_text() {
        for text in [
            "=cmd()",
            "+SUM(A1)",
            "-2+3+cmd|' /C calc'!A0",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "＝1",
            "＋SUM（1）",
            "＠x",
        ] {
            assert_eq!(defused(text), format!("'{text}"));
        }
        for text in ["a = b", "", " =1", "1-2", "-0WqFabc12Q", "+1 is on a sign", "-2+3"] {
            assert_eq!(defused(text), text);
        }
    }
}
