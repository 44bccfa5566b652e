//! The header of a `.npy` array: a Python dictionary of number type, order and shape.
//!
//! See `numpy.lib.format`. Only the three values are understood, whatever stands around them is passed over, and one pass over
//! the bytes does it: a file that someone handed in must not be able to keep the reader busy.

use std::io::{self, Read, Write};

/// Longest header that is read; numpy's own `max_header_size`.
const MOST_BYTES: usize = 10_000;

/// Most dimensions of an array, as in numpy.
const MOST_DIMENSIONS: usize = 64;

/// Headers end at a multiple of this, so that data is aligned.
const ALIGNMENT: usize = 64;

const MAGIC: &[u8] = b"\x93NUMPY";

/// What an array is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// The number type as Python writes it, such as `'<f4'`; a record type is a list.
    pub descr: String,
    /// Whether columns, not rows, stand one after the other.
    pub fortran_order: bool,
    pub shape: Vec<u64>,
}

impl Header {
    /// Reads the header, after which the numbers follow. The error is one clause.
    pub fn read(reader: &mut impl Read) -> io::Result<Self> {
        let mut start = [0; 10];
        reader.read_exact(&mut start)?;
        let [.., major, _, low, high] = start;
        if &start[..6] != MAGIC {
            return Err(invalid("it does not begin as one"));
        }
        let length = match major {
            1 => usize::from(u16::from_le_bytes([low, high])),
            2 | 3 => {
                let mut rest = [0; 2];
                reader.read_exact(&mut rest)?;
                u32::from_le_bytes([low, high, rest[0], rest[1]]) as usize
            }
            _ => return Err(invalid(&format!("version {major} is not known"))),
        };
        if length > MOST_BYTES {
            return Err(invalid(&format!("a header of {length} bytes")));
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text)?;
        let text = std::str::from_utf8(&text).map_err(|_| invalid("its header is not text"))?;
        Self::parse(text)
            .ok_or_else(|| invalid("its header is not the dictionary that numpy writes"))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (entry, after) = split_at_top_level(rest, ',')?;
            let (name, value) = split_at_top_level(entry, ':')?;
            let value = value.trim();
            match name.trim().trim_matches(['\'', '"']) {
                "descr" => descr = Some(value.to_owned()),
                "fortran_order" => fortran_order = Some(parse_bool(value)?),
                "shape" => shape = Some(parse_shape(value)?),
                _ => {}
            }
            rest = after.trim();
        }
        Some(Self { descr: descr?, fortran_order: fortran_order?, shape: shape? })
    }

    /// Writes the header as version 1.0.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let order = if self.fortran_order { "True" } else { "False" };
        let shape: String = self.shape.iter().map(|size| format!("{size}, ")).collect();
        let mut text =
            format!("{{'descr': {}, 'fortran_order': {order}, 'shape': ({shape}), }}", self.descr);
        let unpadded = MAGIC.len() + 4 + text.len() + 1;
        let padding = unpadded.next_multiple_of(ALIGNMENT) - unpadded;
        text.extend(std::iter::repeat_n(' ', padding));
        text.push('\n');
        let length = u16::try_from(text.len()).map_err(io::Error::other)?;
        out.write_all(MAGIC)?;
        out.write_all(&[1, 0])?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(text.as_bytes())
    }

    /// How many numbers the array has; `None` for more than can be counted.
    pub fn numbers(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |product, &size| product.checked_mul(size))
    }

    /// The plain number type, such as `f4`, and whether its bytes are in little-endian order; `None` for records, text and the
    /// like.
    pub fn number_type(&self) -> Option<(&str, bool)> {
        let descr = self.descr.trim_matches(['\'', '"']);
        match descr.split_at_checked(1)? {
            ("<", name) => Some((name, true)),
            (">", name) => Some((name, false)),
            _ => None,
        }
    }

    /// The number type for a message.
    pub fn shown_type(&self) -> String {
        self.descr
            .chars()
            .take(60)
            .flat_map(char::escape_default)
            .collect::<String>()
            .replace("\\'", "'")
    }
}

