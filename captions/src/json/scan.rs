//! Where the values of a JSON text begin and end, without parsing them.
//!
//! A parser gives up at the first mistake. The scanner only counts brackets and passes over strings, so that each record is parsed
//! by itself: a mistake in one costs that one, and only one record at a time is a tree in memory. Every byte is looked at once
//! for each level that is walked, and two or three are.

/// A place where the text is no JSON any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Offset in the whole text.
    pub at: usize,
    /// What is wrong there, as a clause.
    pub what: &'static str,
}

/// One value of a list or an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    /// The key with its quotes, in an object.
    pub key: Option<&'a str>,
    /// The value.
    pub value: &'a str,
    /// Where the value begins in the whole text.
    pub at: usize,
}

impl Item<'_> {
    /// The key without its quotes and escapes; empty where there is none.
    pub fn name(&self) -> String {
        let key = self.key.unwrap_or_default();
        serde_json::from_str(key).unwrap_or_else(|_| key.trim_matches('"').to_owned())
    }

    /// Whether the value begins with this bracket, or whatever else.
    pub fn opens_with(&self, byte: u8) -> bool {
        self.value.as_bytes().first() == Some(&byte)
    }
}

/// The values of a list or an object, or of a sequence that stands in no brackets at all.
///
/// In an object, or in no brackets, a list or object that is cut short is still given, before the break: what stands before the
/// cut can be read.
pub(super) struct Items<'a> {
    text: &'a str,
    /// Where the text begins in the whole text.
    base: usize,
    at: usize,
    end: Option<u8>,
    broken: Option<Broken>,
    finished: bool,
}

impl<'a> Items<'a> {
    /// The values one after the other, with commas or not, as in JSON Lines.
    pub fn of_sequence(text: &'a str) -> Self {
        Self { text, base: 0, at: 0, end: None, broken: None, finished: false }
    }

    /// The values inside a list or object; none in any other value.
    pub fn inside(value: &'a str, base: usize) -> Self {
        let end = match value.as_bytes().first() {
            Some(b'[') => Some(b']'),
            Some(b'{') => Some(b'}'),
            _ => None,
        };
        Self { text: value, base, at: 1, end, broken: None, finished: end.is_none() }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, accept: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.at += 1;
        }
    }

    fn broken(&self, at: usize, what: &'static str) -> Broken {
        Broken { at: self.base + at, what }
    }

    fn key(&mut self) -> Result<&'a str, Broken> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.broken(start, "a key in double quotes should stand here"));
        }
        self.at =
            string_end(self.text.as_bytes(), start).map_err(|(at, what)| self.broken(at, what))?;
        let key = &self.text[start..self.at];
        self.skip(is_space);
        if self.peek() != Some(b':') {
            return Err(self.broken(self.at, "a colon should follow the key"));
        }
        self.at += 1;
        self.skip(is_space);
        Ok(key)
    }

    fn item(&mut self) -> Result<Option<Item<'a>>, Broken> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        self.skip(|byte| is_space(byte) || byte == b',');
        match (self.peek(), self.end) {
            (None, None) => return Ok(None),
            (None, Some(_)) => return Err(self.broken(0, "what opens here is never closed")),
            (Some(byte), Some(end)) if byte == end => return Ok(None),
            _ => {}
        }
        let key = if self.end == Some(b'}') { Some(self.key()?) } else { None };
        let at = self.at;
        self.at = match value_end(self.text.as_bytes(), at) {
            Ok(end) => end,
            Err((place, what)) => {
                let broken = self.broken(place, what);
                if self.end == Some(b']') || !matches!(self.peek(), Some(b'[' | b'{')) {
                    return Err(broken);
                }
                self.broken = Some(broken);
                self.text.len()
            }
        };
        Ok(Some(Item { key, value: &self.text[at..self.at], at: self.base + at }))
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, Broken>;

    /// The next value; after a broken place there is none.
    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let item = self.item().transpose();
        self.finished = !matches!(item, Some(Ok(_)));
        item
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The end of the string that opens at `start`.
fn string_end(bytes: &[u8], start: usize) -> Result<usize, (usize, &'static str)> {
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return Ok(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    Err((start, "the text that opens here is never closed"))
}

fn value_end(bytes: &[u8], start: usize) -> Result<usize, (usize, &'static str)> {
    let (mut at, mut depth) = (start, 0usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at)?,
            b'[' | b'{' => {
                depth += 1;
                at += 1;
                continue;
            }
            b']' | b'}' if depth == 0 => break,
            b']' | b'}' => {
                depth -= 1;
                at += 1;
            }
            b',' | b':' if depth > 0 => {
                at += 1;
                continue;
            }
            byte if is_space(byte) => {
                at += 1;
                continue;
            }
            b',' | b':' => break,
            _ => {
                while bytes.get(at).is_some_and(|&b| !is_space(b) && !b"[]{},:\"".contains(&b)) {
                    at += 1;
                }
            }
        }
        if depth == 0 {
            break;
        }
    }
    match (depth, at == start) {
        (0, false) => Ok(at),
        (0, true) => Err((at, "a value should stand here")),
        _ => Err((start, "what opens here is never closed")),
    }
}

/// The 1-based line and column of an offset.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(items: Items<'_>) -> Vec<&str> {
        items.map(|item| item.map_or_else(|broken| broken.what, |item| item.value)).collect()
    }

    #[test]
    fn values_are_found_without_being_parsed() {
        let list = r#"[ {"a": "]}\"", "b": [1, {}]}, NaN,"x" ,-1e5, [], null]"#;
        assert_eq!(
            values(Items::inside(list, 0)),
            [r#"{"a": "]}\"", "b": [1, {}]}"#, "NaN", r#""x""#, "-1e5", "[]", "null"]
        );
        let object: Vec<_> =
            Items::inside(r#"{"a":1, "b c" : {"d": 2}}"#, 0).map(Result::unwrap).collect();
        assert_eq!((object[0].key, object[0].value), (Some("\"a\""), "1"));
        assert_eq!((object[1].key, object[1].value), (Some("\"b c\""), "{\"d\": 2}"));
        assert_eq!(values(Items::of_sequence("{\n\"a\": 1}\n{}\n 3")), ["{\n\"a\": 1}", "{}", "3"]);
        assert_eq!(values(Items::inside("\"text\"", 0)), [""; 0]);
    }

    #[test]
    fn broken_places_are_named_once() {
        for (text, at) in
            [("[1, {\"a\": 2", 4), ("[1, \"open", 4), ("[1", 0), ("{1: 2}", 1), ("[}]", 1)]
        {
            let found: Vec<_> = Items::inside(text, 0).collect();
            assert_eq!(found.last().unwrap().unwrap_err().at, at, "{text}");
        }
        let cut: Vec<_> = Items::of_sequence("[1, [2, 3").collect();
        assert_eq!(cut.len(), 2);
        assert_eq!((cut[0].unwrap().value, cut[1].unwrap_err().at), ("[1, [2, 3", 0));
        assert_eq!(place("a\nbc", 3), (2, 2));
    }
}
