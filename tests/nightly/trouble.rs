//! Everything that can be wrong around a night.

use std::path::Path;

use serde_json::Value;

use crate::program::{self, Place};
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
    let suite = Nightly::new(&format!("{text}[gates]\nfail_on_invalid = true\n"));
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
}

#[test]
fn time_that_is_over_ends_the_night_cleanly() {
    let suite = Nightly::new(&format!("budget = \"0.001s\"\n{}", small("")));
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 0, "{stderr}");
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

#[test]
fn what_is_wrong_around_a_night_is_said_before_it_begins() {
    let suite = Nightly::new(&small("[gates]\nalpah = 0.1\n"));
    let (code, _, stderr) = suite.nightly(&["run"]);
    assert_eq!(code, 2);
    assert!(
        stderr.contains("suite.toml:10:1: unknown key `alpah`: did you mean `alpha`?"),
        "{stderr}"
    );

    std::fs::write(suite.path("file"), "").unwrap();
    std::fs::write(suite.suite(), format!("report = \"file/site\"\n{}", small(""))).unwrap();
    let (code, _, stderr) = suite.nightly(&["run"]);
    assert!(code == 1 && stderr.contains("file/site"), "{code} {stderr}");

    std::fs::write(suite.suite(), small("[history]\nfile = \"good.csv\"\n")).unwrap();
    let before = std::fs::read(suite.path("good.csv")).unwrap();
    let (code, _, stderr) = suite.nightly(&["run"]);
    assert!(code == 1 && stderr.contains("is not an SQLite file"), "{code} {stderr}");
    assert_eq!(std::fs::read(suite.path("good.csv")).unwrap(), before);

    let (code, _, stderr) = suite.nightly(&["report"]);
    assert_eq!(code, 1, "{stderr}");
    let missing = suite.place.fgd().args(["nightly", "run", "none.toml"]).output().unwrap();
    assert!(program::stderr(&missing).contains("fgd nightly init"));
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
