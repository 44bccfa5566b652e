//! `fgd score`: the numbers, against numpy, scipy and sentence-transformers; and what they must not depend on.

use serde_json::Value;

use crate::program::{self, Place, assert_close, captions, fixture, json, number};

/// The encoders agree to about 1e-6 per coordinate, and rounding is all that differs after them.
const TOLERANCE: f64 = 1e-5;

fn good(place: &Place, more: &[&str]) -> Value {
    place.record(&captions("good.csv"), &captions("references.csv"), more)
}

#[test]
fn the_numbers_are_those_of_the_python_originals() {
    let place = Place::new();
    let text = std::fs::read_to_string(fixture("score/golden.json")).unwrap();
    let golden: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(golden.len(), 4);
    for (pair, expected) in golden {
        let (system, references) = pair.split_once(' ').unwrap();
        let record = place.record(
            &captions(&format!("{system}.csv")),
            &captions(&format!("{references}.csv")),
            &[],
        );
        assert_eq!(record["results"]["n"], expected["n"], "{pair}");
        assert_eq!(record["results"]["references"], expected["references"]);
        for (name, pointer) in [
            ("fgd_paired", "/fgd_paired/value"),
            ("fgd_paired_as_published", "/fgd_paired/value"),
            ("fgd_paired_se", "/fgd_paired/se"),
            ("mean_cosine", "/mean_cosine/value"),
            ("fgd_set", "/fgd_set/value"),
            ("mean_shift", "/decomposition/mean_shift"),
            ("covariance", "/decomposition/covariance"),
            ("misalignment", "/decomposition/misalignment"),
        ] {
            if let Some(value) = expected[name].as_f64() {
                let what = format!("{pair}: {name}");
                assert_close(number(&record, pointer), value, TOLERANCE, &what);
            }
        }
    }
}

#[test]
fn every_format_of_the_same_captions_gives_the_same_number() {
    let place = Place::new();
    let expected = number(&good(&place, &[]), "/fgd_paired/value");
    for name in
        ["good.tsv", "good.json", "good.jsonl", "good.coco.json", "good.csv.gz", "good.parquet"]
    {
        let record = place.record(&captions(name), &captions("references.csv"), &[]);
        assert_eq!(number(&record, "/fgd_paired/value"), expected, "{name}");
    }
}

#[test]
fn the_record_keeps_to_its_schema() {
    let place = Place::new();
    let all = good(&place, &["--metrics", "all", "--worst", "3", "--slice", "label"]);
    for record in [good(&place, &[]), good(&place, &["--unpaired"]), all] {
        crate::schema::assert_holds(&record);
    }
}

#[test]
fn all_metrics_are_numbers_or_say_why_not() {
    let place = Place::new();
    let record = good(&place, &["--metrics", "all"]);
    assert!(!record.to_string().contains("NaN"));
    let metrics = record["results"]["metrics"].as_object().unwrap();
    assert!(metrics.len() > 15, "{:?}", metrics.keys());
    for (name, metric) in metrics {
        let reason = metric["reason"].as_str().unwrap_or_default();
        assert!(metric["value"].is_number() || !reason.is_empty(), "{name}");
    }
    assert!(number(&record, "/fgd_infinity/value/value").is_finite());
}

