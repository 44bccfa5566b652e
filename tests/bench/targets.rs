//! What else is measured: captions of a file, the captioner by its stages, whole scores.

use serde_json::Value;

use super::program::{Place, captions, fixture, json, stderr};
use super::{captioner, number, schema, score};

#[test]
fn captions_of_a_file_are_embedded_once_each() {
    let place = Place::new();
    let mut command = place.fgd();
    command
        .args([
            "bench",
            "encoder",
            "--scenario",
            "offline",
            "--duration",
            "0.1",
            "--format",
            "json",
            "--captions",
        ])
        .arg(captions("references.csv"))
        .arg("--encoder")
        .arg(fixture("encoder/tiny-mean"));
    let record = json(&mut command);
    let rows = number(&record["inputs"][0]["rows"]);
    let items = number(&record["results"]["queries"]["items_per_query"]);
    assert!(items > 0.0 && items <= rows, "{items} of {rows}");
    assert_eq!(record["inputs"][0]["role"], "captions");
}

#[test]
fn the_captioners_time_is_split() {
    let place = Place::new();
    let record = json(&mut captioner(
        &place,
        &["--items", "3", "--batch-size", "2", "--max-new-tokens", "5", "--format", "json"],
    ));
    schema::assert_holds(&record);
    let results = &record["results"];
    let stages = results["stages"].as_array().unwrap();
    let names: Vec<&str> = stages.iter().map(|stage| stage["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["decode and resize", "vision", "Q-Former", "encoder", "first token", "further tokens"]
    );
    let images = number(&results["queries"]["items"]);
    // All captions are made equally long.
    assert_eq!(number(&results["queries"]["tokens"]), 5.0 * images);
    assert_eq!(number(&stages[4]["count"]), images);
    assert_eq!(number(&stages[5]["count"]), 4.0 * images);
    let shares: f64 = stages.iter().map(|stage| number(&stage["share"])).sum();
    assert!(shares > 0.5 && shares <= 1.0 + 1e-9, "{shares}");
    assert!(stages[1..].iter().all(|stage| number(&stage["gflop_per_unit"]) > 0.0));
    assert_eq!(record["checkpoint"]["dtype"], "f32");
    assert!(number(&results["load_seconds"]) > 0.0);
}

#[test]
fn beams_are_counted_as_images() {
    let place = Place::new();
    let record = json(&mut captioner(
        &place,
        &[
            "--items",
            "2",
            "--batch-size",
            "2",
            "--num-beams",
            "3",
            "--max-new-tokens",
            "4",
            "--format",
            "json",
        ],
    ));
    let results = &record["results"];
    let stages = results["stages"].as_array().unwrap();
    assert_eq!(stages[4]["count"], results["queries"]["items"]);
}

#[test]
fn a_query_that_fails_is_counted_and_makes_the_run_invalid() {
    let place = Place::new();
    let images = place.path("images");
    std::fs::create_dir(&images).unwrap();
    std::fs::copy(fixture("tiny-blip2/img.png"), images.join("1.png")).unwrap();
    std::fs::write(images.join("2.png"), "no image").unwrap();
    let mut command = captioner(&place, &["--format", "json", "--min-queries", "4", "--images"]);
    let output = command.arg(&images).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    schema::assert_holds(&record);
    let queries = &record["results"]["queries"];
    let (failed, issued) = (number(&queries["failed"]), number(&queries["issued"]));
    assert!(failed >= 2.0 && failed < issued, "{failed} of {issued}");
    let reason = record["results"]["validity"]["reasons"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("queries failed"), "{reason}");
}

#[test]
fn whole_scores_are_processes_of_their_own() {
    let place = Place::new();
    // Flags in the environment are those of the benchmark, not of the jobs.
    let result = place.path("bench.json");
    score(&place, &["--no-cache"])
        .env("FGD_FORMAT", "json")
        .env("FGD_OUTPUT", &result)
        .assert()
        .success();
    let record: Value = serde_json::from_slice(&std::fs::read(result).unwrap()).unwrap();
    schema::assert_holds(&record);
    assert_eq!(record["kind"], "bench");
    assert_eq!(record["results"]["queries"]["failed"], 0);
    let names: Vec<&str> = (record["results"]["stages"].as_array().unwrap().iter())
        .map(|stage| stage["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["read the files", "embed", "score", "everything else"]);
    let roles: Vec<&str> = (record["inputs"].as_array().unwrap().iter())
        .map(|i| i["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["submission", "references"]);
}
