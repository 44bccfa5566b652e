//! Finds the records whose quotes are broken, so that one forgotten quote costs one line and not the rest of the file.
//!
//! A lenient CSV parser reads everything: a quote that is opened and never closed swallows what follows, silently. This pass over
//! the bytes cuts the file into segments that can each be read with confidence: runs of sound records, records with text after a
//! closing quote (on one line, so still readable), and lines that open a quote which is not closed before the rules of RFC 4180
//! are broken; those are read without quoting, and reading goes on with the next line.

use std::borrow::Cow;
use std::ops::Range;

use super::source::{first_line, line_ends};

/// How the records of a segment are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quoting {
    /// Any number of records whose quotes are sound.
    Sound,
    /// One record, on one line, with text after a closing quote.
    TextAfterQuote,
    /// One line that opens a quote which is never closed.
    NeverClosed,
}

/// A piece of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Its bytes.
    pub range: Range<usize>,
    /// The 1-based line that it starts on.
    pub line: u64,
    /// How to read it.
    pub quoting: Quoting,
}

/// The content without the spaces between a delimiter and a quote (`301, "a kite, over sand"`), which would make the quotes part of
/// the text; and where in what is left they were.
pub(super) fn without_spaces_before(bytes: &[u8], delimiter: u8) -> (Cow<'_, [u8]>, Vec<usize>) {
    let pattern = [delimiter, b' ', b'"'];
    if !matches!(delimiter, b',' | b';') || !bytes.windows(3).any(|window| window == pattern) {
        return (bytes.into(), Vec::new());
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut dropped = Vec::new();
    let (mut quoted, mut field_start, mut at) = (false, true, 0);
    while let Some(&byte) = bytes.get(at) {
        let may_begin = !quoted && field_start && byte == b' ';
        let spaces = match may_begin {
            true => bytes[at..].iter().take_while(|&&byte| byte == b' ').count(),
            false => 0,
        };
        if spaces > 0 && bytes.get(at + spaces) == Some(&b'"') {
            dropped.extend(std::iter::repeat_n(out.len(), spaces));
            at += spaces;
            continue;
        }
        // A doubled quote closes and opens again.
        quoted = if byte == b'"' && (quoted || field_start) { !quoted } else { quoted };
        field_start = !quoted && (byte == delimiter || matches!(byte, b'\n' | b'\r' | b'"'));
        out.push(byte);
        at += 1;
    }
    (out.into(), dropped)
}

/// Cuts a file into segments that cover it. Every byte is looked at a bounded number of times: a record that runs over several
/// lines ends at the first quote out of place, and two different lines cannot both open quotes that span a third.
pub(super) fn segments(bytes: &[u8], delimiter: u8) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let (mut start, mut line) = (0, 1);
    while start < bytes.len() {
        let (end, quoting) = match scan(&bytes[start..], delimiter) {
            Scan::Record { len, quoting } => (start + len, quoting),
            Scan::NeverClosed => (start + first_line(&bytes[start..]).len(), Quoting::NeverClosed),
        };
        match segments.last_mut() {
            Some(last) if quoting == Quoting::Sound && last.quoting == quoting => {
                last.range.end = end
            }
            _ => segments.push(Segment { range: start..end, line, quoting }),
        }
        line += line_ends(bytes, start..end);
        start = end;
    }
    segments
}

/// Bytes of a record in which a quote that is not closed is taken for one that never is.
const LONGEST: usize = 1 << 20;

/// Where the last record ends that surely ends within `bytes`, which begin with a record and may break off in one.
pub(super) fn last_end(bytes: &[u8], delimiter: u8) -> usize {
    let mut start = 0;
    while start < bytes.len() {
        let rest = &bytes[start..];
        let len = match scan(rest, delimiter) {
            Scan::Record { len, .. } => len,
            Scan::NeverClosed if rest.len() > LONGEST => first_line(rest).len(),
            Scan::NeverClosed => return start,
        };
        if start + len == bytes.len() && !bytes.ends_with(b"\n") {
            return start;
        }
        start += len;
    }
    start
}

enum Scan {
    /// A record of `len` bytes, line end included.
    Record {
        len: usize,
        quoting: Quoting,
    },
    NeverClosed,
}

