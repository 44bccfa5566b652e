//! `fgd bench` as a user runs it: every target and scenario, what makes a run INVALID, the record and the report. Nothing
//! here depends on how fast the machine is.

#[path = "../program/mod.rs"]
mod program;
mod requests;
#[path = "../schema/mod.rs"]
mod schema;
mod server;
mod targets;

use assert_cmd::Command;
use serde_json::Value;

use program::{Place, captions, fixture, json, stderr, stdout};

/// `fgd bench encoder` with the tiny encoder, for a moment.
fn encoder(place: &Place, more: &[&str]) -> Command {
    let mut command = place.fgd();
    command
        .env("FGD_DURATION", "0.2")
        .args(["bench", "encoder", "--items", "64", "--encoder"])
        .arg(fixture("encoder/tiny-mean"))
        .args(more);
    command
}

/// `fgd bench captioner` with the tiny checkpoint, for a moment.
fn captioner(place: &Place, more: &[&str]) -> Command {
    let mut command = place.fgd();
    command
        .env("FGD_DURATION", "0.2")
        .env("FGD_MIN_QUERIES", "3")
        .args(["bench", "captioner", "--checkpoint"])
        .arg(fixture("tiny-blip2/base"))
        .args(more);
    command
}

fn score(place: &Place, more: &[&str]) -> Command {
    let mut command = place.fgd();
    command
        .args(["bench", "score"])
        .arg(captions("good.csv"))
        .arg("--references")
        .arg(captions("references.csv"))
        .env("FGD_DURATION", "0.2")
        .env("FGD_MIN_QUERIES", "4")
        .arg("--encoder")
        .arg(fixture("encoder/tiny-mean"))
        .args(more);
    command
}

