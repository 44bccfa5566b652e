//! `fgd leaderboard` through the program: order, rank ranges, splits, and submissions that cannot be ranked.

use serde_json::Value;

use crate::systems::{captions, embed, encoder, fgd, record, run, timeless};

fn names(record: &Value) -> Vec<&str> {
    let standings = record["results"]["standings"].as_array().unwrap();
    standings.iter().map(|s| s["name"].as_str().unwrap()).collect()
}

#[test]
fn submissions_are_ranked_and_copies_share_a_rank_range() {
    let folder = tempfile::tempdir().unwrap();
    let [good, poor, shuffled, references] =
        ["good.csv", "poor.csv", "shuffled.csv", "references.csv"]
            .map(|name| embed(name, folder.path()));
    let copy = format!("copy={good}");
    let found = record(&[
        "leaderboard",
        &shuffled,
        &poor,
        &good,
        &copy,
        "--references",
        &references,
        "--split",
        "public=0.3",
    ]);
    assert_eq!(names(&found), ["copy", "good", "poor", "shuffled"]);
    let standings = found["results"]["standings"].as_array().unwrap();
    let ranks: Vec<_> = standings.iter().map(|s| (&s["rank"], &s["rank_range"])).collect();
    let row = |rank: u64, range: [u64; 2]| (Value::from(rank), Value::from(range.to_vec()));
    let expected = [row(1, [1, 2]), row(1, [1, 2]), row(3, [3, 3]), row(4, [4, 4])];
    for ((rank, range), (expected_rank, expected_range)) in ranks.into_iter().zip(&expected) {
        assert_eq!((rank, range), (expected_rank, expected_range));
    }
    let split = &found["results"]["split"];
    assert_eq!((&split["public"], &split["private"]), (&99.into(), &230.into()));
    assert_eq!(split["seed"], 0);
    let key = &found["comparability"]["key"];
    assert!(standings.iter().all(|s| &s["comparability_key"] == key));
    // The parts together are the whole.
    let first = &standings[0];
    let value = |measure: &Value| measure["value"].as_f64().unwrap();
    let whole = (99.0 * value(&first["public"]) + 230.0 * value(&first["private"])) / 329.0;
    assert!((whole - value(&first["scores"]["fgd_paired"])).abs() < 1e-12);
}

#[test]
fn invalid_submissions_are_listed_and_not_ranked() {
    let (good, poor, references) =
        (captions("good.csv"), captions("poor.csv"), captions("references.csv"));
    let missing = captions("malformed/missing-ids.csv");
    let empty = captions("malformed/zero-bytes.csv");
    let encoder = encoder();
    let fixed = [
        "leaderboard",
        &missing,
        &good,
        &empty,
        &poor,
        "--references",
        &references,
        "--encoder",
        &encoder,
    ];
    let (code, stdout, stderr) = run(&[&fixed[..], &["--format", "json"]].concat());
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("2 of 4 submissions could not be ranked"), "{stderr}");
    let found: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(names(&found).len(), 2);
    let rejected = found["results"]["rejected"].as_array().unwrap();
    assert_eq!(rejected[0]["name"], "missing-ids");
    assert_eq!(rejected[0]["reason"], "5 errors in the file");
    assert_eq!(rejected[0]["findings"].as_array().unwrap().len(), 5);
    assert_eq!(rejected[1]["name"], "zero-bytes");
    let (code, table, _) = run(&fixed);
    assert_eq!(code, 0);
    assert!(table.contains("Not ranked") && table.contains("missing-ids"), "{table}");

    let (code, _, stderr) =
        run(&["leaderboard", &missing, "--references", &references, "--encoder", &encoder]);
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("not one of the submissions"), "{stderr}");

    let (_, table, _) = run(&[&fixed[..], &["--metrics", "cider"]].concat());
    assert!(table.contains("CIDEr"), "{table}");

    // What is not there is no submission's fault.
    let (code, _, stderr) = run(&[&fixed[..], &["nowhere.csv"]].concat());
    assert!(code == 1 && stderr.contains("nowhere.csv"), "{stderr}");
}

