//! With a trained encoder the numbers mean something: better captions score better, and wrong images show as misalignment.

use serde_json::Value;

use crate::program::{Place, assert_close, captions, json, number};

/// The record of a system under the encoder of `FGD_TEST_ENCODER`, which `script/test` sets. Where continuous
/// integration forgot it, that is a failure and no reason to skip.
fn record(place: &Place, system: &str) -> Option<Value> {
    let Some(encoder) = std::env::var_os("FGD_TEST_ENCODER") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "FGD_TEST_ENCODER names no trained encoder; run script/test, which sets it"
        );
        eprintln!("SKIPPED: FGD_TEST_ENCODER names no trained encoder; script/test sets it");
        return None;
    };
    let mut command = place.fgd();
    command
        .arg("score")
        .arg(captions(&format!("{system}.csv")))
        .arg("--references")
        .arg(captions("references.csv"))
        .args(["--format", "json", "--encoder"])
        .arg(encoder);
    Some(json(&mut command))
}

#[test]
fn better_captions_score_better() {
    let place = Place::new();
    let systems = ["good", "other", "poor", "shuffled"];
    let Some(records) =
        systems.iter().map(|system| record(&place, system)).collect::<Option<Vec<Value>>>()
    else {
        return;
    };
    let upper = |record: &Value| number(record, "/fgd_paired/ci95/1");
    let lower = |record: &Value| number(record, "/fgd_paired/ci95/0");
    for (better, worse) in [(0, 2), (1, 2), (2, 3)] {
        assert!(
            upper(&records[better]) < lower(&records[worse]),
            "{} is not clearly better than {}",
            systems[better],
            systems[worse]
        );
    }
    let (good, shuffled) = (&records[0], &records[3]);
    let set = "/fgd_set/value";
    assert_close(number(good, set), number(shuffled, set), 1e-9, "set distance");
    let parts = ["mean_shift", "covariance"].map(|part| format!("/decomposition/{part}"));
    for part in &parts {
        assert_close(number(good, part), number(shuffled, part), 1e-9, part);
    }
    let misalignment = "/decomposition/misalignment";
    let moved = number(shuffled, misalignment) - number(good, misalignment);
    let paired = number(shuffled, "/fgd_paired/value") - number(good, "/fgd_paired/value");
    assert_close(moved, paired, 1e-9, "misalignment takes all of it");
    assert!(moved > 0.5, "{moved}");
}
