//! What `fgd score` writes: four formats, a file that appears whole, a table per caption, the worst captions.

use std::path::Path;

use fgd_captions::{Kind, read_parquet};
use predicates::prelude::*;
use serde_json::{Map, Value};

use crate::program::{Place, assert_close, captions, fixture, number};

fn good(place: &Place) -> assert_cmd::Command {
    place.score(&captions("good.csv"), &captions("references.csv"))
}

#[test]
fn each_format_holds_the_number() {
    let place = Place::new();
    let record = place.record(&captions("good.csv"), &captions("references.csv"), &[]);
    // Digits that rounding to four places or more leaves alone.
    let shown = format!("{:.4}", number(&record, "/fgd_paired/value"));
    for (format, mark) in [("text", "fgd_paired"), ("csv", ","), ("md", "|"), ("json", "{")] {
        good(&place)
            .args(["--format", format])
            .assert()
            .success()
            .stdout(predicate::str::contains(mark).and(predicate::str::contains(&shown)));
    }
}

#[test]
fn the_words_of_references_are_counted_beside_those_of_captions() {
    let place = Place::new();
    let files = [captions("good.csv"), captions("references.csv")];
    let record = place.record(&files[0], &files[1], &["--metrics", "diversity"]);
    let texts = &record["results"]["texts"];
    let (own, theirs) = (&texts["lengths"], &texts["reference_lengths"]);
    assert_eq!(own["edges"], theirs["edges"]);
    let count = |lengths: &Value| {
        let counts = lengths["counts"].as_array().unwrap().iter();
        counts.map(|count| count.as_u64().unwrap()).sum::<u64>() as f64
    };
    assert_eq!(count(own), number(&record, "/n"));
    assert_eq!(count(theirs), number(&record, "/references"));
    assert!(number(&record, "/texts/reference_lengths/quantiles/3") > 5.0, "{theirs}");
}

#[test]
fn embed_says_where_the_others_came_from() {
    let place = Place::new();
    std::fs::write(place.path("captions.csv"), "caption\nA dog.\nA dog.\nA cat.\n").unwrap();
    for (more, said) in [
        (&["--no-cache"][..], "(2 encoded, the rest the same captions again)"),
        (&[][..], "(2 encoded, the rest from the cache or the same captions again)"),
    ] {
        let mut command = place.fgd();
        command.arg("embed").arg(place.path("captions.csv")).args(more);
        command.arg("-o").arg(place.path("captions.npy"));
        let command = command.arg("--encoder").arg(fixture("encoder/tiny-mean"));
        command.assert().success().stderr(predicate::str::contains(said));
    }
}

#[test]
fn an_engine_that_rounds_says_by_how_much() {
    let place = Place::new();
    let files = [captions("good.csv"), captions("references.csv")];
    let exact = place.record(&files[0], &files[1], &[]);
    assert_eq!(exact["encoder"]["deviation"], Value::Null);
    let rounded = place.record(&files[0], &files[1], &["--engine", "int12"]);
    assert_ne!(rounded["comparability"]["key"], exact["comparability"]["key"]);
    let deviation = &rounded["encoder"]["deviation"];
    let (mean, max) = (deviation["mean"].as_f64().unwrap(), deviation["max"].as_f64().unwrap());
    assert!(0.0 < mean && mean <= max && max < 0.05, "{mean}, {max}");
    // A distance of unit vectors can not move further than the vectors do.
    let moved = number(&rounded, "/mean_cosine/value") - number(&exact, "/mean_cosine/value");
    assert!(moved.abs() <= 2.0 * max, "{moved}");
    // From the cache it says the same.
    let again = place.record(&files[0], &files[1], &["--engine", "int12"]);
    assert_eq!(again["encoder"]["deviation"], rounded["encoder"]["deviation"]);
    good(&place)
        .args(["--engine", "int12", "--format", "md"])
        .assert()
        .success()
        .stdout(predicate::str::contains("Rounded embeddings"));
}

#[test]
fn a_result_file_appears_whole_and_stdout_stays_empty() {
    let place = Place::new();
    let file = place.path("score.json");
    good(&place).args(["--format", "json", "-o"]).arg(&file).assert().success().stdout("");
    let record: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(record["kind"], "score");
    assert_eq!(place.files(), ["cache", "score.json"]);
}

#[test]
fn a_failed_run_leaves_the_old_result_alone() {
    let place = Place::new();
    let file = place.path("score.json");
    std::fs::write(&file, "old").unwrap();
    place
        .score(&captions("malformed/missing-ids.csv"), &captions("references.csv"))
        .arg("-o")
        .arg(&file)
        .assert()
        .code(4);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");
    assert_eq!(place.files(), ["score.json"]);
}