#[test]
fn a_usage_column_splits_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = csv::Reader::from_path(captions("references.csv")).unwrap();
    let path = folder.path().join("solution.csv");
    let mut writer = csv::Writer::from_path(&path).unwrap();
    writer.write_record(["image_id", "caption", "Usage"]).unwrap();
    for (row, record) in reader.records().enumerate() {
        let record = record.unwrap();
        // What is ignored may have no caption, and submissions may have its images.
        let (usage, caption) = match row {
            0..100 => ("Public", &record[1]),
            100..300 => ("Private", &record[1]),
            _ => ("Ignored", ""),
        };
        writer.write_record([&record[0], caption, usage]).unwrap();
    }
    writer.flush().unwrap();
    let references = path.to_str().unwrap();
    let (good, poor) = (captions("good.csv"), captions("poor.csv"));
    let encoder = encoder();
    let fixed = ["leaderboard", &good, &poor, "--references", references, "--encoder", &encoder];
    let found = record(&fixed);
    let split = &found["results"]["split"];
    assert_eq!((&split["source"], &split["public"]), (&"Usage".into(), &100.into()));
    assert_eq!((&split["private"], &found["results"]["n"]), (&200.into(), &300.into()));
    assert_eq!(split["seed"], Value::Null);
    for wrong in ["public=2", "no_such_column", "caption=1"] {
        let (code, _, stderr) = run(&[&fixed[..], &["--split", wrong]].concat());
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(wrong), "{stderr}");
    }
}

#[test]
fn groups_are_of_the_same_images_for_all_submissions() {
    let (good, poor, references) =
        (captions("good.csv"), captions("poor.csv"), captions("references.csv"));
    let encoder = encoder();
    let fixed = ["leaderboard", &good, &poor, "-r", &references, "--encoder", &encoder];
    let found = record(&[&fixed[..], &["--slice", "length"]].concat());
    let standings = found["results"]["standings"].as_array().unwrap();
    let groups: Vec<Vec<_>> = (standings.iter())
        .map(|standing| {
            let parts = standing["scores"]["slices"][0]["parts"].as_array().unwrap();
            parts.iter().map(|part| (&part["value"], &part["results"]["n"])).collect()
        })
        .collect();
    assert!(groups.len() == 2 && groups[0] == groups[1], "{groups:?}");
}

#[test]
fn parts_are_of_images_whatever_the_order_of_the_references() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = csv::Reader::from_path(captions("references.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let written = |name: &str, rows: &mut dyn Iterator<Item = (usize, &csv::StringRecord)>| {
        let path = folder.path().join(name);
        let mut writer = csv::Writer::from_path(&path).unwrap();
        writer.write_record(["image_id", "caption", "Usage"]).unwrap();
        for (at, row) in rows {
            let usage = if at % 3 == 0 { "Public" } else { "Private" };
            writer.write_record([&row[0], &row[1], usage]).unwrap();
        }
        writer.flush().unwrap();
        path.display().to_string()
    };
    let in_order = written("in-order.csv", &mut rows.iter().enumerate());
    let reversed = written("reversed.csv", &mut rows.iter().enumerate().rev());
    let (good, poor, encoder) = (captions("good.csv"), captions("poor.csv"), encoder());
    for split in ["public=0.3", "Usage"] {
        let board = |references: &str, more: &[&str]| {
            let fixed = ["leaderboard", &good, &poor, "--references", references];
            let options = ["--encoder", &encoder, "--split", split, "--seed", "3"];
            record(&[&fixed[..], &options, more].concat())["results"]["standings"].clone()
        };
        for more in [&[][..], &["--public-only"]] {
            let found = board(&reversed, more);
            assert_eq!(found, board(&in_order, more), "{split} {more:?}");
            // Which a wrong part would not be.
            assert!(found[0]["scores"]["fgd_paired"]["value"].is_number(), "{found}");
        }
    }
}

