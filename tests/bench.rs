//! `fgd bench` as a user runs it: every target and scenario, what makes a run INVALID, the record and the report. Nothing
//! here depends on how fast the machine is.

mod program;
mod schema;

use assert_cmd::Command;
use serde_json::{Value, json};

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

#[test]
fn single_queries_give_latencies_with_bounds() {
    let place = Place::new();
    let file = place.path("samples.csv");
    let record = json(
        encoder(&place, &["--min-queries", "700", "--format", "json", "--samples"]).arg(&file),
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

// Whether a bound is shown depends on the machine; that the verdict follows from what was shown does not.
#[test]
fn a_server_at_a_given_rate_counts_when_it_keeps_its_bound() {
    let place = Place::new();
    let more =
        ["--scenario", "server", "--rate", "500", "--latency-bound", "60", "--min-queries", "1500"];
    let (record, valid) = record_and_exit(encoder(&place, &more).args(["--format", "json"]));
    let server = &record["results"]["server"];
    assert_eq!(server["points"].as_array().unwrap().len(), 1);
    assert_eq!(server["points"][0]["outcome"] == "kept", valid);
    assert!(server["highest_rate"].is_null());
    // Arrivals of one caption each.
    let queries = &record["results"]["queries"];
    assert_eq!(queries["items"], queries["issued"]);
    assert!(number(&queries["issued"]) >= 1500.0);
}

#[test]
fn an_overloaded_server_is_invalid_and_says_why() {
    let place = Place::new();
    let more = [
        "--scenario",
        "server",
        "--rate",
        "10000000",
        "--batch-size",
        "1",
        "--latency-bound",
        "0.001",
        "--min-queries",
        "100000",
    ];
    let output = encoder(&place, &more).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let text = stdout(&output);
    let end = text.find("INVALID for 1 reason").expect("a verdict");
    assert!(text[end..].contains("overloaded: queries arrived at 10000000.0 per second"), "{text}");
    assert!(text[end..].contains("lower --rate"), "{text}");
}

#[test]
fn the_highest_rate_is_searched_for() {
    let place = Place::new();
    let more = [
        "--scenario",
        "server",
        "--latency-bound",
        "30",
        "--min-queries",
        "800",
        "--max-duration",
        "2",
    ];
    let (record, valid) = record_and_exit(encoder(&place, &more).args(["--format", "json"]));
    assert_eq!(headlines(&record)[0], "highest_rate");
    let server = &record["results"]["server"];
    if valid {
        assert!(number(&server["highest_rate"]["value"]) > 0.0);
        let last = server["points"].as_array().unwrap().last().unwrap();
        assert_eq!(last["rate"], server["highest_rate"]["value"]);
        assert_eq!(last["outcome"], "kept");
    }
}

#[test]
fn a_sweep_is_a_table() {
    let place = Place::new();
    let more = [
        "--scenario",
        "sweep",
        "--duration",
        "0.02",
        "--batch-sizes",
        "1,8,32",
        "--thread-counts",
        "1,2",
        "--format",
        "json",
    ];
    let record = json(&mut encoder(&place, &more));
    schema::assert_holds(&record);
    let cells = record["results"]["sweep"].as_array().unwrap();
    let shape: Vec<(u64, u64)> = cells
        .iter()
        .map(|cell| (cell["threads"].as_u64().unwrap(), cell["batch"].as_u64().unwrap()))
        .collect();
    assert_eq!(shape, [(1, 1), (1, 8), (1, 32), (2, 1), (2, 8), (2, 32)]);
    assert!(cells.iter().all(|cell| number(&cell["items_per_second"]["value"]) > 0.0));
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

/// `fgd job` of a request in the place's folder.
fn job(place: &Place, request: &Value) -> Command {
    let file = place.path("request.json");
    std::fs::write(&file, request.to_string()).unwrap();
    let mut command = place.fgd();
    command.arg("job").arg(file);
    command
}

#[test]
fn a_request_does_what_its_command_does() {
    let place = Place::new();
    let references = captions("references.csv");
    let request = |submission: &str| {
        json!({
            "job": "score",
            "submission": captions(submission),
            "references": { "path": references },
            "encoding": { "encoder": fixture("encoder/tiny-mean") },
        })
    };
    let by_flags = place.record(&captions("good.csv"), &references, &[]);
    let by_request = json(&mut job(&place, &request("good.csv")));
    schema::assert_holds(&by_request);
    for part in ["results", "signature", "settings", "inputs"] {
        assert_eq!(by_request[part], by_flags[part], "{part}");
    }
    let code = |request: &Value| job(&place, request).output().unwrap().status.code();
    assert_eq!(code(&request("malformed/empty-captions.csv")), Some(4));

    let bench = json!({
        "job": "bench",
        "target": "encoder",
        "items": 8,
        "encoding": { "encoder": fixture("encoder/tiny-mean") },
        "load": { "duration": 0.1, "max_duration": 0.1, "min_queries": 1_000_000_000 },
    });
    let output = job(&place, &bench).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    let reasons = &record["results"]["validity"]["reasons"];
    assert!(reasons[0]["reason"].as_str().unwrap().contains("1000000000"));
}

#[test]
fn a_request_that_makes_no_sense_is_refused() {
    let place = Place::new();
    for (request, says) in [
        (json!({ "job": "scor" }), "unknown variant `scor`"),
        (json!({ "job": "bench", "target": "encoder", "item": 8 }), "unknown field `item`"),
        (json!({ "job": "bench", "target": "captioner" }), "`checkpoint`"),
        (
            json!({ "job": "bench", "target": "encoder", "load": { "rate": 1.0 } }),
            "--scenario server",
        ),
    ] {
        let output = job(&place, &request).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
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
