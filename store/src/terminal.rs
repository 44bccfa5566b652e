//! Text of unknown origin, made fit to be shown: the one way from a foreign file to a terminal or a page.

/// A text with its control characters made visible, on one line.
///
/// A caption, an id or a file name may hold a newline, an escape sequence of the terminal or a character that turns the writing
/// direction: none of them may act on the terminal or document it is quoted in.
///
/// ```
/// use fgd_store::terminal::visible;
///
/// assert_eq!(visible("a\nb\u{1b}[31mred\u{202e}"), "a⏎b␛[31mred\\u{202e}");
/// assert_eq!(visible("naïve 你好 🐕"), "naïve 你好 🐕");
/// ```
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push('⏎'),
            '\r' => shown.push('␍'),
            '\t' => shown.push(' '),
            '\0'..='\u{1f}' => shown.extend(char::from_u32(0x2400 + c as u32)),
            '\u{7f}' => shown.push('␡'),
            '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}' => shown.extend(c.escape_unicode()),
            // Noncharacters are errors in HTML.
            '\u{fdd0}'..='\u{fdef}' => shown.push('\u{fffd}'),
            c if c as u32 & 0xfffe == 0xfffe => shown.push('\u{fffd}'),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn no_control_and_no_direction_is_left() {
        let all = (0..=0x10ffff).filter_map(char::from_u32).collect::<String>();
        let shown = visible(&all);
        assert!(!shown.contains(char::is_control));
        // Unicode's Bidi_Control, and the line and paragraph separators.
        let turning = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}'];
        assert!(!shown.contains(|c| turning.contains(&c)));
        assert!(!shown.contains(|c| ('\u{202a}'..='\u{202e}').contains(&c)));
        assert!(!shown.contains(|c| ('\u{2066}'..='\u{2069}').contains(&c)));
        assert_eq!(visible("\u{9b}31m\u{1b}]0;x\u{7}"), "\\u{9b}31m␛]0;x␇");
    }
}
