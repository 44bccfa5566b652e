//! The script behind the GitHub Action, with a `gh` that writes down what it is told.

#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Place, captions, fixture, stderr};

struct Runner {
    place: Place,
    told: PathBuf,
}

impl Runner {
    /// `comments` is what `gh` answers when it is asked for the comment's id.
    fn new(comments: &str) -> Self {
        let place = Place::new();
        let told = place.path("told");
        std::fs::create_dir(place.path("bin")).unwrap();
        let gh = place.path("bin/gh");
        let script = format!(
            "#!/bin/sh\necho \"$*\" >> '{}'\ncase \"$*\" in *--paginate*) echo '{comments}';; esac\n",
            told.display()
        );
        std::fs::write(&gh, script).unwrap();
        std::fs::set_permissions(&gh, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { place, told }
    }

    fn run(&self, inputs: &[(&str, &str)]) -> (i32, String) {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("script/action"));
        command
            .current_dir(self.place.path(""))
            .env("PATH", format!("{}:{path}", self.place.path("bin").display()))
            .env("FGD_CACHE_DIR", self.place.path("cache"))
            .env("FGD_PROGRAM", env!("CARGO_BIN_EXE_fgd"))
            .env("REFERENCES", captions("references.csv"))
            .env("ARGUMENTS", format!("--encoder {}", fixture("encoder/tiny-mean").display()))
            .env("GITHUB_STEP_SUMMARY", self.place.path("summary.md"))
            .env("GITHUB_OUTPUT", self.place.path("outputs"))
            .env("GITHUB_REPOSITORY", "org/repo")
            .envs(inputs.iter().copied());
        let output = command.output().unwrap();
        (output.status.code().unwrap(), stderr(&output))
    }

    fn told(&self) -> String {
        std::fs::read_to_string(&self.told).unwrap_or_default()
    }
}

#[test]
fn a_pull_request_gets_one_comment_that_is_written_over() {
    let (good, other) = (captions("good.csv"), captions("other.csv"));
    let (good, other) = (good.to_str().unwrap(), other.to_str().unwrap());
    let first = Runner::new("");
    let (code, said) = first.run(&[("SUBMISSION", good), ("PULL_REQUEST", "7")]);
    assert_eq!(code, 0, "{said}");
    let told = first.told();
    assert!(told.contains("--method POST repos/org/repo/issues/7/comments"), "{told}");
    let summary = std::fs::read_to_string(first.place.path("summary.md")).unwrap();
    assert!(summary.starts_with("<!-- fgd:captions -->") && summary.contains("fgd\\_paired"));
    let outputs = std::fs::read_to_string(first.place.path("outputs")).unwrap();
    assert_eq!(outputs, "record=fgd.record.json\nbadge=fgd.badge.svg\n");
    assert!(first.place.path("fgd.badge.svg").is_file());

    // A gate that is crossed fails the job, after it has said so.
    let again = Runner::new("4711");
    let inputs = [
        ("SUBMISSION", other),
        ("BASE", good),
        ("GATE", "fgd_paired<=base\n"),
        ("PULL_REQUEST", "7"),
    ];
    let (code, said) = again.run(&inputs);
    assert_eq!(code, 3, "{said}");
    let told = again.told();
    assert!(told.contains("--method PATCH repos/org/repo/issues/comments/4711"), "{told}");

    // No pull request, no comment; an input is never a command.
    let quiet = Runner::new("");
    let (code, _) = quiet.run(&[("SUBMISSION", "$(touch broken)")]);
    assert_ne!(code, 0);
    assert!(!quiet.place.path("broken").exists() && quiet.told().is_empty());
    let (code, said) = quiet.run(&[("SUBMISSION", good), ("GATE", "fgd_paired<=1")]);
    assert!(code == 2 && said.contains("needs a base"), "{said}");
}
