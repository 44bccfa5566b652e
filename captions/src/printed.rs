//! Lists that a program printed into a cell: `['a dog', "a cat's toy"]`, `["a", "b"]`, numpy's `['a' 'b']`, tuples, sets.
//!
//! They are what pandas makes of a column of lists in CSV. Read as they stand, brackets and quotes would be scored as words, and
//! several references as one.

use super::Caption;

/// What was found in the captions of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Printed {
    /// Captions, as far as can be told.
    No,
    /// Every cell is a printed list; these are their elements.
    Lists(Vec<Vec<String>>),
    /// Some cells, by their index, look like printed lists, and cannot be read as such or stand among others that are none.
    Unclear(Vec<usize>),
}

/// Looks at all captions together: one in brackets may be meant, a whole column of lists is a program's doing.
pub(super) fn lists(captions: &[Caption]) -> Printed {
    let texts = || captions.iter().map(|caption| caption.text.trim());
    let filled = texts().filter(|text| !text.is_empty()).count();
    let bracketed = texts().filter(|text| is_bracketed(text)).count();
    if filled == 0 || bracketed == 0 {
        return Printed::No;
    }
    let all = bracketed == filled;
    if all {
        let lists: Option<Vec<Vec<String>>> = texts()
            .map(|text| if text.is_empty() { Some(Vec::new()) } else { parse(text) })
            .collect();
        if let Some(lists) = lists {
            return Printed::Lists(lists);
        }
    }
    let unclear = texts().enumerate().filter(|(_, text)| {
        is_bracketed(text) && (has_quotes(text) || (all && filled > 1 && parse(text).is_none()))
    });
    match unclear.map(|(index, _)| index).collect::<Vec<_>>() {
        none if none.is_empty() => Printed::No,
        unclear => Printed::Unclear(unclear),
    }
}

fn is_bracketed(text: &str) -> bool {
    // `[CLS] a dog [SEP]` is a text with marks.
    let marked = text.strip_prefix('[').and_then(|text| text.split(']').next());
    let is_mark =
        marked.is_some_and(|mark| mark.len() > 1 && mark.bytes().all(|b| b.is_ascii_uppercase()));
    (text.starts_with('[') && text.ends_with(']') && !is_mark)
        || ((text.starts_with('(') && text.ends_with(')')) && has_quotes(text))
        || (text.starts_with("array([") && text.ends_with(')'))
        || ((text.starts_with("{'") || text.starts_with("{\"")) && text.ends_with('}'))
}

/// Whether a quote follows the brackets.
fn has_quotes(text: &str) -> bool {
    let inner = text.strip_prefix("array").unwrap_or(text).trim_start_matches(['[', '(', '{']);
    inner.trim_start().starts_with(['\'', '"']) && inner.len() < text.len()
}

/// The captions of a list of JSON records, as Oscar and GIT write them: `[{"caption": "a bus", "conf": 0.9}]`.
fn records(text: &str) -> Option<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Record {
        caption: String,
    }
    let records: Vec<Record> = serde_json::from_str(text).ok()?;
    Some(records.into_iter().map(|record| record.caption).collect())
}

/// The elements of a list as Python, JSON or numpy print it; `None` where a quote is out of place or something is no text.
fn parse(text: &str) -> Option<Vec<String>> {
    if text.starts_with("[{") {
        return records(text);
    }
    let text = match text.strip_prefix("array(") {
        Some(array) => {
            let array = array.strip_suffix(')')?;
            array.rfind(", dtype=").map_or(array, |dtype| &array[..dtype]).trim()
        }
        None => text,
    };
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .or_else(|| text.strip_prefix('(').and_then(|text| text.strip_suffix(')')))
        .or_else(|| text.strip_prefix('{').and_then(|text| text.strip_suffix('}')))?;
    let mut list = Vec::new();
    let mut rest = inner.trim_start();
    while !rest.is_empty() {
        let after = match string(rest) {
            Some((element, after)) => {
                list.push(element);
                after
            }
            None => ["None", "null", "nan"].iter().find_map(|null| rest.strip_prefix(null))?,
        };
        let next = after.trim_start();
        let separated = next.strip_prefix(',').map(str::trim_start);
        if separated.is_none() && !next.is_empty() && next.len() == after.len() {
            return None;
        }
        rest = separated.unwrap_or(next);
    }
    Some(list)
}

/// A quoted text at the beginning, and what follows it.
fn string(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('u').filter(|rest| rest.starts_with(['\'', '"'])).unwrap_or(text);
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => return Some((out, &text[at + 1..])),
            '\\' => {
                let (at, escaped) = chars.next()?;
                let digits = match escaped {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    'n' | 'r' | 't' => {
                        out.push(' ');
                        continue;
                    }
                    other => {
                        out.push(other);
                        continue;
                    }
                };
                let code = u32::from_str_radix(text.get(at + 1..at + 1 + digits)?, 16).ok()?;
                let (character, length) = match code {
                    // JSON writes what lies beyond 16 bits as two halves.
                    0xd800..0xdc00 => (whole(code, text.get(at + 1 + digits..)?)?, digits + 6),
                    _ => (char::from_u32(code)?, digits),
                };
                out.push(character);
                chars.nth(length - 1)?;
            }
            c => out.push(c),
        }
    }
    None
}

