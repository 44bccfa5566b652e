//! What other writers put into JSON that is none, mended in one record where its meaning is clear.
//!
//! Python writes `NaN` and `Infinity`, JavaScript cuts characters outside of the first 65,536 in half, and ids of more than 64 bits
//! lose their digits in a parser of floats.

use std::borrow::Cow;

use serde_json::Value;

/// Digits that no integer of 64 bits is surely longer than.
const LONG_INTEGER: usize = 19;

/// A value, and what its text had that is no JSON.
#[derive(Debug, PartialEq)]
pub(super) struct Parsed {
    pub value: Value,
    /// Whether half of a character stood in it, which is replaced by U+FFFD.
    pub half_character: bool,
}

/// Parses one value. Long integers become text with all their digits, and numbers that are none become null.
pub(super) fn parse(text: &str) -> Result<Parsed, serde_json::Error> {
    let long = has_long_integer(text);
    if !long && let Ok(value) = serde_json::from_str(text) {
        return Ok(Parsed { value, half_character: false });
    }
    let (mended, half_character) = mended(text);
    Ok(Parsed { value: serde_json::from_str(&mended)?, half_character })
}

fn has_long_integer(text: &str) -> bool {
    let mut digits = 0;
    text.bytes().any(|byte| {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        digits > LONG_INTEGER
    })
}

fn mended(text: &str) -> (String, bool) {
    let mut out = String::with_capacity(text.len());
    let mut half_character = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => {
                let end = string_end(rest);
                let string = with_whole_characters(&rest[..end]);
                half_character |= matches!(string, Cow::Owned(_));
                out.push_str(&string);
                end
            }
            c if c.is_ascii_alphanumeric() || c == '-' => {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-._".contains(c)));
                let end = end.unwrap_or(rest.len());
                out.push_str(&literal(&rest[..end]));
                end
            }
            c => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[end..];
    }
    (out, half_character)
}

fn string_end(text: &str) -> usize {
    let mut escaped = true; // the opening quote does not close
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn literal(text: &str) -> Cow<'_, str> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    match text {
        "NaN" | "-NaN" | "nan" | "Infinity" | "-Infinity" | "inf" | "-inf" => "null".into(),
        _ if digits.len() > LONG_INTEGER && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("\"{text}\"").into()
        }
        _ => text.into(),
    }
}

/// The string with halves of characters (lone surrogates) replaced.
fn with_whole_characters(string: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = string[at..].find('\\') {
        let start = at + found;
        let unit = code_unit(&string[start..]);
        at = match unit {
            Some(0xd800..0xdc00)
                if matches!(code_unit(&string[start + 6..]), Some(0xdc00..0xe000)) =>
            {
                start + 12
            }
            Some(0xd800..0xe000) => {
                out.push_str(&string[copied..start]);
                out.push_str("\\ufffd");
                copied = start + 6;
                copied
            }
            Some(_) => start + 6,
            None => {
                let next = string[start + 1..].chars().next().map_or(0, char::len_utf8);
                start + 1 + next
            }
        };
    }
    if copied == 0 {
        return string.into();
    }
    out.push_str(&string[copied..]);
    out.into()
}

/// The number of an escape `\uXXXX` that the text begins with.
fn code_unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sound_values_are_parsed_as_they_are() {
        for text in ["{\"a\": [1, -2.5e3, true, \"\\ud83d\\ude00 \\\\ud83d\"]}", "\"x\"", "12"] {
            let parsed = parse(text).unwrap();
            assert_eq!(parsed.value, serde_json::from_str::<Value>(text).unwrap());
            assert!(!parsed.half_character);
        }
        assert!(parse("{\"a\": tru}").is_err());
    }

    #[test]
    fn long_integers_keep_their_digits() {
        let text = "{\"id\": 10000000000000000000301, \"n\": [-98765432109876543210, 12345678901234567890.5]}";
        let parsed = parse(text).unwrap().value;
        assert_eq!(parsed["id"], json!("10000000000000000000301"));
        assert_eq!(parsed["n"][0], json!("-98765432109876543210"));
        assert!(parsed["n"][1].is_number());
    }

    #[test]
    fn numbers_that_are_none_are_null_and_halves_are_replaced() {
        let parsed =
            parse("[NaN, -Infinity, {\"a\": \"NaN \\ud83d!\", \"b\": \"\\udc00\\ud83d\\ude00\"}]");
        let parsed = parsed.unwrap();
        assert_eq!(
            parsed.value,
            json!([null, null, {"a": "NaN \u{fffd}!", "b": "\u{fffd}\u{1f600}"}])
        );
        assert!(parsed.half_character);
    }
}