#[test]
fn of_what_could_not_be_had_nothing_is_said_but_why() {
    let place = Place::new();
    let few = place.path("few.csv");
    std::fs::write(&few, "image_id,caption\n1,a red bus\n2,two dogs\n3,a cat\n").unwrap();
    let record = place.record(&few, &few, &["--metrics", "infinity,ocr"]);
    let metrics = &record["results"]["metrics"];
    let reason = metrics["ocr_recall"]["reason"].as_str().unwrap();
    assert!(reason.contains("no reference holds quoted"), "{metrics}");
    assert_eq!(metrics["ocr_images"]["value"], 0.0, "{metrics}");
    let line = &record["results"]["fgd_infinity"];
    assert!(line["value"]["value"].is_null() && line["value"]["reason"].is_string(), "{line}");
    assert!(line["slope"].is_null() && line["r2"].is_null(), "{line}");
    crate::schema::assert_holds(&record);
    let output = place.score(&few, &few).args(["--metrics", "infinity"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("fgd_infinity") && !text.contains("r²"), "{text}");
}

#[test]
fn slices_share_out_the_images() {
    let place = Place::new();
    let record = good(&place, &["--slice", "label,ocr,length"]);
    let slices = record["results"]["slices"].as_array().unwrap();
    assert_eq!(slices.len(), 3);
    for slice in slices {
        let parts = slice["parts"].as_array().unwrap();
        assert!(parts.len() > 1, "{}", slice["column"]);
        let (mut images, mut sum) = (0.0, 0.0);
        for part in parts {
            let n = number(part, "/n");
            images += n;
            sum += n * number(part, "/fgd_paired/value");
        }
        assert_eq!(images, number(&record, "/n"), "{}", slice["column"]);
        let whole = number(&record, "/fgd_paired/value");
        assert_close(sum / images, whole, 1e-12, "mean over the parts");
    }
}

#[test]
fn unpaired_sets_have_a_set_distance_only() {
    let place = Place::new();
    let (paired, unpaired) = (good(&place, &[]), good(&place, &["--unpaired"]));
    assert_eq!(number(&unpaired, "/fgd_set/value"), number(&paired, "/fgd_set/value"));
    assert_eq!(unpaired["results"]["pairing"], "unpaired");
    assert!(unpaired["results"]["fgd_paired"]["value"].is_null());
    assert!(unpaired["results"]["fgd_paired"]["reason"].is_string());
}

#[test]
fn what_was_encoded_once_is_found_again() {
    let place = Place::new();
    let run = || {
        let mut command = place.score(&captions("good.csv"), &captions("references.csv"));
        let output = command.args(["--format", "json"]).output().unwrap();
        let record: Value = serde_json::from_slice(&output.stdout).unwrap();
        let said = program::stderr(&output);
        let encoded = said.lines().find(|line| line.contains("captions encoded"));
        let encoded = encoded.unwrap_or_default().to_owned();
        (record["results"].clone(), encoded)
    };
    let (first, encoded) = run();
    assert!(!encoded.starts_with("0 ") && !encoded.is_empty());
    let (second, encoded) = run();
    assert!(encoded.starts_with("0 captions encoded"), "{encoded}");
    assert_eq!(first, second);
}

#[test]
fn without_a_cache_nothing_is_left_behind() {
    let place = Place::new();
    let fresh = good(&place, &["--no-cache"]);
    assert!(place.files().is_empty(), "{:?}", place.files());
    let cached = good(&place, &[]);
    assert_eq!(place.files(), ["cache"]);
    assert_eq!(fresh["results"], cached["results"]);
}

#[test]
fn two_processes_share_one_cache() {
    let place = Place::new();
    let records: Vec<Value> = std::thread::scope(|scope| {
        let jobs = [(); 2].map(|()| scope.spawn(|| good(&place, &[])));
        jobs.into_iter().map(|job| job.join().unwrap()).collect()
    });
    assert_eq!(records[0]["results"], records[1]["results"]);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let run = |threads: &str| {
        let flags = ["--no-cache", "--metrics", "all", "--threads", threads];
        good(&Place::new(), &flags)["results"].clone()
    };
    assert_eq!(run("1"), run("2"));
}

#[test]
fn the_environment_stands_for_flags() {
    let place = Place::new();
    let mut command = place.fgd();
    command
        .arg("score")
        .arg(captions("good.csv"))
        .env("FGD_REFERENCES", captions("references.csv"))
        .env("FGD_ENCODER", fixture("encoder/tiny-mean"))
        .env("FGD_FORMAT", "json")
        .env("FGD_WORST", "2");
    let record = json(&mut command);
    assert_eq!(record["results"]["worst"].as_array().unwrap().len(), 2);
}

#[test]
fn an_empty_variable_is_none() {
    let place = Place::new();
    let mut command = place.score(&captions("good.csv"), &captions("references.csv"));
    let plain = json(command.args(["--format", "json"]));
    for (name, value) in [("FGD_WORST", ""), ("FGD_FORMAT", ""), ("FGD_OUTPUT", "")] {
        command.env(name, value);
    }
    assert_eq!(json(&mut command)["results"], plain["results"]);
    let mut command = place.fgd();
    command.arg("score").arg(captions("good.csv")).arg("-r").arg(captions("references.csv"));
    command.env("FGD_ENCODER", "").env("HF_HOME", place.path("hub"));
    let refused = command.assert().code(1);
    refused.stderr(predicates::str::contains("thenlper/gte-small"));
}
