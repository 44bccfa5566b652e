//! Everything that can be wrong around a night.

use std::path::Path;

use serde_json::Value;

use crate::program::Place;
use crate::suite::{Nightly, finding, small, verdicts};

#[test]
fn two_runs_do_not_meet_and_the_second_says_who_runs() {
    let suite = Nightly::new(&small(""));
    let (mut child, mut lines) = suite.start();
    assert!(lines.any(|line| line == "score good …"));
    let (code, _, stderr) = suite.nightly(&["run"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains(&format!("process {}", child.id())), "{stderr}");
    lines.for_each(drop);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_system_that_fails_stands_as_failed_and_stops_no_other() {
    let broken = "[[system]]\nname = \"gone\"\nsubmission = \"gone.csv\"\n\
                  [[system]]\nname = \"no model\"\ndata = \"pictures\"\ncheckpoint = \"nowhere\"\n\
                  [[data]]\nname = \"pictures\"\nreferences = \"pictures.csv\"\nimages = \"images\"\n";
    let text = small(broken).replace("name = \"good\"\n", "name = \"good\"\ndata = \"captions\"\n");
    let text = text.replace("name = \"gone\"\n", "name = \"gone\"\ndata = \"captions\"\n");
    let suite = Nightly::new(&text);
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 5, "{stderr}");
    let mut invalid = verdicts(&record, "invalid");
    invalid.sort_unstable();
    assert_eq!(invalid, [("gone", "fgd_paired"), ("no model", "fgd_paired")]);
    assert_eq!(finding(&record, "good", "fgd_paired")["verdict"], "insufficient_history");
    let failed: Vec<Value> =
        suite.rows().into_iter().filter(|row| row["outcome"] == "failed").collect();
    assert_eq!(failed.len(), 2);
    assert!(failed.iter().all(|row| row["value"].is_null()));
    let subjects: Vec<&str> = (record["results"]["failures"].as_array().unwrap().iter())
        .map(|failure| failure["subject"].as_str().unwrap())
        .collect();
    assert_eq!(subjects, ["score gone", "score no model"]);

    // Both by name, and the night is as good as without them; and it says so.
    let allowed = format!("{text}[gates]\nallow_failed = [\"gone\", \"score no model\"]\n");
    std::fs::write(suite.suite(), allowed).unwrap();
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(record["results"]["verdict"], "unchanged");
    assert!(stderr.contains("allowed to fail: score gone, score no model"), "{stderr}");
}

#[test]
fn what_fails_is_the_first_line_even_of_a_quiet_night() {
    let text = small("[[system]]\nname = \"gone\"\nsubmission = \"gone.csv\"\n");
    let suite = Nightly::new(&text);
    let quiet =
        || suite.nightly(&["run", "--quiet", "-o", suite.path("last.txt").to_str().unwrap()]);
    let (code, stdout, stderr) = quiet();
    assert_eq!((code, stdout.as_str()), (5, ""));
    let first = stderr.lines().next().unwrap();
    assert!(
        first.starts_with("nightly small: FAILED: score gone (") && first.contains("gone.csv"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let report = std::fs::read_to_string(suite.path("last.txt")).unwrap();
    assert!(report.contains("FAILED: score gone") && !report.contains("NO REGRESSION"), "{report}");
    let index = std::fs::read_to_string(suite.path("nightly/site/index.html")).unwrap();
    assert!(index.contains("FAILED: score gone"), "{index}");
    // A night that is as it should be says nothing at all.
    std::fs::write(suite.suite(), small("[gates]\nallow_failed = [\"gone\"]\n")).unwrap();
    assert_eq!(quiet(), (0, String::new(), String::new()));
}

#[test]
fn a_system_a_benchmark_or_a_figure_that_is_gone_fails_the_night_until_it_is_let_go() {
    let benchmark = "[[benchmark]]\nname = \"speed\"\nencoder = { items = 64, load = { duration = 0.1, min_queries = 64 } }\n";
    let other = "[[system]]\nname = \"other\"\nsubmission = \"other.csv\"\n";
    let metrics = "metrics = [\"cider\"]\n";
    let suite = Nightly::new(&format!("{metrics}{}", small(&format!("{other}{benchmark}"))));
    let (code, _, stderr) = suite.run();
    assert_eq!(code, 0, "{stderr}");
    std::fs::write(suite.suite(), small("")).unwrap();
    for _ in 0..2 {
        let (code, record, stderr) = suite.run();
        assert_eq!(code, 5, "{stderr}");
        let failures = record["results"]["failures"].to_string();
        assert!(failures.contains("the system is gone from the suite"), "{failures}");
        assert!(failures.contains("the benchmark is gone from the suite"), "{failures}");
        assert!(failures.contains("good cider"), "{failures}");
        assert_eq!(finding(&record, "good", "fgd_paired")["verdict"], "unchanged");
    }
    let gone = "[gates]\nallow_failed = [\"other\", \"speed\", \"good cider_d\", \"good cider\"]\n";
    std::fs::write(suite.suite(), small(gone)).unwrap();
    let (code, _, stderr) = suite.run();
    assert_eq!(code, 0, "{stderr}");
    // Once let go of, they need no exception any more.
    std::fs::write(suite.suite(), small("")).unwrap();
    let (code, _, stderr) = suite.run();
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn a_benchmark_that_does_not_count_says_why_in_the_record() {
    let load = "load = { duration = 0.05, max_duration = 0.05, min_queries = 100000000 }";
    let text =
        small(&format!("[[benchmark]]\nname = \"short\"\nencoder = {{ items = 8, {load} }}\n"));
    let (code, record, stderr) = Nightly::new(&text).run();
    assert_eq!(code, 5, "{stderr}");
    let reason = finding(&record, "short", "run")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("of at least 100000000 queries"), "{reason}");
    assert!(reason.contains("raise --max-duration"), "{reason}");
    assert!(stderr.contains("FAILED: short run (the run does not count"), "{stderr}");
}

#[test]
fn a_condition_that_cannot_be_decided_fails_the_night() {
    // The bias of ten images cannot be removed in forty dimensions.
    let suite = Nightly::new(&small("[gates]\nconditions = [\"good.fgd_set_corrected<=1\"]\n"));
    for name in ["references.csv", "good.csv"] {
        let text = std::fs::read_to_string(suite.path(name)).unwrap();
        let lines: Vec<&str> = text.lines().take(11).collect();
        std::fs::write(suite.path(name), lines.join("\n")).unwrap();
    }
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 5, "{stderr}");
    assert_eq!(record["results"]["gates"][0]["passed"], Value::Null);
    assert!(stderr.contains("FAILED: condition good.fgd_set_corrected<=1"), "{stderr}");

    // A system that may fail explains no condition on others, though its name be a part of theirs.
    let text = std::fs::read_to_string(suite.suite()).unwrap();
    let gone = "allow_failed = [\"set\"]\n[[system]]\nname = \"set\"\nsubmission = \"gone.csv\"\n";
    std::fs::write(suite.suite(), text + gone).unwrap();
    let (code, _, stderr) = suite.run();
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("condition good.fgd_set_corrected<=1"), "{stderr}");
}

#[test]
fn time_that_is_over_ends_the_night_cleanly() {
    let suite = Nightly::new(&format!("budget = \"0.001s\"\n{}", small("")));
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 5, "{stderr}");
    assert_eq!(record["results"]["steps"][0]["outcome"], "not_run");
    assert_eq!(verdicts(&record, "invalid"), [("good", "fgd_paired")]);
    assert!(finding(&record, "good", "fgd_paired")["reason"].as_str().unwrap().contains("budget"));
}

