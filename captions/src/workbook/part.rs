//! One part of a workbook: XML out of the archive, never more of it than allowed.

use std::io::{BufRead, BufReader, Read};

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::damaged;
use crate::error::ReadProblem;

/// The XML of a part.
pub(super) struct Part<'a> {
    xml: Reader<Box<dyn BufRead + 'a>>,
    buffer: Vec<u8>,
    limit: u64,
}

/// Counts what is read through it, and fails where nothing is left.
struct Counted<'a, R> {
    inner: R,
    left: &'a mut u64,
}

/// That a file unpacks to too much, in the error of a reader.
const UNPACKS: std::io::ErrorKind = std::io::ErrorKind::FileTooLarge;

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => *self.left = left,
            None => return Err(UNPACKS.into()),
        }
        Ok(read)
    }
}

impl<'a> Part<'a> {
    /// Reads XML, taking what is read from `left`, which began as `limit`.
    pub fn new(inner: impl Read + 'a, left: &'a mut u64, limit: u64) -> Self {
        let counted = BufReader::new(Counted { inner, left });
        let mut xml = Reader::from_reader(Box::new(counted) as Box<dyn BufRead + 'a>);
        // `<si/>` is `<si></si>`.
        xml.config_mut().expand_empty_elements = true;
        Self { xml, buffer: Vec::new(), limit }
    }

    /// The next event.
    pub fn next(&mut self) -> Result<Event<'_>, ReadProblem> {
        self.buffer.clear();
        let limit = self.limit;
        self.xml.read_event_into(&mut self.buffer).map_err(|error| match error {
            quick_xml::Error::Io(error) if error.kind() == UNPACKS => {
                ReadProblem::Unpacks { limit }
            }
            quick_xml::Error::Io(error) => damaged(error.to_string()),
            _ => damaged("its XML is broken"),
        })
    }

    /// The next element of this name, or of any for the empty one; `None` at the end.
    pub fn next_start(&mut self, name: &str) -> Result<Option<BytesStart<'static>>, ReadProblem> {
        loop {
            match self.next()? {
                Event::Eof => return Ok(None),
                Event::Start(element)
                    if name.is_empty() || element.local_name().as_ref() == name =>
                {
                    return Ok(Some(element.into_owned()));
                }
                _ => {}
            }
        }
    }

    /// Adds to `text` what stands between here and the end of the element of this name: its own text, or only that of its elements `t`
    /// where it has such. Phonetic guides (`rPh`) are no part of a text.
    pub fn text_until(&mut self, name: &str, text: &mut String) -> Result<(), ReadProblem> {
        let of_runs = name != "v" && name != "t";
        let (mut in_text, mut in_guide) = (!of_runs, false);
        loop {
            match self.next()? {
                Event::Eof => return Err(damaged("a text in it does not end")),
                Event::Start(element) => match element.local_name().as_ref() {
                    "rPh" => in_guide = true,
                    "t" if of_runs => in_text = !in_guide,
                    _ => {}
                },
                Event::End(element) => match element.local_name().as_ref() {
                    end if end == name => return Ok(()),
                    "rPh" => in_guide = false,
                    "t" if of_runs => in_text = false,
                    _ => {}
                },
                Event::Text(part) if in_text => text.push_str(&part.xml10_content()),
                Event::CData(part) if in_text => text.push_str(&part.xml10_content()),
                Event::GeneralRef(reference) if in_text => text.push(character(&reference)),
                _ => {}
            }
        }
    }
}

/// What a reference such as `&amp;` or `&#10;` stands for.
fn character(reference: &quick_xml::events::BytesRef<'_>) -> char {
    match reference.resolve_char_ref() {
        Ok(Some(character)) => character,
        _ => match reference.xml10_content().as_ref() {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => char::REPLACEMENT_CHARACTER,
        },
    }
}

/// An attribute by its name without a prefix.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = element.attributes();
    let mut attributes = attributes.with_checks(false).flatten();
    let found = attributes.find(|attribute| attribute.key.local_name().as_ref() == name)?;
    Some(found.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned())
}
