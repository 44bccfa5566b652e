//! Malformed caption files: whatever stands in them, reading, linting and aligning end with a sentence and never with a panic.

use std::io::Write;
use std::path::Path;

use fgd_captions::{
    CaptionFile, Finding, FindingKind, ReadOptions, Severity, align, check_template, group, lint,
    read, read_template,
};
use proptest::prelude::*;

const ROWS: usize = 12;

/// A sound file of each format, to be damaged.
fn sound(extension: &str) -> Vec<u8> {
    let rows =
        (0..ROWS).map(|n| (100_000 + n, format!("a \"{n}\" on a blue door, with café tables")));
    let text: String = match extension {
        "csv" => rows.fold("image_id,caption\n".into(), |text, (id, caption)| {
            format!("{text}{id},\"{}\"\n", caption.replace('"', "\"\""))
        }),
        "tsv" => rows.fold("image_id\tcaption\n".into(), |text, (id, caption)| {
            format!("{text}{id}\t\"{}\"\n", caption.replace('"', "\"\""))
        }),
        "jsonl" => rows
            .map(|(id, caption)| {
                serde_json::json!({"image_id": id, "caption": caption}).to_string() + "\n"
            })
            .collect(),
        "json" => {
            let records: Vec<_> = rows
                .map(|(id, caption)| serde_json::json!({"image_id": id, "caption": caption}))
                .collect();
            serde_json::json!({"images": [], "annotations": records}).to_string()
        }
        other => unreachable!("no sound {other}"),
    };
    text.into_bytes()
}

/// One way to spoil a file.
#[derive(Clone, Debug)]
enum Damage {
    CutAt(usize),
    RemoveBytes(usize, usize),
    Insert(usize, Vec<u8>),
    SwapColumns,
    RandomIds(Vec<String>),
    HugeField(usize),
    Repeat,
    DropHeader,
    Gzip { keep: usize },
    Replace(Vec<u8>),
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |index: usize| index % (bytes.len() + 1);
        match self {
            Damage::CutAt(index) => bytes.truncate(at(*index)),
            Damage::RemoveBytes(index, count) => {
                let start = at(*index);
                let end = (start + count).min(bytes.len());
                bytes.drain(start..end);
            }
            Damage::Insert(index, inserted) => {
                let at = at(*index);
                bytes.splice(at..at, inserted.iter().copied());
            }
            Damage::SwapColumns => swap(bytes, "image_id", "caption"),
            Damage::RandomIds(ids) => {
                for (n, id) in ids.iter().enumerate() {
                    swap(bytes, &(100_000 + n).to_string(), id);
                }
            }
            Damage::HugeField(length) => {
                let at = at(bytes.len() / 2);
                bytes.splice(at..at, std::iter::repeat_n(b'x', *length));
            }
            Damage::Repeat => bytes.extend_from_within(..),
            Damage::DropHeader => {
                let end = bytes.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
                bytes.drain(..end);
            }
            Damage::Gzip { keep } => {
                let mut encoder =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                *bytes = encoder.finish().unwrap();
                bytes.truncate(bytes.len().saturating_sub(*keep));
            }
            Damage::Replace(other) => bytes.clone_from(other),
        }
    }
}

/// Exchanges two words wherever they stand.
fn swap(bytes: &mut Vec<u8>, a: &str, b: &str) {
    let text = String::from_utf8_lossy(bytes);
    *bytes = text.replace(a, "\u{1}").replace(b, a).replace('\u{1}', b).into_bytes();
}

