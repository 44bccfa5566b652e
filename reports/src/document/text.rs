//! Texts of unknown origin made fit to be shown, and things said once for several.

/// A text with its control characters made visible.
///
/// A caption may hold a newline, an escape sequence of the terminal or a character that turns the
/// writing direction: none of them may act on the document it is quoted in.
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
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' => shown.extend(c.escape_unicode()),
            // Noncharacters are errors in HTML.
            '\u{fdd0}'..='\u{fdef}' => shown.push('\u{fffd}'),
            c if c as u32 & 0xfffe == 0xfffe => shown.push('\u{fffd}'),
            c => shown.push(c),
        }
    }
    shown
}

/// Things by what they have in common, in the order in which that was first met.
pub(crate) fn grouped<K: PartialEq, V>(
    pairs: impl IntoIterator<Item = (K, V)>,
) -> Vec<(K, Vec<V>)> {
    let mut groups: Vec<(K, Vec<V>)> = Vec::new();
    for (key, value) in pairs {
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => groups.push((key, vec![value])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(visible("a\nb\u{1b}[31mred\u{202e}"), "a⏎b␛[31mred\\u{202e}");
        assert_eq!(visible("naïve 你好 🐕"), "naïve 你好 🐕");
    }
}
