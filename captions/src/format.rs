//! Which format a file has: by its name, and by its content where the name says nothing.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::foreign;
use super::source::first_line;

pub(super) const PARQUET_MAGIC: &[u8] = b"PAR1";

/// The formats that hold captions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Comma-separated values (RFC 4180); semicolons and bars are understood where the header has no comma.
    Csv,
    /// Tab-separated values, quoted as CSV is.
    Tsv,
    /// A list of records, or an object from image id to a caption or a list of captions.
    Json,
    /// One JSON record per line.
    Jsonl,
    /// COCO annotations: an object with a list of records under `annotations`.
    Coco,
    /// Apache Parquet.
    Parquet,
    /// An Excel workbook: its first sheet.
    Xlsx,
    /// One caption per line and nothing else, where ids are not needed.
    Lines,
}

/// The format of `content` (decompressed, after any byte order mark) that was read from `path`.
///
/// The extension decides (`.gz` aside), except that content which cannot be what the extension says is believed:
/// Parquet and workbooks by how they begin, JSON Lines by a second object, a list of records where lines of JSON were promised, and
/// tables and JSON under each other's names.
pub(super) fn detect(path: &Path, content: &[u8]) -> Format {
    if content.starts_with(PARQUET_MAGIC) {
        return Format::Parquet;
    }
    if foreign::is_workbook(content) {
        return Format::Xlsx;
    }
    match by_extension(path) {
        Some(Format::Csv | Format::Tsv) if is_json(content) => by_json_content(content),
        Some(Format::Json | Format::Jsonl) if is_table(content) => by_first_line(content),
        Some(Format::Json) => by_json_content(content),
        Some(Format::Jsonl) if is_list_of_records(content) => Format::Json,
        Some(format) => format,
        None => match content.trim_ascii_start().first() {
            Some(b'{' | b'[') => by_json_content(content),
            _ => by_first_line(content),
        },
    }
}

/// Whether the name of a file says that captions are in it, and in which format.
pub fn is_caption_file(path: &Path) -> bool {
    by_extension(path).is_some()
}

fn by_extension(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    Some(match name.rsplit_once('.')?.1 {
        "csv" => Format::Csv,
        "tsv" | "tab" => Format::Tsv,
        "json" => Format::Json,
        "jsonl" | "ndjson" => Format::Jsonl,
        "parquet" => Format::Parquet,
        "xlsx" | "xlsm" => Format::Xlsx,
        _ => return None,
    })
}

/// JSON Lines is a first line that is an object by itself and another object after it.
fn by_json_content(content: &[u8]) -> Format {
    let content = content.trim_ascii_start();
    let end = content.iter().position(|&byte| byte == b'\n').unwrap_or(content.len());
    let (line, rest) = content.split_at(end);
    let object_follows = rest.trim_ascii_start().first() == Some(&b'{');
    let complete = || serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
    if line.starts_with(b"{") && object_follows && complete() {
        Format::Jsonl
    } else {
        Format::Json
    }
}

/// One list that begins with an object, on a line or over several: lists may be lines of JSON Lines too, but then others follow.
fn is_list_of_records(content: &[u8]) -> bool {
    let content = content.trim_ascii();
    let begins = content.strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    let first = content.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let is_line = || serde_json::from_slice::<serde::de::IgnoredAny>(first).is_ok();
    begins.is_some_and(|list| list.starts_with(b"{")) && (first == content || !is_line())
}

/// An object, or a list that begins with one: no table has such a header.
fn is_json(content: &[u8]) -> bool {
    let content = content.trim_ascii_start();
    let object = content.strip_prefix(b"[").unwrap_or(content).trim_ascii_start();
    let key = object.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    key.is_some_and(|key| key.starts_with(b"\""))
}

/// A first line of several names, without a brace that damaged JSON would have.
fn is_table(content: &[u8]) -> bool {
    let line = first_line(content.trim_ascii_start());
    let has = |bytes: &[u8]| line.iter().any(|byte| bytes.contains(byte));
    has(b",;\t|") && !has(b"{}[]:")
}

/// A tab in each of the first lines separates columns, whatever commas stand in the captions.
fn by_first_line(content: &[u8]) -> Format {
    const LINES: usize = 10;
    let lines = content.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    let mut lines = lines.filter(|line| !line.is_empty()).take(LINES).peekable();
    let tabs = lines.peek().is_some() && lines.all(|line| line.contains(&b'\t'));
    if tabs { Format::Tsv } else { Format::Csv }
}

impl Format {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Tsv => "TSV",
            Self::Json => "JSON",
            Self::Jsonl => "JSON Lines",
            Self::Coco => "COCO annotations",
            Self::Parquet => "Parquet",
            Self::Xlsx => "Excel workbook",
            Self::Lines => "lines of text",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_where_it_can() {
        for (name, format) in [
            ("a.csv", Format::Csv),
            ("a.CSV.GZ", Format::Csv),
            ("a.b.tsv", Format::Tsv),
            ("a.json", Format::Json),
            ("a.ndjson.gz", Format::Jsonl),
            ("a.parquet", Format::Parquet),
        ] {
            assert_eq!(detect(Path::new(name), b"x"), format, "{name}");
        }
    }

    #[test]
    fn the_content_decides_elsewhere() {
        for (name, content, format) in [
            ("-", "image_id,caption\n", Format::Csv),
            ("-", "image_id\tcaption\n1\ta, b", Format::Tsv),
            ("-", " [{\"a\": 1}]", Format::Json),
            ("-", "{\"a\": 1}\n{\"a\": 2}\n", Format::Jsonl),
            ("-", "{\"a\": 1}\n", Format::Json),
            ("-", "{\n\"a\": 1}\n{", Format::Json),
            ("-", "PAR1", Format::Parquet),
            ("-", "PK\x03\x04 xl/workbook.xml", Format::Xlsx),
            ("a.jsonl", "[{\"a\": 1}, {\"a\": 2}]\n", Format::Json),
            ("a.jsonl", "[\n  {\"a\": 1},\n  {\"a\": 2}\n]\n", Format::Json),
            ("a.jsonl", "[{\"a\": 1}]\n[{\"a\": 2}]\n", Format::Jsonl),
            ("a.jsonl", "[\"1\", \"a dog\"]\n", Format::Jsonl),
            ("a.jsonl", "{\"a\": 1}\n", Format::Jsonl),
            ("a.csv", "[\n  {\"a\": 1}]", Format::Json),
            ("a.tsv", "{\"a\": 1}\n{\"a\": 2}\n", Format::Jsonl),
            ("a.csv", "[1],{2}\n", Format::Csv),
            ("a.json", "image_id,caption\n7,a dog\n", Format::Csv),
            ("a.jsonl", "image_id\tcaption\n7\ta dog\n", Format::Tsv),
            ("a.json", "\"7\": \"a dog\", \"8\": \"a cat\"", Format::Json),
            ("a.jsonl", "\"a\": 1, \"b\": 2}\n", Format::Jsonl),
            ("-", "image_id\tcaption\r7\ta, b\r", Format::Tsv),
        ] {
            assert_eq!(detect(Path::new(name), content.as_bytes()), format, "{name} {content}");
        }
        let lines = b"{\"a\": 1}\n{\"a\": 2}\n";
        assert_eq!(detect(Path::new("a.json"), lines), Format::Jsonl);
        assert_eq!(detect(Path::new("a.csv"), b"PAR1"), Format::Parquet);
    }
}