#[test]
fn an_unwritable_place_is_found_before_the_work() {
    let place = Place::new();
    let nowhere = place.path("no-such-folder/score.json");
    for flag in ["--output", "--per-caption"] {
        let path = nowhere.with_extension("csv");
        good(&place)
            .arg(flag)
            .arg(&path)
            .assert()
            .failure()
            .stderr(predicate::str::contains("cannot be written"));
    }
    // Text in a file that says it is a table would be found by whoever opens it.
    let said = predicate::str::contains("no result is written in this format");
    good(&place).arg("-o").arg(place.path("score.parquet")).assert().code(2).stderr(said);
    assert!(place.files().is_empty(), "{:?}", place.files());
}

/// The rows of a table per caption.
fn rows(path: &Path) -> Vec<Map<String, Value>> {
    match path.extension().unwrap().to_str().unwrap() {
        "csv" => {
            let mut reader = csv::Reader::from_path(path).unwrap();
            reader.deserialize().map(Result::unwrap).collect()
        }
        "parquet" => {
            let columns = COLUMNS.map(|name| match name {
                "image_id" | "caption" | "references" => (name, Kind::Text),
                "row" => (name, Kind::Count),
                _ => (name, Kind::Number),
            });
            read_parquet(path, &columns).unwrap().rows().collect()
        }
        _ => {
            let file = std::fs::File::open(path).unwrap();
            let rows = serde_json::Deserializer::from_reader(file).into_iter();
            rows.map(Result::unwrap).collect()
        }
    }
}

const COLUMNS: [&str; 7] =
    ["image_id", "row", "caption", "references", "distance", "influence", "bleu_4"];

#[test]
fn the_table_per_caption_adds_up_to_the_score() {
    let place = Place::new();
    for extension in ["csv", "parquet", "jsonl"] {
        let file = place.path(&format!("captions.{extension}"));
        let record = place.record(
            &captions("good.csv"),
            &captions("references.csv"),
            &["--per-caption", file.to_str().unwrap(), "--metrics", "bleu,cider"],
        );
        let rows = rows(&file);
        assert_eq!(rows.len() as f64, number(&record, "/n"), "{extension}");
        for (row, name) in rows.iter().flat_map(|row| COLUMNS.map(|name| (row, name))) {
            assert!(!row[name].is_null(), "{extension}: {name} of {row:?}");
        }
        let distances = rows.iter().map(|row| row["distance"].as_f64().unwrap());
        let mean = distances.sum::<f64>() / rows.len() as f64;
        let paired = number(&record, "/fgd_paired/value");
        assert_close(mean, paired, 1e-12, extension);
    }
}

#[test]
fn what_a_caption_has_no_number_of_is_null_everywhere() {
    let place = Place::new();
    let recalls = ["csv", "parquet", "jsonl"].map(|extension| {
        let file = place.path(&format!("captions.{extension}"));
        let more = ["--metrics", "ocr", "--keep-captions", "--per-caption", file.to_str().unwrap()];
        let record = place.record(&captions("good.csv"), &captions("references.csv"), &more);
        crate::schema::assert_holds(&record);
        let numbers = record["captions"]["systems"][0]["numbers"].as_array().unwrap();
        let kept = numbers.iter().find(|column| column["name"] == "ocr_recall").unwrap();
        let kept = kept["values"].as_array().unwrap();
        let with_text = kept.iter().filter(|value| value.is_number()).count() as f64;
        assert_eq!(with_text, number(&record, "/metrics/ocr_images/value"));
        let written: Vec<Value> = match extension {
            "parquet" => {
                let columns = [("ocr_recall", Kind::Number)];
                let table = read_parquet(&file, &columns).unwrap();
                table.rows().map(|row| row["ocr_recall"].clone()).collect()
            }
            _ => rows(&file).into_iter().map(|row| row["ocr_recall"].clone()).collect(),
        };
        // A cell of CSV that is empty comes as an empty text.
        written.iter().map(|cell| cell.as_f64()).collect::<Vec<_>>()
    });
    assert!(recalls[0].contains(&None) && recalls[0].iter().any(Option::is_some));
    assert!(recalls[0] == recalls[1] && recalls[0] == recalls[2]);
    let csv = std::fs::read_to_string(place.path("captions.csv")).unwrap();
    assert!(!csv.contains("NaN"), "{csv}");
}

#[test]
fn a_table_of_unknown_format_is_a_usage_error() {
    let place = Place::new();
    good(&place)
        .arg("--per-caption")
        .arg(place.path("captions.xlsx"))
        .assert()
        .code(2)
        .stderr(predicate::str::contains(".parquet"));
}

