//! How wide a text is on a screen, and how to make it narrower.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A text padded with blanks to a width in columns of the terminal.
pub fn padded(text: &str, width: usize, right: bool) -> String {
    let blanks = " ".repeat(width.saturating_sub(text.width()));
    if right { format!("{blanks}{text}") } else { format!("{text}{blanks}") }
}

/// A text cut to a width, with an ellipsis where something was cut.
pub fn clipped(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_string();
    }
    let mut cut = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used + 1 > width {
            break;
        }
        cut.push(c);
    }
    cut.push('…');
    cut
}

/// A text in lines of at most `width` columns, broken at blanks, and within a word only where the
/// word alone is too long. Leading blanks are kept: they indent.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let indent = text.len() - text.trim_start_matches(' ').len();
    let mut line = " ".repeat(indent.min(width / 2));
    let mut is_empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let blank = usize::from(!is_empty);
        if !is_empty && line.width() + blank + word.width() > width {
            lines.push(std::mem::take(&mut line));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        for c in word.chars() {
            if line.width() + c.width().unwrap_or(0) > width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
        is_empty = false;
    }
    lines.push(line);
    lines
}

/// A text behind a heading that is `indent` columns wide, in lines of `width` columns with the others below its beginning. Words are
/// whole, however long: a path is there to be copied.
pub fn hanging(text: &str, indent: usize, width: usize) -> String {
    let longest = text.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0);
    let lines = wrapped(text, width.saturating_sub(indent).max(longest));
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_below_its_beginning_and_whole() {
        assert_eq!(hanging("one two three", 4, 12), "one two\n    three");
        assert_eq!(hanging("a /very/long/path b", 2, 8), "a\n  /very/long/path\n  b");
    }

    #[test]
    fn wraps_at_blanks_and_breaks_only_long_words() {
        assert_eq!(wrapped("a plate of pasta", 8), vec!["a plate", "of pasta"]);
        assert_eq!(wrapped("abcdefghij", 4), vec!["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("你好你好", 4), vec!["你好", "你好"]);
        assert_eq!(wrapped("", 4), vec![""]);
    }

    #[test]
    fn clips_by_columns() {
        assert_eq!(clipped("captions", 5), "capt…");
        assert_eq!(clipped("你好你", 5), "你好…");
    }
}
