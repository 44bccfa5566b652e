//! The command line itself: help, completions, manual pages, exit codes, the environment, pipes and silence.

mod program;

use std::any::TypeId;
use std::collections::HashMap;
use std::path::PathBuf;

use clap::CommandFactory;
use predicates::prelude::*;

use program::{Place, captions, fixture, stderr, stdout};

/// Every subcommand with its path, such as `["cache", "clear"]`.
fn subcommands(command: &clap::Command, path: &[String]) -> Vec<(Vec<String>, clap::Command)> {
    let mut found = vec![(path.to_vec(), command.clone())];
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let mut path = path.to_vec();
        path.push(sub.get_name().to_owned());
        found.extend(subcommands(sub, &path));
    }
    found
}

#[test]
fn every_subcommand_has_help() {
    let place = Place::new();
    for (path, command) in subcommands(&fgd::cli::Cli::command(), &[]) {
        let about = command.get_about().unwrap_or_else(|| panic!("{path:?}: no description"));
        let output = place.fgd().args(&path).arg("--help").output().unwrap();
        assert!(output.status.success(), "{path:?}: {}", stderr(&output));
        let first_words = about.to_string().chars().take(20).collect::<String>();
        assert!(stdout(&output).contains(&first_words), "{path:?}");
    }
}

#[test]
fn every_flag_has_a_twin_in_the_environment() {
    for (path, command) in subcommands(&fgd::cli::Cli::command(), &[]) {
        for flag in command.get_arguments().filter_map(|arg| arg.get_long().map(|long| (long, arg)))
        {
            let (long, arg) = flag;
            if matches!(long, "help" | "version") || arg.is_hide_set() {
                continue;
            }
            let twin = format!("FGD_{}", long.replace('-', "_").to_uppercase());
            let env = arg.get_env().and_then(|name| name.to_str());
            assert_eq!(env, Some(twin.as_str()), "{path:?} --{long}");
        }
    }
}

#[test]
fn a_variable_means_the_same_in_every_subcommand() {
    let mut kinds: HashMap<String, (String, Vec<String>)> = HashMap::new();
    for (path, command) in subcommands(&fgd::cli::Cli::command(), &[]) {
        for arg in command.get_arguments() {
            let Some(env) = arg.get_env().and_then(|name| name.to_str()) else { continue };
            let is_path = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
            let kind = match arg.get_action().takes_values() {
                false => "a switch",
                true if is_path => "a file",
                true => "a value",
            };
            let known = kinds.entry(env.into()).or_insert_with(|| (kind.into(), path.clone()));
            assert_eq!(known.0, kind, "{env} of {path:?} and of {:?}", known.1);
        }
    }
}

#[test]
fn shells_get_completions_and_readers_a_manual() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        place
            .fgd()
            .args(["completions", shell])
            .assert()
            .success()
            .stdout(predicate::str::contains("per-caption"));
    }
    place.fgd().arg("man").assert().success().stdout(predicate::str::contains(".TH fgd"));
    let pages = place.path("man");
    place.fgd().args(["man", "--dir"]).arg(&pages).assert().success();
    for page in ["fgd.1", "fgd-score.1", "fgd-validate.1"] {
        assert!(pages.join(page).exists(), "{page}");
    }
}

#[test]
fn a_command_line_that_makes_no_sense_exits_with_2() {
    let place = Place::new();
    for arguments in [
        &["no-such-command"][..],
        &[],
        &["score"],
        &["score", "a.csv"],
        &["score", "a.csv", "--references", "b.csv", "--format", "pdf"],
        &["validate", "a.csv", "--no-such-flag"],
        &["moments", "a.csv", "-o", "a.npz", "--shard", "4/3"],
        &["moments", "a.csv", "-o", "a.csv"],
        &["curate", "a.csv", "-o", "a.json"],
        &["ensemble", "a.csv", "b.csv", "-o", "c.csv", "--replicates", "10"],
        &["caption", "--checkpoint", "a", "--images", "b", "-o", "c.json"],
        &["export", "badge", "a.json", "-o", "a.png"],
        &["export", "chart", "a.json", "-o", "a.jpg"],
        &["score", "a.csv", "--references", "b.csv", "--report", "page.txt"],
        &["nightly", "import", "suite.toml", "a.csv"],
        &["--threads", "0", "validate", "a.csv"],
        &["--threads", "99999", "validate", "a.csv"],
    ] {
        let output = place.fgd().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!stderr(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_said_once_with_what_to_do() {
    let place = Place::new();
    let (good, references) = (captions("good.csv"), captions("references.csv"));
    let of_score = ["score", "typo.csv", "-r", references.to_str().unwrap(), "--report", "site"];
    let of_board = ["leaderboard", good.to_str().unwrap(), "typo.csv", "-r"];
    let of_board = [&of_board[..], &[references.to_str().unwrap()]].concat();
    for arguments in [&of_score[..], &of_board, &["merge", "typo.npz", "-o", "a.npz"]] {
        let mut command = place.fgd();
        let output = command.args(arguments).current_dir(place.path("")).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("typo.") && said.contains("; "), "{arguments:?}: {said}");
        assert!(said.matches("os error").count() <= 1, "{arguments:?}: {said}");
        assert!(!said.contains(".fgd-tmp"), "{arguments:?}: {said}");
    }
    assert!(!place.path("site").exists());
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_failure() {
    let shell = |script: &str| {
        let output = std::process::Command::new("bash")
            .args(["-o", "pipefail", "-c", script])
            .env("FGD", env!("CARGO_BIN_EXE_fgd"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{script}");
    };
    shell("\"$FGD\" completions bash | true");
    shell("\"$FGD\" completions bash | head -1");
    shell("\"$FGD\" score --help | true");
}

#[test]
fn quiet_is_quiet() {
    let place = Place::new();
    let score = || place.score(&captions("good.csv"), &captions("references.csv"));
    score().assert().success().stderr(predicate::str::is_empty().not());
    score().arg("--quiet").assert().success().stderr("");
    score().env("FGD_QUIET", "1").assert().success().stderr("");
    // Errors are no chatter.
    place
        .score(&captions("malformed/missing-ids.csv"), &captions("references.csv"))
        .arg("--quiet")
        .assert()
        .code(4)
        .stderr(predicate::str::contains("200011"));
}

#[test]
fn an_encoder_that_is_not_there_is_named() {
    let place = Place::new();
    place
        .fgd()
        .arg("score")
        .arg(captions("good.csv"))
        .arg("--references")
        .arg(captions("references.csv"))
        .arg("--encoder")
        .arg(fixture("encoder/no-such-encoder"))
        .assert()
        .code(1)
        .stderr(predicate::str::contains("no-such-encoder"));
}
