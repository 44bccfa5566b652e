//! Character classes of the tokeniser.

/// White space between words, the no-break space included.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// Letters, digits and the marks that combine with them.
pub(super) fn is_word_char(c: char) -> bool {
    match c {
        '\0'..='\x7f' => c.is_ascii_alphanumeric(),
        // Vowel signs and viramas of the Brahmic scripts; dandas are punctuation.
        '\u{0300}'..='\u{036f}' | '\u{0900}'..='\u{0963}' | '\u{0966}'..='\u{0eff}' => true,
        // Superscripts, fractions and enclosed numbers are symbols of their own, as are Roman numerals.
        '\u{00b2}'
        | '\u{00b3}'
        | '\u{00b9}'
        | '\u{00bc}'..='\u{00be}'
        | '\u{2000}'..='\u{2bff}' => false,
        _ => c.is_alphanumeric(),
    }
}

/// The apostrophe and the single quotation marks that stand in for it.
pub(super) fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | '‛' | '\u{0091}' | '\u{0092}')
}

/// Hyphens that join parts of a word.
pub(super) fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}' | '\u{2011}')
}

/// Characters that pycocoevalcap drops when they stand alone, quotation marks and dashes in all their forms.
pub(super) fn is_punctuation(c: char) -> bool {
    matches!(
        c,
        '.' | ','
            | ':'
            | ';'
            | '!'
            | '?'
            | '-'
            | '"'
            | '`'
            | '…'
            | '“'
            | '”'
            | '«'
            | '»'
            | '‹'
            | '›'
            | '‚'
            | '‐'..='―' | '\u{0085}' | '\u{0093}' | '\u{0094}' | '\u{0096}' | '\u{0097}'
    )
}

/// False for characters that the tokeniser passes over as if they were not there: the soft hyphen, zero-width and
/// formatting characters, and everything beyond U+FFFF, emoji above all.
pub(super) fn is_visible(c: char) -> bool {
    !matches!(
        c,
        '\u{00ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{fff0}'..
    ) && (!c.is_control() || c.is_whitespace() || matches!(c, '\u{0085}' | '\u{0091}'..='\u{0097}'))
}
