//! The questions that are put to a history, and files that are not ours.

use std::path::Path;

use fgd_metrics::series::Standing;
use fgd_record::NightlyVerdict;

use super::*;

fn night(day: u32) -> Night {
    Night {
        suite: "s".into(),
        started: format!("2026-01-{day:02}T02:00:00Z"),
        version: "0.1.0".into(),
        commit: (day > 1).then(|| "abc".into()),
        host: "0123456789ab".into(),
        cpu: "a processor".into(),
    }
}

fn entry(metric: &str, value: Option<f64>) -> Entry {
    Entry {
        series: Series {
            suite: "s".into(),
            system: "base, \"quoted\"".into(),
            metric: metric.into(),
            kind: Kind::Speed,
            definition: "v1".into(),
            host: "0123456789ab".into(),
            engine: "packed".into(),
            dtype: "f32".into(),
            threads: 2,
            unit: "s".into(),
            higher_is_better: Some(false),
        },
        outcome: if value.is_some() { Outcome::Measured } else { Outcome::Failed },
        value,
        low: value.map(|v| v - 0.5),
        high: value.map(|v| v + 0.5),
        first: None,
        standing: if value == Some(9.0) { Standing::Regressed } else { Standing::Accepted },
        verdict: NightlyVerdict::Unchanged,
        reason: String::new(),
        inputs: -7,
        record: Some("nights/x.json".into()),
    }
}

fn filled(history: &mut History) {
    for (day, value) in [(1, Some(1.0)), (2, None), (3, Some(9.0)), (4, Some(9.0))] {
        history.record(&night(day), &[entry("p50", value), entry("p90", value)]).unwrap();
    }
}

fn rows(history: &History) -> Vec<Row> {
    let mut rows = Vec::new();
    history
        .export("s", &mut |row| {
            rows.push(row);
            Ok(())
        })
        .unwrap();
    rows
}

#[test]
fn every_question_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.sqlite");
    let history = &mut History::open_file(&path).unwrap();
    filled(history);
    // A night that is written again replaces itself.
    history.record(&night(1), &[entry("p50", Some(1.5))]).unwrap();
    let nights = history.nights("s").unwrap();
    assert_eq!(nights, [1, 2, 3, 4].map(night));
    let pasts = history.pasts("s", &nights).unwrap();
    assert_eq!(pasts.len(), 2);
    let values: Vec<Option<f64>> = pasts[0].points.iter().map(|point| point.value).collect();
    assert_eq!(values, [Some(1.5), None, Some(9.0), Some(9.0)]);
    assert_eq!(pasts[0].points[1].outcome, Outcome::Failed);
    assert_eq!(pasts[0].points[2].inputs, -7);
    assert_eq!(pasts[0].series, entry("p50", None).series);
    assert!(history.nights("t").unwrap().is_empty());

    history.accept(&pasts[0].series, &night(3), "2026-01-05", "a new machine").unwrap();
    let pasts = history.pasts("s", &nights).unwrap();
    let [level] = pasts[0].levels.as_slice() else { panic!("{:?}", pasts[0].levels) };
    assert_eq!((level.from, level.acceptance.note.as_str()), (2, "a new machine"));
    assert!(pasts[0].points.iter().all(|point| point.standing == Standing::Accepted));
    assert_eq!(pasts[1].points[3].standing, Standing::Regressed);
    assert_eq!(rows(history).len(), 8);
    let again = History::open_file(&path).unwrap();
    assert_eq!(again.nights("s").unwrap().len(), 4);
}

#[test]
fn exported_rows_come_back_in_both_forms() {
    let folder = tempfile::tempdir().unwrap();
    let mut history = History::open_file(&folder.path().join("one.sqlite")).unwrap();
    filled(&mut history);
    let series = entry("p90", None).series;
    history.accept(&series, &night(3), "2026-01-05", "known").unwrap();
    let before = rows(&history);
    for name in ["history.jsonl", "history.parquet"] {
        let path = folder.path().join(name);
        let format = exchange::format_of(&path).unwrap();
        let (bytes, count) = exchange::export(&history, "s", format).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let copy = folder.path().join(format!("{name}.sqlite"));
        let mut other = History::open_file(&copy).unwrap();
        let read = exchange::import(&mut other, &path).unwrap();
        assert_eq!((read.figures, read.replaced), (count, 0));
        assert_eq!(rows(&other), before, "{name}");
        // Twice is as good as once.
        assert_eq!(exchange::import(&mut other, &path).unwrap().replaced, 0);
        assert_eq!(rows(&other), before, "{name}");
    }
    let text = std::fs::read_to_string(folder.path().join("history.jsonl")).unwrap();
    let path = folder.path().join("other.jsonl");
    std::fs::write(&path, text.replacen("\"value\":", "\"value\":1", 1)).unwrap();
    assert_eq!(exchange::import(&mut history, &path).unwrap().replaced, 1);
}