#[test]
fn changed_data_is_not_scored() {
    let text = small("").replace(
        "references = \"references.csv\"\n",
        &format!("references = \"references.csv\"\nreferences_sha256 = \"{}\"\n", "0".repeat(64)),
    );
    let (_, record, _) = Nightly::new(&text).run();
    let reason = finding(&record, "good", "fgd_paired")["reason"].as_str().unwrap();
    assert!(reason.contains("references of data set `captions` have changed"), "{reason}");
}

#[test]
fn gates_are_those_of_compare() {
    let (code, record, stderr) =
        Nightly::new(&small("[gates]\nconditions = [\"good.fgd_paired<=0\"]\n")).run();
    assert_eq!(code, 3, "{stderr}");
    assert_eq!(record["results"]["gates"][0]["passed"], false);
    assert_eq!(record["results"]["verdict"], "regressed");
}

/// Their values decide nothing: the night tests the difference of the two systems, in a step of its own.
#[test]
fn set_distances_of_systems_are_held_to_their_test() {
    let conditions = "conditions = [\"good.fgd_set<=base\", \"base.fgd_set<=good\"]";
    let other = "[[system]]\nname = \"base\"\nsubmission = \"other.csv\"\n";
    let suite = Nightly::new(&small(&format!("{other}[gates]\n{conditions}\n")));
    let (code, record, stderr) = suite.run();
    // One value is above the other; that it is so by more than chance is shown of neither.
    assert_eq!(code, 0, "{stderr}");
    let gates = &record["results"]["gates"];
    assert_eq!((&gates[0]["passed"], &gates[1]["passed"]), (&true.into(), &true.into()), "{gates}");
    let told = gates[1]["explanation"].as_str().unwrap();
    assert!(
        told.starts_with("base: corrected fgd_set not separable from good (difference "),
        "{told}"
    );
    let steps = record["results"]["steps"].as_array().unwrap();
    let tested = steps.iter().filter(|step| step["name"] == "condition good.fgd_set<=base");
    assert_eq!(tested.count(), 1, "{steps:?}");
    let plan = "score base · condition good.fgd_set<=base · condition base.fgd_set<=good · leaderboard captions ·";
    assert!(stderr.contains(plan), "{stderr}");
}

