//! What is said before a night begins: of the suite, of what it names, and of what would fail.

use crate::program;
use crate::suite::{Nightly, small};

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
fn a_dry_run_sees_captions_that_cannot_be_scored() {
    let suite = Nightly::new(&small(""));
    let (code, stdout, stderr) = suite.nightly(&["run", "--dry-run"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let text = std::fs::read_to_string(suite.path("good.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(suite.path("good.csv"), lines[..lines.len() - 1].join("\n")).unwrap();
    let (code, stdout, stderr) = suite.nightly(&["run", "--dry-run"]);
    assert!(code == 5 && stdout.contains("would fail"), "{stdout}{stderr}");
    assert!(stdout.contains("1 error; the first: id "), "{stdout}");

    // Nobody can be ranked where nobody has a score.
    let other = small("[[system]]\nname = \"other\"\nsubmission = \"other.csv\"\n");
    std::fs::write(suite.suite(), other.replace("references.csv", "nope.csv")).unwrap();
    let (code, stdout, _) = suite.nightly(&["run", "--dry-run"]);
    assert!(code == 5 && stdout.contains("leaderboard captions: would fail"), "{stdout}");
}

#[test]
fn a_name_that_stands_for_nothing_is_said_before_the_night() {
    for (more, said) in [
        (
            "[[notify]]\ncommand = [\"no-such-program\", \"-x\"]\n",
            "suite.toml:10:12: [[notify]] command: there is no program `no-such-program`",
        ),
        (
            "[gates]\nallow_failed = [\"score good\", \"good fgd_set\", \"goud\"]\n",
            "suite.toml:10:47: [gates] allow_failed: unknown name `goud`: did you mean `good`?",
        ),
    ] {
        let suite = Nightly::new(&small(more));
        for arguments in [&["run", "--dry-run"][..], &["run"]] {
            let (code, _, stderr) = suite.nightly(arguments);
            assert!(code == 2 && stderr.contains(said), "{arguments:?}: {code} {stderr}");
        }
        let (code, _, stderr) = suite.nightly(&["status"]);
        assert_eq!(code, 0, "{stderr}");
    }
}