fn headlines(record: &Value) -> Vec<&str> {
    let headlines = record["results"]["headlines"].as_array().unwrap();
    headlines.iter().map(|headline| headline["name"].as_str().unwrap()).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// A record, and whether the exit code says that the run counts.
fn record_and_exit(command: &mut Command) -> (Value, bool) {
    let output = command.output().unwrap();
    let valid = match output.status.code() {
        Some(0) => true,
        Some(5) => false,
        other => panic!("{other:?}: {}", stderr(&output)),
    };
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    schema::assert_holds(&record);
    assert_eq!(record["results"]["validity"]["valid"], valid);
    let reasons = record["results"]["validity"]["reasons"].as_array().unwrap();
    assert_eq!(reasons.is_empty(), valid);
    (record, valid)
}

#[test]
fn single_queries_give_latencies_with_bounds() {
    let place = Place::new();
    let file = place.path("samples.csv");
    let record = json(
        encoder(&place, &["--min-queries", "700", "--format", "json", "--queries"]).arg(&file),
    );
    schema::assert_holds(&record);
    let results = &record["results"];
    assert_eq!(results["validity"]["valid"], true);
    assert_eq!(
        headlines(&record),
        [
            "latency_p50",
            "latency_p90",
            "latency_p99",
            "throughput",
            "tokens_per_second",
            "peak_memory",
            "load_time"
        ]
    );
    let percentiles = results["latency"]["percentiles"].as_array().unwrap();
    let values: Vec<f64> = percentiles[..3].iter().map(|p| number(&p["value"])).collect();
    assert!(values.is_sorted() && values[0] > 0.0, "{values:?}");
    for percentile in &percentiles[..2] {
        let value = number(&percentile["value"]);
        let low = percentile["low"].as_f64();
        let high = percentile["high"].as_f64();
        // On a machine with much else to do, queries in a row are too alike for a bound; the reason is then said.
        assert!(low.is_none_or(|low| low <= value), "{percentile}");
        assert!(high.is_none_or(|high| value <= high), "{percentile}");
        assert!(high.is_some() || percentile["reason"].is_string(), "{percentile}");
    }
    let queries = number(&results["queries"]["issued"]);
    assert!(queries >= 700.0 && number(&results["queries"]["seconds"]) >= 0.2);
    let samples = std::fs::read_to_string(file).unwrap();
    assert_eq!(samples.lines().count() as f64, queries + 1.0);
    // The parts of the time add up to no more than all of it.
    let stage = &results["stages"][0];
    assert!(number(&stage["share"]) <= 1.0 + 1e-9, "{stage}");
    assert_eq!(number(&stage["count"]), queries);
    // Tokens and operations are those of the captions.
    assert!(number(&stage["gflop_per_unit"]) > 0.0);
    assert!(number(&results["queries"]["tokens"]) > queries);
    assert!(number(&results["ceilings"]["read_gb_per_second"]) > 0.0);
    assert_eq!(record["encoder"]["engine"].as_str().unwrap().split('/').next(), Some("packed"));
}

#[test]
fn the_key_is_the_same_for_the_same_load_and_another_for_another() {
    let place = Place::new();
    let key = |more: &[&str]| {
        let record = json(encoder(&place, &["--min-queries", "10", "--format", "json"]).args(more));
        record["comparability"]["key"].as_str().unwrap().to_owned()
    };
    let one = key(&[]);
    assert_eq!(one, key(&["--duration", "0.3"]));
    assert_ne!(one, key(&["--batch-size", "2"]));
    assert_ne!(one, key(&["--seed", "1"]));
    assert_ne!(one, key(&["--threads", "1"]));
    assert_ne!(one, key(&["--engine", "int12"]));
}

#[test]
fn offline_passes_over_everything() {
    let place = Place::new();
    let record = json(&mut encoder(&place, &["--scenario", "offline", "--format", "json"]));
    schema::assert_holds(&record);
    let queries = &record["results"]["queries"];
    assert_eq!(queries["items_per_query"], 64);
    assert_eq!(number(&queries["items"]), 64.0 * number(&queries["issued"]));
    assert_eq!(headlines(&record)[..2], ["throughput", "tokens_per_second"]);
    assert!(record["results"]["latency"].is_null());
    let headline = &record["results"]["headlines"][0];
    assert_eq!(headline["unit"], "captions/s");
    assert_eq!(headline["higher_is_better"], true);
}

#[test]
fn a_run_with_too_few_queries_is_invalid() {
    let place = Place::new();
    let output = encoder(&place, &["--max-duration", "0.3", "--min-queries", "1000000000"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(stdout(&output).contains("of at least 1000000000 queries"), "{}", stdout(&output));
    assert!(stdout(&output).contains("--max-duration"));
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_a_run_that_is_still_reported() {
    use std::process::{Command, Stdio};
    let place = Place::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_fgd"))
        .args(["bench", "encoder", "--items", "64", "--duration", "500", "--encoder"])
        .arg(fixture("encoder/tiny-mean"))
        .env("FGD_CACHE_DIR", place.path("cache"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The process listens from the start of the run on; earlier, the signal would end it at once.
    std::thread::sleep(std::time::Duration::from_secs(3));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5), "{text}");
    assert!(text.contains("the run was interrupted"), "{text}");
}

#[test]
fn a_report_has_a_page_with_pictures() {
    let place = Place::new();
    let site = place.path("site");
    encoder(&place, &["--min-queries", "600", "--report"]).arg(&site).assert().success();
    // The index is the page of a record that is alone.
    let page = std::fs::read_to_string(site.join("index.html")).unwrap();
    assert!(page.contains("VALID"), "{page}");
    for title in ["Latency curve", "Percentiles of the latency", "Roofline"] {
        assert!(page.contains(title), "{title}");
    }
    assert_eq!(page.matches("role=\"img\"").count(), 3);
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let place = Place::new();
    for (arguments, says) in [
        (&["--rate", "10"][..], "--scenario server"),
        (&["--batch-sizes", "1,2"], "--scenario sweep"),
        (&["--scenario", "offline", "--batch-size", "2"], "--batch-size"),
        (&["--batch-size", "65"], "64"),
        (&["--batch-size", "0"], "0 items"),
        (&["--duration", "0"], "above 0"),
        (&["--duration", "20", "--max-duration", "10"], "--max-duration"),
        (&["--scenario", "server", "--rate=-1"], "--rate"),
        (&["--items", "0"], "--items"),
    ] {
        let mut command = place.fgd();
        command.args(["bench", "encoder", "--encoder"]).arg(fixture("encoder/tiny-mean"));
        if !arguments.contains(&"--items") {
            command.args(["--items", "64"]);
        }
        let output = command.args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stdout(&output));
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    }
}
