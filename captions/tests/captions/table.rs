//! Tables are written whole, in every format, and what spreadsheets would run is text.

use fgd_captions::{Cells, Kind, Table, TableFile, read_parquet};
use serde_json::{Map, Value};

fn table() -> Table {
    let captions = ["=1+1", "-a", "＠x", "a \"dog\", café", "line\nbreak"];
    let mut table = Table::default();
    table.push("=id", Cells::counts(1..=5));
    table.push("caption", Cells::text(captions));
    table.push("score", Cells::numbers([-0.5, 0.25, 1.0, 0.0, 2.0]));
    let flags = vec![Some(true), None, Some(false), None, None];
    table.push("kept", Cells::Flag(flags));
    table
}

fn written(name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    TableFile::create(&path).unwrap().write(&table()).unwrap();
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn csv_cells_are_text_for_spreadsheets() {
    assert_eq!(
        written("a.csv"),
        "'=id,caption,score,kept\n1,'=1+1,-0.5,true\n2,-a,0.25,\n3,'＠x,1.0,false\n4,\"a \"\"dog\"\", café\",0.0,\n5,\"line\nbreak\",2.0,\n"
    );
}

#[test]
fn json_lines_keep_every_cell() {
    let lines: Vec<Map<String, Value>> =
        written("a.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        Value::from(lines[0].clone()),
        serde_json::json!({"=id": 1, "caption": "=1+1", "score": -0.5, "kept": true})
    );
    let columns = [
        ("=id", Kind::Count),
        ("caption", Kind::Text),
        ("score", Kind::Number),
        ("kept", Kind::Flag),
    ];
    assert_eq!(Table::from_rows(&columns, &lines), table());
}

#[test]
fn parquet_is_read_as_the_kinds_that_are_declared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    TableFile::create(&path).unwrap().write(&table()).unwrap();
    let columns = [("score", Kind::Text), ("=id", Kind::Number), ("none", Kind::Flag)];
    let read = read_parquet(&path, &columns).unwrap();
    assert_eq!(read.column("=id"), Some(&Cells::numbers([1.0, 2.0, 3.0, 4.0, 5.0])));
    assert_eq!(read.column("none"), Some(&Cells::Flag(vec![None; 5])));
    assert_eq!(read.column("score").map(Cells::len), Some(5));
    let wrong = read_parquet(&path, &[("score", Kind::Count)]).unwrap_err().to_string();
    assert!(wrong.contains("a.parquet: column score: "), "{wrong}");
    std::fs::write(&path, "PAR1 and nothing else PAR1").unwrap();
    assert!(read_parquet(&path, &columns).is_err());
}

#[test]
fn a_failure_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "old").unwrap();
    let mut twice = table();
    twice.push("caption", Cells::text([""; 5]));
    let message = TableFile::create(&path).unwrap().write(&twice).unwrap_err();
    assert!(message.to_string().contains("a.csv: cannot be written"), "{message}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    let other = TableFile::create(&folder.path().join("a.txt")).unwrap_err();
    assert!(other.to_string().contains(".parquet"), "{other}");
}