fn damage() -> impl Strategy<Value = Damage> {
    let spoiling = prop_oneof![
        Just(b"\"".to_vec()),
        Just(b"\"\"\"".to_vec()),
        Just(b",\n\"".to_vec()),
        Just(b"\xff\xfe".to_vec()),
        Just(b"\xef\xbb\xbf".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"{}[]null NaN".to_vec()),
        Just(b"\x00".to_vec()),
        proptest::collection::vec(any::<u8>(), 1..20),
    ];
    prop_oneof![
        any::<usize>().prop_map(Damage::CutAt),
        (any::<usize>(), 1usize..200).prop_map(|(at, count)| Damage::RemoveBytes(at, count)),
        (any::<usize>(), spoiling).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        Just(Damage::SwapColumns),
        proptest::collection::vec("\\PC{0,12}", ROWS).prop_map(Damage::RandomIds),
        (1usize..300_000).prop_map(Damage::HugeField),
        Just(Damage::Repeat),
        Just(Damage::DropHeader),
        (0usize..30).prop_map(|keep| Damage::Gzip { keep }),
        proptest::collection::vec(any::<u8>(), 0..500).prop_map(Damage::Replace),
    ]
}

fn file_of(bytes: &[u8], extension: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(&format!(".{extension}")).tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn read_bytes(bytes: &[u8], extension: &str) -> CaptionFile {
    read(file_of(bytes, extension).path(), &ReadOptions::default()).unwrap()
}

/// Everything that the command line does with a file before it computes; returns what there is to say.
fn everything_said(path: &Path, references: &CaptionFile) -> Vec<String> {
    let options = ReadOptions { max_bytes: 1 << 20, ..ReadOptions::default() };
    let mut said = Vec::new();
    match read(path, &options) {
        Err(error) => said.push(error.to_string()),
        Ok(file) => {
            let alignment = align(&file, references);
            assert_eq!(alignment.ids.len(), alignment.candidate.len());
            assert_eq!(alignment.ids.len(), alignment.references.len());
            assert!(alignment.candidate.iter().all(|&index| index < file.captions.len()));
            for name in file.column_names() {
                let cells = file.column(name).unwrap();
                assert_eq!(cells.len(), file.captions.len(), "{name}");
            }
            let against_itself = align(references, &file);
            assert_eq!(group(&file).ids.len(), group(&file).captions.len());
            let findings =
                [file.findings.clone(), lint(&file), alignment.findings, against_itself.findings];
            said.extend(findings.iter().flatten().map(Finding::to_string));
            if !file.captions.is_empty() {
                let whole = alignment.ids.len() == references.captions.len();
                let explained =
                    findings.iter().flatten().any(|finding| finding.severity == Severity::Error);
                assert!(whole || explained, "images were left out without a word");
            }
        }
    }
    match read_template(path, &options) {
        Err(error) => said.push(error.to_string()),
        Ok(template) => {
            said.extend(check_template(references, &template).iter().map(Finding::to_string))
        }
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_end_with_a_sentence(
        extension in prop_oneof![Just("csv"), Just("tsv"), Just("json"), Just("jsonl")],
        damages in proptest::collection::vec(damage(), 1..4),
        under_another_name in prop_oneof![3 => Just(None), 1 => Just(Some("txt")), 1 => Just(Some("parquet"))],
    ) {
        let references = read_bytes(&sound("csv"), "csv");
        let mut bytes = sound(extension);
        for damage in &damages {
            damage.apply(&mut bytes);
        }
        let file = file_of(&bytes, under_another_name.unwrap_or(extension));
        for sentence in everything_said(file.path(), &references) {
            prop_assert!(sentence.len() > 10, "{sentence:?}");
            prop_assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
        }
    }

    #[test]
    fn findings_about_a_submission_show_no_reference_text(secret in "[q-z]{12,20}", ids in 1usize..9) {
        let submission = read_bytes(&sound("csv"), "csv");
        let references: String = (0..ids)
            .map(|n| format!("{},{secret} {n}\n", 100_005 + n))
            .collect();
        let references = read_bytes(format!("image_id,caption\n{references}").as_bytes(), "csv");
        let alignment = align(&submission, &references);
        prop_assert_eq!(alignment.ids.len(), ids.min(ROWS - 5));
        for finding in alignment.findings {
            prop_assert!(!finding.to_string().contains(&secret));
            prop_assert!(finding.kind != FindingKind::MissingId || finding.row.is_none());
        }
    }
}
