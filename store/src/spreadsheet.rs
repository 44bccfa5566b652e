//! Text that a spreadsheet must not run.
//!
//! CSV files are opened in spreadsheets, which run a cell that begins with `=`, `+`, `-`, `@` (full-width forms among them), a
//! tab or a carriage return as a formula, and captions and names are text that someone else wrote. See OWASP, "CSV Injection".

use std::borrow::Cow;

const BEGINNINGS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// The text as a cell that no spreadsheet runs: after an apostrophe it is shown as it is.
///
/// ```
/// use fgd_store::spreadsheet::defused;
///
/// assert_eq!(defused("=1+1"), "'=1+1");
/// assert_eq!(defused("a red bus"), "a red bus");
/// ```
pub fn defused(text: &str) -> Cow<'_, str> {
    match text.starts_with(BEGINNINGS) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_stay_text() {
        for text in ["=cmd()", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠x"]
        {
            assert_eq!(defused(text), format!("'{text}"));
        }
        for text in ["a = b", "", " =1", "1-2"] {
            assert_eq!(defused(text), text);
        }
    }
}