fn whole(high: u32, rest: &str) -> Option<char> {
    let low = u32::from_str_radix(rest.strip_prefix("\\u")?.get(..4)?, 16).ok()?;
    let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    char::from_u32(0x10000 + ((high - 0xd800) << 10) + low)
}

/// The quotes that every caption stands in, if it is always the same pair and there are several captions.
pub(super) fn quotes(captions: &[Caption]) -> Option<(char, char)> {
    let mut filled = captions.iter().map(|caption| caption.text.trim()).filter(|t| !t.is_empty());
    let first = filled.next()?;
    let pair = QUOTES.into_iter().find(|pair| is_wrapped(first, *pair))?;
    let mut others = 0;
    let all = filled.all(|text| {
        others += 1;
        is_wrapped(text, pair)
    });
    (all && others > 0).then_some(pair)
}

/// Quotes that captions are put in.
pub(super) const QUOTES: [(char, char); 6] =
    [('"', '"'), ('\'', '\''), ('“', '”'), ('‘', '’'), ('«', '»'), ('`', '`')];

/// Whether a text stands in this pair of quotes, as a whole.
pub(super) fn is_wrapped(text: &str, (open, close): (char, char)) -> bool {
    text.chars().count() > 2 && text.starts_with(open) && text.ends_with(close)
}

/// The text without the quotes around it, however many there are.
pub(super) fn without_quotes(text: &str, (open, close): (char, char)) -> String {
    let mut inner = text.trim();
    while is_wrapped(inner, (open, close)) {
        inner = &inner[open.len_utf8()..inner.len() - close.len_utf8()];
    }
    inner.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captions(texts: &[&str]) -> Vec<Caption> {
        let caption =
            |text: &&str| Caption { row: 1, line: None, id: "1".into(), text: (*text).to_owned() };
        texts.iter().map(caption).collect()
    }

    #[test]
    fn lists_are_read_as_python_json_and_numpy_print_them() {
        for (text, list) in [
            ("['a dog', \"a cat's toy\"]", Some(vec!["a dog", "a cat's toy"])),
            ("[\"a \\\"b\\\"\", \"caf\\u00e9 \\ud83d\\ude00\"]", Some(vec!["a \"b\"", "café 😀"])),
            ("['it\\'s', 'x\\xe9',]", Some(vec!["it's", "xé"])),
            ("['a dog'\n 'two dogs']", Some(vec!["a dog", "two dogs"])),
            ("array(['a', 'b'], dtype=object)", Some(vec!["a", "b"])),
            ("('a', 'b')", Some(vec!["a", "b"])),
            ("['one', None]", Some(vec!["one"])),
            ("[]", Some(vec![])),
            ("['a' ... 'b']", None),
            ("['it's']", None),
            ("['a''b']", None),
            ("[1, 2]", None),
            ("[a dog, a cat]", None),
            ("['open]", None),
        ] {
            let list = list.map(|list| list.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(parse(text), list, "{text}");
        }
    }

    #[test]
    fn all_cells_are_lists_or_it_is_said() {
        let two = captions(&["['a', 'b']", "['c']"]);
        let lists = vec![vec!["a".to_owned(), "b".into()], vec!["c".into()]];
        assert_eq!(lists_of(&two), Printed::Lists(lists));
        assert_eq!(lists_of(&captions(&["['a']", "a dog", "[music]"])), Printed::Unclear(vec![0]));
        assert_eq!(lists_of(&captions(&["['a']", "['b' ...]"])), Printed::Unclear(vec![0, 1]));
        assert_eq!(lists_of(&captions(&["[a, b]", "[c]"])), Printed::Unclear(vec![0, 1]));
        assert_eq!(lists_of(&captions(&["{'caption': 'a'}"])), Printed::Unclear(vec![0]));
        assert_eq!(lists_of(&captions(&["[music]", "a dog (left)", ""])), Printed::No);
    }

    fn lists_of(captions: &[Caption]) -> Printed {
        lists(captions)
    }

    #[test]
    fn quotes_around_every_caption_are_found() {
        assert_eq!(quotes(&captions(&["\"a\"", " \"b c\" ", ""])), Some(('"', '"')));
        assert_eq!(quotes(&captions(&["'a b'", "'c'"])), Some(('\'', '\'')));
        assert_eq!(quotes(&captions(&["'a b'", "c"])), None);
        assert_eq!(quotes(&captions(&["\"a\""])), None);
        assert_eq!(without_quotes("\"\"a \"b\" c\"\"", ('"', '"')), "a \"b\" c");
    }
}