#[test]
fn the_same_submissions_make_the_same_leaderboard_and_site() {
    let folder = tempfile::tempdir().unwrap();
    let [good, poor, references] =
        ["good.csv", "poor.csv", "references.csv"].map(|name| embed(name, folder.path()));
    let make = |site: &str| -> Value {
        let site = folder.path().join(site);
        record(&[
            "leaderboard",
            &good,
            &poor,
            "--references",
            &references,
            "--split",
            "public=0.5",
            "--seed",
            "3",
            "--report",
            site.to_str().unwrap(),
        ])
    };
    let (one, two) = (make("one"), make("two"));
    assert_eq!(timeless(one), timeless(two));
    for name in ["index.html", "system-good.html", "system-poor.html"] {
        assert!(folder.path().join("one").join(name).is_file(), "{name}");
    }
}

#[test]
fn the_environment_speaks_for_the_flags() {
    let folder = tempfile::tempdir().unwrap();
    let [good, poor, references] =
        ["good.csv", "poor.csv", "references.csv"].map(|name| embed(name, folder.path()));
    let output = fgd(&["leaderboard", &good, &poor, "--quiet"])
        .env("FGD_REFERENCES", &references)
        .env("FGD_SPLIT", "public=0.4")
        .env("FGD_FORMAT", "json")
        .output()
        .unwrap();
    assert!(output.status.success());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["settings"]["split"], "public=0.4");
}

#[test]
fn references_of_other_images_rank_by_the_set_distance() {
    let folder = tempfile::tempdir().unwrap();
    let [good, poor, shuffled, other] = ["good.csv", "poor.csv", "shuffled.csv", "other.csv"]
        .map(|name| embed(name, folder.path()));
    let fixed = ["leaderboard", &poor, &shuffled, &good, "--references", &other, "--unpaired"];
    let found = record(&fixed);
    assert_eq!(found["results"]["ranked_by"], "fgd_set");
    let standings = found["results"]["standings"].as_array().unwrap();
    let of = |name: &str| standings.iter().find(|s| s["name"] == name).unwrap();
    let set = |name: &str| of(name)["scores"]["fgd_set"]["corrected"].as_f64().unwrap();
    // The shuffled captions are the good ones: the same set, so the same distance and ranks.
    let raw = |name: &str| of(name)["scores"]["fgd_set"]["value"].as_f64().unwrap();
    assert!((raw("good") - raw("shuffled")).abs() < 1e-9);
    assert_eq!(of("good")["rank_range"], of("shuffled")["rank_range"]);
    assert!(set("poor") > set("good"));
    for difference in found["results"]["differences"].as_array().unwrap() {
        assert_eq!((&difference["metric"], &difference["wins"]), (&"fgd_set".into(), &Value::Null));
        let name = |key: &str| difference[key].as_str().unwrap();
        // The same captions are equally far, whatever each one's bias is estimated to be.
        let expected = match [name("system"), name("versus")].contains(&"poor") {
            true => set(name("system")) - set(name("versus")),
            false => 0.0,
        };
        assert!((difference["estimate"]["value"].as_f64().unwrap() - expected).abs() < 1e-9);
    }
    let (code, _, stderr) = run(&[&fixed[..], &["--split", "public=0.5"]].concat());
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("--unpaired"), "{stderr}");
    let (_, table, _) = run(&fixed);
    assert!(table.contains("ranked by fgd_set"), "{table}");
}

#[test]
fn every_standing_has_its_slices() {
    let (good, poor, references) =
        (captions("good.csv"), captions("poor.csv"), captions("references.csv"));
    let encoder = encoder();
    let found = record(&[
        "leaderboard",
        &good,
        &poor,
        "--references",
        &references,
        "--encoder",
        &encoder,
        "--slice",
        "text",
    ]);
    for standing in found["results"]["standings"].as_array().unwrap() {
        let parts = standing["scores"]["slices"][0]["parts"].as_array().unwrap();
        let n: u64 = parts.iter().map(|part| part["results"]["n"].as_u64().unwrap()).sum();
        assert_eq!((parts.len(), n), (2, 329));
    }
}