#[test]
fn a_bad_row_imports_nothing_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut history = History::open_file(&folder.path().join("h.sqlite")).unwrap();
    filled(&mut history);
    let good: Vec<String> =
        rows(&history).iter().map(|row| serde_json::to_string(row).unwrap()).collect();
    let path = folder.path().join("bad.jsonl");
    let wrong = good[1].replace("\"accepted\"", "\"perhaps\"");
    std::fs::write(&path, format!("{}\n{wrong}\n", good[0])).unwrap();
    let mut other = History::open_file(&folder.path().join("o.sqlite")).unwrap();
    let error = exchange::import(&mut other, &path).unwrap_err().to_string();
    assert!(error.contains("perhaps"), "{error}");
    assert!(other.nights("s").unwrap().is_empty());
    // The order of nights is that of their texts, which other zones would break.
    std::fs::write(&path, good[0].replace("02:00:00Z", "02:00:00+02:00")).unwrap();
    let error = exchange::import(&mut other, &path).unwrap_err().to_string();
    assert!(error.contains("row 1: `2026-01-01T02:00:00+02:00` is no time such as"), "{error}");
    std::fs::write(&path, "{\"suite\": 3}\n").unwrap();
    let error = exchange::import(&mut other, &path).unwrap_err().to_string();
    assert!(error.contains("bad.jsonl: row 1"), "{error}");
}

fn refused(path: &Path) -> String {
    let before = std::fs::read(path).unwrap();
    let error = History::open_file(path).map(|_| ()).unwrap_err().to_string();
    assert_eq!(std::fs::read(path).unwrap(), before, "the file was touched");
    error
}

#[test]
fn files_of_others_and_damaged_ones_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database, but a text that is long enough to look at").unwrap();
    assert!(refused(&text).contains("is not an SQLite file"));

    let foreign = folder.path().join("foreign.sqlite");
    let other = rusqlite::Connection::open(&foreign).unwrap();
    other.execute_batch("CREATE TABLE points (x)").unwrap();
    drop(other);
    assert!(refused(&foreign).contains("another program"));

    let path = folder.path().join("history.sqlite");
    let mut history = History::open_file(&path).unwrap();
    for day in 1..28 {
        let entries: Vec<Entry> =
            (0..50).map(|metric| entry(&format!("m{metric}"), Some(f64::from(day)))).collect();
        history.record(&night(day), &entries).unwrap();
    }
    drop(history);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    assert!(refused(&path).contains("damaged"));
}

#[test]
fn reading_sees_what_is_in_the_log_and_touches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.sqlite");
    assert!(History::read_file(&path).unwrap().nights("s").unwrap().is_empty());
    let mut writer = History::open_file(&path).unwrap();
    filled(&mut writer);
    // As a killed night leaves it, and as an artifact has it: the log, and not what SQLite keeps beside it.
    let artifact = tempfile::tempdir().unwrap();
    for name in ["history.sqlite", "history.sqlite-wal"] {
        std::fs::copy(folder.path().join(name), artifact.path().join(name)).unwrap();
    }
    let files = || {
        let entries = std::fs::read_dir(artifact.path()).unwrap().map(Result::unwrap);
        let of = |entry: std::fs::DirEntry| {
            (entry.file_name(), entry.metadata().unwrap().modified().unwrap())
        };
        entries.map(of).collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = files();
    let mut history = History::read_file(&artifact.path().join("history.sqlite")).unwrap();
    assert_eq!(rows(&history), rows(&writer));
    assert!(history.record(&night(5), &[entry("p50", Some(1.0))]).is_err());
    drop(history);
    assert_eq!(files(), before);
}

#[test]
fn a_history_of_a_later_program_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.sqlite");
    drop(History::open_file(&path).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = History::open_file(&path).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("update fgd"), "{error}");
}
