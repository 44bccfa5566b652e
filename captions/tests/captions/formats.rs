//! The same captions in every format read the same, and every problem of a file is reported at once.

use std::io::Write;
use std::path::{Path, PathBuf};

use fgd_captions::{
    Caption, CaptionFile, FindingKind, Format, ReadError, ReadOptions, Severity, group, is_valid,
    lint, read,
};
use polars::prelude::{Column, DataFrame, ParquetWriter};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn read(&self, name: &str, content: impl AsRef<[u8]>) -> Result<CaptionFile, ReadError> {
        read(&self.write(name, content), &ReadOptions::default())
    }
}

fn pairs(file: &CaptionFile) -> Vec<(&str, &str)> {
    file.captions.iter().map(|Caption { id, text, .. }| (id.as_str(), text.as_str())).collect()
}

fn kinds(file: &CaptionFile) -> Vec<(FindingKind, Option<u64>)> {
    file.findings.iter().map(|finding| (finding.kind, finding.row)).collect()
}

const EXPECTED: [(&str, &str); 2] = [("7", "a \"red\" bus, café"), ("8", "two dogs")];

#[test]
fn formats_agree() {
    let folder = Folder::new();
    for (name, format, content) in [
        ("a.csv", Format::Csv, "image_id,caption\n7,\"a \"\"red\"\" bus, café\"\n8,two dogs\n"),
        (
            "b.csv",
            Format::Csv,
            "\u{feff}Caption;Image ID\r\n\"a \"\"red\"\" bus, café\";7\r\ntwo dogs;8",
        ),
        ("c.tsv", Format::Tsv, "id\ttext\n7\t\"a \"\"red\"\" bus, café\"\n\n8\ttwo dogs\n"),
        ("d.txt", Format::Csv, "7,\"a \"\"red\"\" bus, café\"\n8,two dogs\n"),
        (
            "e.json",
            Format::Json,
            r#"[{"id": 7, "caption": "a \"red\" bus, café"}, {"id": "8", "caption": "two dogs"}]"#,
        ),
        ("f.json", Format::Json, r#"{"7": "a \"red\" bus, café", "8": ["two dogs"]}"#),
        (
            "g.json",
            Format::Json,
            r#"{"results": [{"id": 7, "text": "a \"red\" bus, café"}, {"id": 8, "text": "two dogs"}]}"#,
        ),
        (
            "h.jsonl",
            Format::Jsonl,
            "{\"id\": 7, \"caption\": \"a \\\"red\\\" bus, café\"}\n\n{\"id\": 8, \"caption\": \"two dogs\"}",
        ),
        (
            "k.csv",
            Format::Json,
            r#"[{"id": 7, "caption": "a \"red\" bus, café"}, {"id": 8, "caption": "two dogs"}]"#,
        ),
        ("l.json", Format::Csv, "image_id,caption\n7,\"a \"\"red\"\" bus, café\"\n8,two dogs\n"),
        (
            "i",
            Format::Jsonl,
            "{\"id\": 7, \"caption\": \"a \\\"red\\\" bus, café\"}\n{\"id\": 8, \"caption\": \"two dogs\"}",
        ),
        (
            "j.json",
            Format::Coco,
            r#"{"info": {}, "images": [{"id": 7}], "annotations": [{"id": 1, "image_id": 7, "caption": "a \"red\" bus, café"}, {"id": 2, "image_id": 8, "caption": "two dogs"}]}"#,
        ),
    ] {
        let file = folder.read(name, content).unwrap();
        assert_eq!(pairs(&file), EXPECTED, "{name}");
        assert_eq!(file.format, format, "{name}");
        assert!(is_valid(&file.findings) && is_valid(&lint(&file)), "{name}: {:?}", file.findings);
    }
}

#[test]
fn gzip_is_read_under_any_name() {
    let folder = Folder::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(b"image_id\tcaption\n7\ta bus\n").unwrap();
    let bytes = encoder.finish().unwrap();
    for name in ["a.tsv.gz", "a.tsv", "a"] {
        let file = folder.read(name, &bytes).unwrap();
        assert_eq!((pairs(&file), file.format), (vec![("7", "a bus")], Format::Tsv), "{name}");
    }
}

fn write_parquet(path: &Path, columns: Vec<Column>) {
    let mut table = DataFrame::new(columns[0].len(), columns).unwrap();
    let file = std::fs::File::create(path).unwrap();
    ParquetWriter::new(file).finish(&mut table).unwrap();
}

#[test]
fn parquet_with_numbers_and_other_columns() {
    let folder = Folder::new();
    let path = folder.0.path().join("a.parquet");
    write_parquet(
        &path,
        vec![
            Column::new("image_id".into(), [7.0, 8.0, 9.0]),
            Column::new("caption".into(), [Some("a bus"), None, Some("a cat")]),
            Column::new("width".into(), [640i64, 800, 1024]),
        ],
    );
    let file = read(&path, &ReadOptions::default()).unwrap();
    assert_eq!(pairs(&file), [("7.0", "a bus"), ("8.0", ""), ("9.0", "a cat")]);
    assert_eq!(kinds(&file), [(FindingKind::NullCaption, Some(2))]);
    assert!(file.column_names().eq(["width"]));
    let widths = file.column("width").unwrap();
    assert_eq!(widths[2].as_deref(), Some("1024"));
    assert_eq!(lint(&file), [], "the null was reported by reading");
    let options = ReadOptions { caption_column: Some("width".into()), ..ReadOptions::default() };
    let message = read(&path, &options).unwrap_err().to_string();
    assert!(message.contains("`width` holds i64"), "{message}");

    let whole = std::fs::read(&path).unwrap();
    for end in [4, 20, whole.len() / 2, whole.len() - 1] {
        let message = folder.read("cut.parquet", &whole[..end]).unwrap_err().to_string();
        assert!(message.contains("not a readable Parquet file"), "{message}");
    }
}

#[test]
fn a_flipped_byte_in_a_parquet_footer_never_panics() {
    let folder = Folder::new();
    let path = folder.0.path().join("a.parquet");
    write_parquet(
        &path,
        vec![
            Column::new("image_id".into(), [7i64, 8]),
            Column::new("caption".into(), ["a bus", "a cat"]),
        ],
    );
    let whole = std::fs::read(&path).unwrap();
    let (_, ending) = whole.split_at(whole.len() - 8);
    let footer = u32::from_le_bytes([ending[0], ending[1], ending[2], ending[3]]) as usize;
    for at in whole.len() - 8 - footer..whole.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= mask;
            match folder.read("b.parquet", &damaged) {
                Ok(file) => drop(lint(&file)),
                Err(error) => {
                    assert!(error.to_string().contains("b.parquet"), "byte {at}: {error}")
                }
            }
        }
    }
}