#[test]
fn init_writes_an_example_and_leaves_what_is_there() {
    let place = Place::new();
    let file = place.path("my.toml");
    place.fgd().args(["nightly", "init"]).arg(&file).assert().success();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("[[benchmark]]"));
    std::fs::write(&file, "mine").unwrap();
    place.fgd().args(["nightly", "init"]).arg(&file).assert().code(2);
    assert_eq!(std::fs::read_to_string(Path::new(&file)).unwrap(), "mine");
}

#[test]
fn old_records_go_and_the_history_stays() {
    let suite = Nightly::new(&small("[retention]\nnights = 1\n"));
    suite.run();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    suite.run();
    let kept = std::fs::read_dir(suite.path("nightly/nights")).unwrap().count();
    assert_eq!(kept, 1);
    let nights: std::collections::BTreeSet<String> =
        suite.rows().iter().map(|row| row["started"].as_str().unwrap().to_owned()).collect();
    assert_eq!(nights.len(), 2);
}

/// No file may grow beyond 4 KiB: what a full disk does to a night, without filling one.
#[test]
fn a_full_disk_is_said_and_the_next_run_goes_on() {
    let suite = Nightly::new(&small(""));
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" nightly run \"$1\"";
    let mut command = std::process::Command::new("sh");
    let output = command
        .args(["-c", script, env!("CARGO_BIN_EXE_fgd")])
        .arg(suite.suite())
        .env("FGD_CACHE_DIR", suite.path("cache"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("File too large"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    let (code, record, said) = suite.run();
    assert_eq!(code, 0, "{said}");
    assert_eq!(record["results"]["steps"][0]["outcome"], "done");
}

#[test]
fn a_model_that_is_not_here_is_given_by_the_key_of_the_suite() {
    let benchmark = "[[benchmark]]\nname = \"speed\"\nencoder = { items = 8 }\n";
    let text = small(benchmark).replace("encoder = \"encoder\"", "encoder = \"no/such\"");
    let suite = Nightly::new(&text);
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 5, "{stderr}");
    // The one is found missing by the night, the other by its step.
    let failures = record["results"]["failures"].as_array().unwrap();
    let told = |subject: &str| {
        let found = failures.iter().find(|failure| failure["subject"] == subject);
        found.unwrap()["reason"].as_str().unwrap().to_owned()
    };
    for reason in [told("score good"), told("bench speed")] {
        assert!(reason.contains("give its directory with encoder = \"DIR\""), "{reason}");
    }
    assert!(!stderr.contains("--encoder"), "{stderr}");
}

#[test]
fn a_night_without_a_site_keeps_what_it_measured() {
    let suite = Nightly::new(&small(""));
    let foreign = suite.path("nightly/site/index.html");
    std::fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    std::fs::write(&foreign, "somebody's own").unwrap();
    let (code, _, stderr) = suite.nightly(&["run"]);
    assert!(code == 1 && stderr.contains("index.html"), "{code} {stderr}");
    std::fs::remove_file(&foreign).unwrap();
    let (code, _, stderr) = suite.nightly(&["run", "--fresh"]);
    assert_eq!(code, 0, "{stderr}");
    let rows = suite.rows();
    let values: Vec<&serde_json::Value> =
        rows.iter().filter(|row| row["metric"] == "fgd_paired").map(|row| &row["value"]).collect();
    assert!(values.len() == 2 && values.iter().all(|value| value.is_number()), "{values:?}");
}

#[test]
fn a_night_that_goes_on_scores_with_the_references_that_are_there() {
    let suite = Nightly::new(&small(""));
    suite.run();
    let nights = || std::fs::read_dir(suite.path("nightly/nights")).unwrap().map(Result::unwrap);
    let night = nights().next().unwrap().path();
    std::fs::remove_file(night.join("finished")).unwrap();
    let score = || std::fs::read_to_string(night.join("score~good.json")).unwrap();
    let before = score();
    let text = std::fs::read_to_string(suite.path("references.csv")).unwrap();
    std::fs::write(suite.path("references.csv"), text.replacen(" a ", " one ", 1)).unwrap();
    let (_, _, stderr) = suite.nightly(&["run"]);
    assert_eq!(nights().count(), 1, "{stderr}");
    let hash = |record: &str| {
        let record: serde_json::Value = serde_json::from_str(record).unwrap();
        let inputs = record["inputs"].as_array().unwrap().clone();
        inputs.into_iter().find(|input| input["role"] == "references").unwrap()["sha256"].clone()
    };
    assert_ne!(hash(&before), hash(&score()), "{stderr}");
}
