//! `fgd job`: the same work, asked for by a file.

use assert_cmd::Command;
use serde_json::{Value, json};

use super::program::{Place, captions, fixture, json, stderr};
use super::schema;

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
