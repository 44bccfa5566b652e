//! A night as it is started from outside: the suite of `fgd nightly init` as it stands, and the documented line of cron.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::program::{self, Place, captions, fixture};
use crate::suite::{Nightly, small};

/// A folder of models as the Hub's own client leaves one, with the tiny encoder in the place of the default one.
fn hub(place: &Place) -> PathBuf {
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

/// When each file and folder was written last; a file that came and went leaves its time on the folder.
fn times(folder: &Path) -> Vec<(PathBuf, SystemTime)> {
    let mut found = vec![(folder.to_owned(), folder.metadata().unwrap().modified().unwrap())];
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(times(&entry.path())),
            false => found.push((entry.path(), entry.metadata().unwrap().modified().unwrap())),
        }
    }
    found.sort();
    found
}

/// Root writes in spite of what a folder allows, so that times are looked at too.
#[test]
fn what_only_reads_the_history_writes_nothing_beside_it() {
    let suite = Nightly::new(&format!("report = \"site\"\n{}", small("")));
    assert_eq!(suite.run().0, 0);
    std::fs::remove_dir_all(suite.path("site")).unwrap();
    let state = suite.path("nightly");
    let before = times(&state);
    let allow = |mode: u32| {
        for (path, _) in before.iter().filter(|(path, _)| path.is_dir()) {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
    };
    allow(0o555);
    let export = suite.path("export.csv");
    let commands: [&[&str]; 4] = [
        &["status"],
        &["export", "-o", export.to_str().unwrap()],
        &["report"],
        &["run", "--dry-run"],
    ];
    let ended = commands.map(|arguments| suite.nightly(arguments));
    allow(0o755);
    for (code, stdout, stderr) in &ended[..3] {
        assert_eq!(*code, 0, "{stdout}{stderr}");
    }
    assert!(suite.path("site/index.html").is_file());
    assert_eq!(times(&state), before);
}
