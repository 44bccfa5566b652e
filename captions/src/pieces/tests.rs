use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::{Cells, Table, TableFile, read};

/// The captions and findings of a file in pieces, and how many pieces there were.
fn in_pieces(path: &Path, bytes: u64) -> (CaptionFile, usize) {
    let mut pieces = Pieces::cut(path, &ReadOptions::default(), bytes).unwrap();
    let mut whole: Option<CaptionFile> = None;
    let (mut rows, mut count, mut read) = (0, 0, 0);
    while let Some(piece) = pieces.next_piece().unwrap() {
        read += piece.bytes();
        let mut file = piece.read().unwrap();
        rows = file.count_from(rows, &mut []);
        count += 1;
        match &mut whole {
            Some(whole) => {
                whole.captions.extend(file.captions);
                whole.findings.extend(file.findings.into_iter().filter(|f| f.row.is_some()));
            }
            none => *none = Some(file),
        }
    }
    let mut whole = whole.unwrap();
    whole.sha256 = pieces.sha256().unwrap();
    assert!(read <= fs::metadata(path).unwrap().len(), "{read} bytes");
    (whole, count)
}

fn is_the_same(path: &Path, fewest: usize) {
    let count = is_the_same_by(path, 1 << 16);
    assert!(count >= fewest, "{}: {count} pieces", path.display());
}

fn is_the_same_by(path: &Path, bytes: u64) -> usize {
    let whole = read(path, &ReadOptions::default()).unwrap();
    let (pieces, count) = in_pieces(path, bytes);
    assert_eq!(pieces.captions, whole.captions, "{}", path.display());
    assert_eq!(pieces.findings, whole.findings, "{}", path.display());
    assert_eq!(pieces.sha256, whole.sha256);
    count
}

/// Rows of every kind: of several lines, blank ones, broken ones.
fn text(row: impl Fn(usize) -> String) -> String {
    (0..6_000).map(row).collect()
}

#[test]
fn captions_and_findings_are_those_of_the_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let csv = text(|i| match i % 50 {
        7 => format!("{i},\"two lines,\nof \"\"one\"\" caption {i}\",x\n"),
        11 => format!("{i},a 5\" pipe {i},y\r\n\n"),
        13 => format!("{i},one field too few\n"),
        _ => format!("{i},caption number {i} of an image,z\n"),
    });
    let csv = format!("\u{feff}image_id,caption,part\n{csv}last,a row without its end,z");
    is_the_same(&write("a.csv", csv.as_bytes()), 3);
    let mac = csv.replace("\r\n", "\n").replace('\n', "\r");
    is_the_same(&write("mac.csv", mac.as_bytes()), 3);
    let mut broken = csv.clone().into_bytes();
    let at = broken.len() - 1_000;
    broken[at] = 0xff;
    is_the_same(&write("broken.csv", &broken), 3);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(csv.as_bytes()).unwrap();
    is_the_same(&write("a.csv.gz", &gz.finish().unwrap()), 3);
    let lines = text(|i| match i % 50 {
        7 => "\n".into(),
        11 => "{\"image_id\": 1, \"caption\n".into(),
        _ => {
            format!("{{\"image_id\": \"a{i}\", \"captions\": [\"a dog {i}\", \"dog {i}\"]}}\n")
        }
    });
    is_the_same(&write("a.jsonl", lines.as_bytes()), 3);
    // What cannot be cut, or has no header, is read whole.
    let records = format!("[{}]", lines.lines().nth(1).unwrap());
    is_the_same(&write("a.json", format!("{records}{}", " ".repeat(1 << 17)).as_bytes()), 1);
    let bare = text(|i| format!("{i},caption number {i} of an image\n"));
    is_the_same(&write("bare.csv", bare.as_bytes()), 1);
}

#[test]
fn groups_of_rows_are_read_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let mut table = Table::default();
    // polars writes groups of some 262,144 rows.
    let rows = 0..530_000;
    table.push("image_id", Cells::text(rows.clone().map(|i| i.to_string())));
    table.push("caption", Cells::text(rows.map(|i| format!("caption {}", i % 10))));
    TableFile::create(&path).unwrap().write(&table).unwrap();
    is_the_same(&path, 2);
    // A footer that points elsewhere is an error, not the end of the process.
    let mut bytes = fs::read(&path).unwrap();
    bytes.drain(100..300);
    fs::write(&path, bytes).unwrap();
    let mut pieces = Pieces::cut(&path, &ReadOptions::default(), 1 << 16).unwrap();
    let read = pieces.next_piece().and_then(|piece| piece.unwrap().read());
    assert!(read.is_err());
}

/// Captions with everything that a cut could be taken in by.
fn rows() -> impl Strategy<Value = Vec<(String, usize)>> {
    prop::collection::vec(("a [a-z\u{e9}\u{1f415},;\"\r\n\t{}]{0,30} z", 0..3usize), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_cut_changes_what_is_read(
        rows in rows(),
        piece in 1..600u64,
        is_csv in any::<bool>(),
        is_packed in any::<bool>(),
        has_mark in any::<bool>(),
    ) {
        let row = |(i, (text, blank)): (usize, &(String, usize))| {
            let end = "\n".repeat(1 + blank);
            match is_csv {
                true => format!("image-{i},\"{}\"{end}", text.replace('"', "\"\"")),
                false => format!("{}{end}", serde_json::json!({"image_id": format!("image-{i}"), "caption": text})),
            }
        };
        let mark = if has_mark { "\u{feff}" } else { "" };
        let header = if is_csv { "image_id,caption\n" } else { "" };
        let content: String = rows.iter().enumerate().map(row).collect();
        let content = format!("{mark}{header}{content}");
        let folder = tempfile::tempdir().unwrap();
        let mut name = if is_csv { "a.csv".to_owned() } else { "a.jsonl".to_owned() };
        let mut bytes = content.clone().into_bytes();
        if is_packed {
            name += ".gz";
            let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            gz.write_all(content.as_bytes()).unwrap();
            bytes = gz.finish().unwrap();
        }
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        is_the_same_by(&path, piece);
    }
}