fn scan(bytes: &[u8], delimiter: u8) -> Scan {
    enum At {
        FieldStart,
        Plain,
        Quoted,
        /// After a quote inside quotes: the end of them, or the first half of a doubled one.
        Closing,
        /// In the blanks behind a closing quote.
        Closed,
    }
    let mut at = At::FieldStart;
    let mut quoting = Quoting::Sound;
    // A quote inside plain text is common (`a 5" pipe`) and means itself, but in a record of several lines it is a broken one.
    let (mut stray, mut several_lines) = (false, false);
    for (index, &byte) in bytes.iter().enumerate() {
        let line_end = byte == b'\n' || byte == b'\r';
        at = match at {
            At::Quoted => match byte {
                b'"' => At::Closing,
                _ if line_end && stray => return Scan::NeverClosed,
                _ => {
                    several_lines |= line_end;
                    At::Quoted
                }
            },
            At::Closing if byte == b'"' => At::Quoted,
            _ if byte == delimiter => At::FieldStart,
            _ if line_end => {
                return Scan::Record { len: index + 1, quoting };
            }
            At::FieldStart if byte == b'"' => At::Quoted,
            At::Closing | At::Closed if matches!(byte, b' ' | b'\t') => At::Closed,
            At::Closing | At::Closed => {
                quoting = Quoting::TextAfterQuote;
                stray = true;
                At::Plain
            }
            At::FieldStart | At::Plain => {
                stray |= byte == b'"';
                At::Plain
            }
        };
        if stray && several_lines {
            return Scan::NeverClosed;
        }
    }
    match at {
        At::Quoted => Scan::NeverClosed,
        _ => Scan::Record { len: bytes.len(), quoting },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_end_where_their_quotes_are_closed() {
        for (bytes, end) in [
            ("1,a\n2,b\n", 8),
            ("1,a\n2,b", 4),
            ("1,a\n2,\"b\nc\n", 4),
            ("1,\"a\nb\"\n2", 8),
            ("1,a 5\" pipe\n2,b", 12),
            ("1,a", 0),
        ] {
            assert_eq!(last_end(bytes.as_bytes(), b','), end, "{bytes}");
        }
        let open = format!("1,\"a\n{}", "2,b\n".repeat(LONGEST));
        assert!(last_end(open.as_bytes(), b',') > LONGEST);
    }

    fn cut(text: &str) -> Vec<(&str, u64, Quoting)> {
        segments(text.as_bytes(), b',')
            .into_iter()
            .map(|segment| (&text[segment.range], segment.line, segment.quoting))
            .collect()
    }

    #[test]
    fn a_sound_file_is_one_segment() {
        for text in ["a,b\n1,\"x, \"\"y\"\"\nz\"\r\n2,a 5\" pipe\n3,\"\"", "\n\n", "a\rb\r"] {
            assert_eq!(cut(text), [(text, 1, Quoting::Sound)]);
        }
        assert_eq!(cut(""), []);
    }

    #[test]
    fn a_forgotten_quote_costs_its_line() {
        assert_eq!(
            cut("a,b\n1,\"open\n2,x\n3,y\n"),
            [
                ("a,b\n", 1, Quoting::Sound),
                ("1,\"open\n", 2, Quoting::NeverClosed),
                ("2,x\n3,y\n", 3, Quoting::Sound),
            ]
        );
        // The next quoted field closes it, and the text after that quote gives it away.
        assert_eq!(
            cut("1,\"open\n2,\"x\"\n3,y"),
            [("1,\"open\n", 1, Quoting::NeverClosed), ("2,\"x\"\n3,y", 2, Quoting::Sound)]
        );
    }

    #[test]
    fn text_after_a_quote_is_its_own_segment() {
        assert_eq!(
            cut("1,\"a \"b\" c\"\n2,x\n"),
            [("1,\"a \"b\" c\"\n", 1, Quoting::TextAfterQuote), ("2,x\n", 2, Quoting::Sound)]
        );
    }

    #[test]
    fn hostile_files_take_linear_time() {
        for line in ["a\",\"b\n", "a\"b,\"c\n", "\"a\"\"\n", "\",\"\n", "\"\"\"x\n"] {
            let text = line.repeat(200_000);
            let covered: usize =
                segments(text.as_bytes(), b',').iter().map(|s| s.range.len()).sum();
            assert_eq!(covered, text.len());
        }
    }
}