#[test]
fn several_references_per_image() {
    let folder = Folder::new();
    for (name, content) in [
        ("a.csv", "id,caption\n7,one\n8,three\n7,two\n"),
        ("a.json", r#"{"7": ["one", "two"], "8": "three"}"#),
        (
            "a.jsonl",
            "{\"id\": 7, \"captions\": [\"one\", \"two\"]}\n{\"id\": 8, \"captions\": [\"three\"]}",
        ),
    ] {
        let file = folder.read(name, content).unwrap();
        let references = group(&file);
        assert_eq!(references.ids, ["7", "8"], "{name}");
        let texts: Vec<Vec<&str>> = references
            .captions
            .iter()
            .map(|captions| captions.iter().map(|&at| file.captions[at].text.as_str()).collect())
            .collect();
        assert_eq!(texts, [vec!["one", "two"], vec!["three"]], "{name}");
    }
}

#[test]
fn rows_lines_and_other_columns() {
    let file = Folder::new()
        .read("a.csv", "image_id,Usage,caption\n\n7,Public,\"a\nb\"\n\n8,Private,c\n9,Public,\n")
        .unwrap();
    let places: Vec<_> = file.captions.iter().map(|caption| (caption.row, caption.line)).collect();
    assert_eq!(places, [(1, Some(3)), (2, Some(6)), (3, Some(7))]);
    let usage: Vec<_> = file.column("Usage").unwrap().into_iter().flatten().collect();
    assert_eq!(usage, ["Public", "Private", "Public"]);
    let found: Vec<_> = lint(&file).iter().map(|finding| (finding.kind, finding.row)).collect();
    assert_eq!(
        found,
        [(FindingKind::EmbeddedNewline, Some(1)), (FindingKind::EmptyCaption, Some(3))]
    );
}

#[test]
fn every_problem_of_a_csv_is_reported_with_its_row() {
    let content = b"image_id,caption\n1,a dog, running\n2\n3,\"open\n4,caf\xe9\n,no id\n5,\"a \"b\" c\"\n6, fine \n";
    let file = Folder::new().read("a.csv", content).unwrap();
    assert_eq!(
        kinds(&file),
        [
            (FindingKind::RaggedRow, Some(1)),
            (FindingKind::RaggedRow, Some(2)),
            (FindingKind::BrokenQuote, Some(3)),
            (FindingKind::NotUtf8, Some(4)),
            (FindingKind::EmptyId, Some(5)),
            (FindingKind::BrokenQuote, Some(6)),
        ]
    );
    let not_utf8 = &file.findings[3].message;
    let offset = content.iter().position(|&byte| byte == 0xe9).unwrap();
    assert!(not_utf8.contains(&format!("0xE9 at offset {offset} (line 5)")), "{not_utf8}");
    assert_eq!(file.captions.len(), 7);
    assert_eq!(file.captions[2].text, "\"open");
    assert_eq!(
        lint(&file).iter().map(|f| (f.kind, f.row)).collect::<Vec<_>>(),
        [(FindingKind::SurroundingSpace, Some(7))]
    );
}

#[test]
fn lines_of_old_macs_are_lines() {
    let folder = Folder::new();
    let content = "image_id;caption\r7;a, b\r8;c; d\r9;\"open\r10;e\r\n11;\"f\rg\"\r12;h; i\r";
    let file = folder.read("a.csv", content).unwrap();
    let texts = ["a, b", "c", "\"open", "e", "f\rg", "h"];
    assert_eq!(file.captions.iter().map(|caption| &*caption.text).collect::<Vec<_>>(), texts);
    let rows = file.findings.iter().filter(|finding| finding.severity == Severity::Error);
    let rows: Vec<_> = rows.map(|f| (f.kind, f.id.as_deref(), f.message.as_str())).collect();
    let [ragged, open, last] = rows[..] else { panic!("{rows:?}") };
    assert_eq!((ragged.0, ragged.1), (FindingKind::RaggedRow, Some("8")));
    assert_eq!((open.0, open.1), (FindingKind::BrokenQuote, Some("9")));
    assert!(ragged.2.contains("line 3 ") && open.2.contains("line 4 "), "{rows:?}");
    assert!(last.2.contains("line 8 ") && last.1 == Some("12"), "{rows:?}");
}

#[test]
fn blanks_behind_a_closing_quote_are_no_text() {
    let folder = Folder::new();
    let file =
        folder.read("a.csv", "image_id,caption\n7,\"a, b\" \n\"8\" ,c\n9,\"d\" e\n").unwrap();
    assert_eq!(pairs(&file)[..2], [("7", "a, b "), ("8", "c")]);
    let errors = file.findings.iter().filter(|finding| finding.severity == Severity::Error);
    assert_eq!(errors.map(|finding| finding.row).collect::<Vec<_>>(), [Some(3)]);
}

#[test]
fn two_columns_of_one_name_are_said_once() {
    let folder = Folder::new();
    let file = folder.read("a.csv", "id,caption,caption,id\n7,a dog,b,8\n").unwrap();
    assert_eq!(kinds(&file), [(FindingKind::ColumnNames, None); 2]);
    let path = folder.write("b.csv", "id,caption,caption\n7,a dog,a cat\n");
    let options =
        ReadOptions { caption_column: Some("caption.1".into()), ..ReadOptions::default() };
    assert_eq!(pairs(&read(&path, &options).unwrap()), [("7", "a cat")], "it can be chosen");
}

#[test]
fn every_problem_of_json_is_reported() {
    let folder = Folder::new();
    let file = folder
        .read(
            "a.json",
            r#"[{"id": 1, "caption": null}, {"id": [], "caption": "x"}, {"id": 3}, 4, {"id": 5, "caption": 6}, {"id": 7, "caption": "y"}, {"#,
        )
        .unwrap();
    assert_eq!(
        kinds(&file),
        [
            (FindingKind::NullCaption, Some(1)),
            (FindingKind::WrongType, Some(2)),
            (FindingKind::EmptyId, Some(2)),
            (FindingKind::MissingField, Some(3)),
            (FindingKind::WrongType, Some(4)),
            (FindingKind::WrongType, Some(5)),
            (FindingKind::BrokenJson, None),
        ]
    );
    let content = b"{\"id\": 1, \"caption\": \"a\"}\n{\"id\": 2, \"cap\n[3]\n{\"id\": 4, \"caption\": \"\xff\"}\n";
    let file = folder.read("a.jsonl", content).unwrap();
    assert_eq!(
        kinds(&file),
        [
            (FindingKind::BrokenJson, Some(2)),
            (FindingKind::WrongType, Some(3)),
            (FindingKind::NotUtf8, Some(4)),
        ]
    );
    assert!(file.findings[0].message.contains("line 2"), "{}", file.findings[0].message);
    assert_eq!(file.captions.last().unwrap().row, 4);
}

#[test]
fn hopeless_files_get_one_clear_sentence() {
    let folder = Folder::new();
    for (name, content, says) in [
        ("a.csv", "", "empty"),
        ("a.csv", "\n \n", "empty"),
        ("a.csv", "foo,bar\n1,2\n", "no column of ids was found among the columns `foo`, `bar`"),
        ("a.csv", "image_id,bar\n1,2\n", "--caption-column"),
        ("a.json", "[{\"a\": 1}]", "no column of ids"),
        ("a.json", "{\"image_id\": [1, 2], \"caption\": [\"a\"]}", "not of one length"),
        (
            "a.json",
            "{\"train\": [{\"id\": 1, \"text\": \"a\"}], \"val\": [{\"id\": 2, \"text\": \"b\"}], \"n\": 2}",
            "--fields image=train.",
        ),
        ("a.txt", "a dog runs\ntwo cats, asleep\n", "no column of ids"),
        ("a.json", "[", "line 1 column 1"),
        ("a.json", "3", "list of records"),
        ("a.jsonl", "{\"image_id\", 7}\n", "line 1 is not JSON"),
        ("a.parquet", "PAR1PAR1", "Parquet"),
        ("a.csv", "PK\u{3}\u{4}", "zip archive"),
    ] {
        let message = folder.read(name, content).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(says), "{content:?}: {message}");
        assert!(message.contains(name) && !message.contains('\n'), "{message}");
    }
    let file = folder.read("a.csv", "image_id,caption\n").unwrap();
    assert_eq!(kinds(&file), [(FindingKind::HeaderOnly, None)]);
    assert!(!is_valid(&file.findings));
}

#[test]
fn committed_malformed_files_show_what_their_readme_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/malformed");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let mut checked = 0;
    for line in readme.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (name, expected) = (cells[1].trim_matches('`'), cells[2]);
        let said: Vec<String> = match read(&folder.join(name), &ReadOptions::default()) {
            Err(error) => vec![format!("unreadable: {error}")],
            Ok(file) => file
                .findings
                .iter()
                .chain(&lint(&file))
                .map(|finding| {
                    let severity =
                        if finding.severity == Severity::Error { "error" } else { "note" };
                    format!("{severity} {}", finding.kind)
                })
                .collect(),
        };
        for wanted in expected.split(", ") {
            assert!(
                said.iter().any(|said| said.starts_with(wanted)),
                "{name}: {wanted} not in {said:?}"
            );
        }
        checked += 1;
    }
    let files = std::fs::read_dir(&folder).unwrap().count() - 1;
    assert_eq!(checked, files, "every file has its line");
}