/// The text before and after the first `separator` that stands outside of quotes and brackets; where there is none, all of it
/// and nothing. `None` for quotes and brackets that are not closed.
fn split_at_top_level(text: &str, separator: char) -> Option<(&str, &str)> {
    let (mut depth, mut quote, mut escaped) = (0u32, None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.checked_sub(1)?,
            (None, _) if c == separator && depth == 0 => {
                return Some((&text[..at], &text[at + c.len_utf8()..]));
            }
            _ => {}
        }
    }
    (depth == 0 && quote.is_none()).then_some((text, ""))
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

/// A tuple or list of sizes.
fn parse_shape(text: &str) -> Option<Vec<u64>> {
    let tuple = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    let list = || text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let sizes = tuple.or_else(list)?.trim();
    let sizes = sizes.strip_suffix(',').unwrap_or(sizes).trim();
    if sizes.is_empty() {
        return Some(Vec::new());
    }
    let sizes: Vec<u64> =
        sizes.split(',').map(|size| size.trim().parse().ok()).collect::<Option<_>>()?;
    (sizes.len() <= MOST_DIMENSIONS).then_some(sizes)
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(descr: &str, shape: &[u64]) -> Header {
        Header { descr: descr.into(), fortran_order: false, shape: shape.into() }
    }

    #[test]
    fn what_is_written_is_read() {
        for shape in [&[][..], &[7], &[3, 4], &[2, 3, 5]] {
            let mut bytes = Vec::new();
            header("'<f4'", shape).write(&mut bytes).unwrap();
            assert_eq!(bytes.len() % ALIGNMENT, 0);
            bytes.extend(b"data");
            let mut rest = bytes.as_slice();
            assert_eq!(Header::read(&mut rest).unwrap(), header("'<f4'", shape));
            assert_eq!(rest, b"data");
        }
    }

    #[test]
    fn every_spelling_of_numpy_and_others_is_understood() {
        let want = header("'<f8'", &[3, 4]);
        for text in [
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4, ), }   \n",
            "{'shape':[3,4],'fortran_order':False,'descr':'<f8'}",
        ] {
            assert_eq!(Header::parse(text), Some(want.clone()), "{text}");
        }
        let double = Header::parse(
            "{\"descr\": \">i8\", \"fortran_order\": True, \"shape\": (), \"more\": {1: (2, 3)}}",
        );
        let double = double.unwrap();
        assert_eq!((double.number_type(), double.fortran_order), (Some(("i8", false)), true));
        let record =
            "{'descr': [('a, )', '<f4'), ('b', '|S3')], 'fortran_order': False, 'shape': (2,)}";
        let record = Header::parse(record).unwrap();
        assert_eq!(record.number_type(), None);
        assert_eq!(record.shown_type(), "[('a, )', '<f4'), ('b', '|S3')]");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "",
            "{",
            "{}",
            "'<f8'",
            "{'descr': '<f8', 'fortran_order': False}",
            "{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': 3}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4}",
            "{'descr': '<f8, 'fortran_order': False, 'shape': (3,)}",
        ] {
            assert_eq!(Header::parse(text), None, "{text}");
        }
        let many = format!("({})", "1, ".repeat(MOST_DIMENSIONS + 1));
        assert_eq!(parse_shape(&many), None);
        assert!(Header::read(&mut &b"PK\x03\x04 and so on"[..]).is_err());
        assert!(Header::read(&mut &b"\x93NUMPY\x02\x00\xff\xff\xff\xff"[..]).is_err());
        assert_eq!(header("'<f4'", &[u64::MAX, 2]).numbers(), None);
    }

    #[test]
    fn nested_brackets_are_read_in_one_pass() {
        let deep = "[".repeat(4_000) + &"]".repeat(4_000);
        let text = format!("{{'descr': {deep}, 'fortran_order': False, 'shape': (1, 2)}}");
        assert_eq!(Header::parse(&text).unwrap().shape, [1, 2]);
        let unclosed = format!("{{'descr': {}, 'shape': (1, 2)}}", "[".repeat(9_000));
        assert_eq!(Header::parse(&unclosed), None);
    }
}