#[test]
fn the_worst_captions_come_first() {
    let place = Place::new();
    let record =
        place.record(&captions("good.csv"), &captions("references.csv"), &["--worst", "5"]);
    let worst = record["results"]["worst"].as_array().unwrap();
    assert_eq!(worst.len(), 5);
    let distances: Vec<f64> =
        worst.iter().map(|caption| caption["distance"].as_f64().unwrap()).collect();
    assert!(distances.is_sorted_by(|a, b| a >= b), "{distances:?}");
    let most = number(&record, "/distances/quantiles/6");
    assert_close(distances[0], most, 1e-12, "the worst is the maximum");
}

#[test]
fn hidden_references_are_in_no_table() {
    let place = Place::new();
    let file = place.path("captions.csv");
    let more = ["--hide-references", "--per-caption", file.to_str().unwrap()];
    place.record(&captions("good.csv"), &captions("references.csv"), &more);
    let header = std::fs::read_to_string(&file).unwrap();
    let header = header.lines().next().unwrap();
    assert!(header.contains("caption") && !header.contains("references"), "{header}");
}

#[test]
fn results_replace_neither_inputs_nor_each_other() {
    let place = Place::new();
    let copy = |from: &str, name: &str| {
        std::fs::copy(captions(from), place.path(name)).unwrap();
        place.path(name)
    };
    let (good, poor, references) =
        (copy("good.csv", "a.csv"), copy("poor.csv", "b.csv"), copy("references.csv", "r.csv"));
    let before = [&good, &poor, &references].map(|path| std::fs::read(path).unwrap());
    std::os::unix::fs::symlink("a.csv", place.path("link.csv")).unwrap();
    let request = r#"{"job": "score", "submission": "a.csv", "references": {"path": "r.csv"}, "per_caption": "r.csv"}"#;
    std::fs::write(place.path("job.json"), request).unwrap();
    let request = r#"{"job": "leaderboard", "references": {"path": "r.csv"},
        "submissions": [{"name": "a", "path": "a.csv"}, {"name": "b", "path": "b.csv"}]}"#;
    std::fs::write(place.path("board.json"), request).unwrap();
    for (line, said) in [
        ("score a.csv -r r.csv -o a.csv", "input"),
        ("score a.csv -r r.csv -o ./link.csv", "input"),
        ("score link.csv -r r.csv -o a.csv", "input"),
        ("score a.csv -r r.csv --per-caption r.csv", "input"),
        ("score a.csv -r r.csv -o x.csv --per-caption ./x.csv", "two results"),
        ("compare a.csv b.csv -r r.csv -o b.csv", "input"),
        ("leaderboard a.csv b.csv -r r.csv -o b.csv", "input"),
        ("agreement a.csv -r r.csv -o a.csv", "input"),
        ("select a.csv -o a.csv", "input"),
        ("ensemble a.csv b.csv -o b.csv", "input"),
        ("curate a.csv -o a.csv", "input"),
        ("curate a.csv -o x.csv --dropped x.csv", "two results"),
        ("validate a.csv -o a.csv", "input"),
        ("caption --checkpoint none --images a.csv -o a.csv", "input"),
        ("merge-captions a.csv b.csv -o a.csv", "input"),
        ("merge a.csv b.csv -o b.csv", "input"),
        ("report job.json -o job.json", "input"),
        ("export badge job.json -o job.json", "input"),
        ("job job.json", "input"),
        ("job board.json -o b.csv", "input"),
        ("bench encoder --captions a.csv --queries a.csv", "input"),
        ("bench captioner --checkpoint none --images a.csv -o a.csv", "input"),
    ] {
        let refused = place.fgd().current_dir(place.path("")).args(line.split(' ')).assert();
        refused.code(2).stderr(predicate::str::contains(said));
        let after = [&good, &poor, &references].map(|path| std::fs::read(path).unwrap());
        assert!(before == after, "{line}");
    }
    // What is not there yet is nobody's.
    self::good(&place).arg("--per-caption").arg(place.path("new.csv")).assert().success();
}

#[test]
fn a_device_that_no_engine_has_is_refused_with_nothing_left_to_encode() {
    let place = Place::new();
    good(&place).assert().success();
    for engine in ["packed", "int12"] {
        good(&place)
            .args(["--device", "cuda:0", "--engine", engine])
            .assert()
            .code(2)
            .stderr(predicate::str::contains("--device"));
    }
    let nothing = place.path("nothing.csv");
    place
        .score(&nothing, &nothing)
        .args(["--device", "tpu", "--engine", "candle"])
        .assert()
        .code(2);
}
