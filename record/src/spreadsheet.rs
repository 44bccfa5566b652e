//! Texts in tables that spreadsheets open.

use std::borrow::Cow;

/// A text that no spreadsheet runs as a formula: after an apostrophe it is shown as it is.
///
/// The full-width forms count too, which spreadsheets take for the ASCII ones. See OWASP, "CSV Injection".
///
/// ```
/// use fgd_record::spreadsheet::defused;
///
/// assert_eq!(defused("=cmd()"), "'=cmd()");
/// assert_eq!(defused("＝cmd()"), "'＝cmd()");
/// assert_eq!(defused("a = b"), "a = b");
/// ```
pub fn defused(text: &str) -> Cow<'_, str> {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}
