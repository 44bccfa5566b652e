//! The last step of every JSON document: ASCII escapes for what a terminal would obey or a reader would be misled by.

/// A JSON text with its control and bidirectional characters written as escapes; it means the same.
///
/// JSON itself only asks for escapes of the characters below U+0020. What else is invisible and acts on a terminal (DEL, the C1
/// controls) or turns the direction of writing can only stand in strings, so escapes may take its place anywhere.
///
/// ```
/// use fgd_record::json::inert;
///
/// assert_eq!(inert("{\"id\": \"\u{9b}31m\u{202e}7\"}".into()), r#"{"id": "\u009b31m\u202e7"}"#);
/// ```
pub fn inert(json: String) -> String {
    let acts = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !json.contains(acts) {
        return json;
    }
    let mut text = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        match acts(c) {
            true => text.push_str(&format!("\\u{:04x}", c as u32)),
            false => text.push(c),
        }
    }
    text
}
