//! A night as it is started from outside: the suite of `fgd nightly init` as it stands, and the documented line of cron.

use crate::program::{self, Place, captions, fixture};
use crate::suite::{Nightly, small};

/// A folder of models as the Hub's own client leaves one, with the tiny encoder in the place of the default one.
fn hub(place: &Place) -> std::path::PathBuf {
    let home = place.path("models");
    let commit = fgd_store::hub::GTE_SMALL_REVISION;
    let snapshots = home.join("hub/models--thenlper--gte-small/snapshots");
    std::fs::create_dir_all(&snapshots).unwrap();
    std::os::unix::fs::symlink(fixture("encoder/tiny-mean"), snapshots.join(commit)).unwrap();
    home
}

#[test]
fn the_suite_that_init_writes_is_green_as_it_stands() {
    let place = Place::new();
    let home = hub(&place);
    let file = place.path("suite.toml");
    let nightly = |arguments: &[&str]| {
        let mut command = place.fgd();
        command.arg("nightly").args(arguments).arg(&file).env("HF_HOME", &home);
        let output = command.output().unwrap();
        (output.status.code().unwrap(), program::stdout(&output), program::stderr(&output))
    };
    assert_eq!(nightly(&["init"]).0, 0);
    let shipped = std::fs::read(captions("references.csv")).unwrap();
    assert_eq!(std::fs::read(place.path("captions/references.csv")).unwrap(), shipped);

    // What would be done, before there is anything; and nothing is there afterwards.
    let (code, stdout, stderr) = nightly(&["run", "--dry-run"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let steps: Vec<&str> = stdout.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(steps, ["score base", "score tuned", "leaderboard val", "bench encoder offline"]);
    assert!(!place.path("nightly").exists());
    let (code, stdout, _) = nightly(&["status"]);
    assert!(code == 0 && stdout.contains("no night is finished yet"), "{stdout}");

    for said in ["NOTHING TO COMPARE WITH YET", "NO REGRESSION"] {
        let (code, _, stderr) = nightly(&["run"]);
        assert_eq!(code, 0, "{stderr}");
        assert!(stderr.contains(&format!("nightly captioners: {said}")), "{stderr}");
    }
    let (code, stdout, _) = nightly(&["status"]);
    assert!(code == 0 && stdout.contains("NO REGRESSION"), "{stdout}");

    // A file that a night would miss is missed beforehand.
    std::fs::remove_file(place.path("captions/base.csv")).unwrap();
    let (code, stdout, _) = nightly(&["run", "--dry-run"]);
    assert!(code == 5 && stdout.contains("score base: would fail"), "{stdout}");
}

#[test]
fn the_documented_line_of_cron_mails_trouble_and_nothing_else() {
    let suite = Nightly::new(&small("[[system]]\nname = \"other\"\nsubmission = \"other.csv\"\n"));
    let document = include_str!("../../docs/nightly.md");
    let line = document.lines().find_map(|line| line.trim().strip_prefix("15 2 * * *")).unwrap();
    assert!(!line.contains('%'), "cron ends a line there: {line}");
    let folder = suite.path("");
    let line = line
        .replace("/srv/captions", folder.to_str().unwrap())
        .replace("/usr/local/bin/fgd", env!("CARGO_BIN_EXE_fgd"));
    for _ in 0..2 {
        assert_eq!(suite.cron(&line), (0, String::new()));
    }
    let report = std::fs::read_to_string(suite.path("last.txt")).unwrap();
    assert!(report.contains("NO REGRESSION"), "{report}");

    std::fs::remove_file(suite.path("good.csv")).unwrap();
    let (code, mail) = suite.cron(&line);
    assert_eq!(code, 5, "{mail}");
    assert!(mail.starts_with("nightly small: FAILED: score good ("), "{mail}");

    // The night has a copy of its own, which nobody knows.
    std::fs::write(suite.path("good.csv"), "image_id,caption\n1,a dog\n").unwrap();
    let (code, mail) = suite.cron(&line);
    assert!(code == 5 && mail.contains("/good.csv") && !mail.contains("captions~"), "{mail}");

    std::fs::copy(captions("poor.csv"), suite.path("good.csv")).unwrap();
    let (code, mail) = suite.cron(&line);
    assert_eq!(code, 3, "{mail}");
    assert!(mail.starts_with("nightly small: REGRESSED: good fgd_paired"), "{mail}");
    assert_eq!(mail.lines().count(), 1, "{mail}");
}
