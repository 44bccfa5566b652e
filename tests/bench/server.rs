//! Queries that arrive by a clock of their own, and sweeps over batches and threads.

use super::program::{Place, json, stderr, stdout};
use super::{encoder, headlines, number, record_and_exit, schema};

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
fn a_search_that_runs_out_of_time_says_so_once() {
    let place = Place::new();
    let more = ["--scenario", "server", "--latency-bound", "30", "--duration", "0.1"];
    let in_time = ["--max-duration", "0.2", "--format", "json"];
    let (record, valid) = record_and_exit(encoder(&place, &more).args(in_time));
    let reasons = record["results"]["validity"]["reasons"].as_array().unwrap();
    if !valid {
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        let advice = reasons[0]["change"].as_str().unwrap();
        assert!(!reasons[0]["reason"].as_str().unwrap().contains("raise"), "{reasons:?}");
        assert!(!advice.contains("lower --min-queries"), "{advice}");
    }
    // Whatever is asked about.
    assert_eq!(record["settings"]["min-queries"], 528);
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
    assert_eq!(record["results"]["queries"]["items_per_query"], 32);
}
