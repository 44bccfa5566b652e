//! `fgd validate`, and what `fgd score` refuses: every problem with file, row and id, and nothing of the references.

use std::path::{Path, PathBuf};

use predicates::prelude::*;

use crate::program::{Place, captions, json, stderr, stdout};

/// The malformed files with their class.
fn malformed() -> Vec<(PathBuf, String)> {
    let mut reader = csv::Reader::from_path(captions("malformed/expected.csv")).unwrap();
    let files: Vec<_> = reader
        .records()
        .map(|row| row.unwrap())
        .map(|row| (captions("malformed").join(&row[0]), row[1].to_owned()))
        .collect();
    assert!(files.len() > 20);
    files
}

fn validate(place: &Place, file: &Path) -> assert_cmd::Command {
    let mut command = place.fgd();
    command.arg("validate").arg(file).arg("--template").arg(captions("template.csv"));
    command
}

#[test]
fn every_malformed_file_gets_its_verdict() {
    let place = Place::new();
    for (file, class) in malformed() {
        let output = validate(&place, &file).output().unwrap();
        let said = stdout(&output) + &stderr(&output);
        let name = file.display().to_string();
        let expected = if class == "invalid" { 4 } else { 0 };
        assert_eq!(output.status.code(), Some(expected), "{name}: {said}");
        let refused = said.contains("error[") || said.contains("error: ");
        assert_eq!(refused, class == "invalid", "{name}: {said}");
        if class == "suspicious" {
            assert!(said.contains("note["), "{name}: {said}");
        }
        for line in said.lines().filter(|line| line.contains(": error[")) {
            assert!(line.starts_with(&name), "{line}");
        }
    }
}

#[test]
fn errors_name_row_and_id() {
    let place = Place::new();
    let lines = |file: &str| {
        let output = validate(&place, &captions(file)).output().unwrap();
        stdout(&output) + &stderr(&output)
    };
    let said = lines("malformed/empty-captions.csv");
    for (row, id) in [(3, 200_003), (5, 200_005), (103, 200_103), (303, 200_303)] {
        assert!(said.contains(&format!("row {row}, id {id}: error")), "{said}");
    }
    let said = lines("malformed/missing-ids.csv");
    assert!((200_011..=200_015).all(|id| said.contains(&id.to_string())), "{said}");
    let said = lines("malformed/duplicate-ids.csv");
    assert!(said.contains("200001") && said.contains("200002"), "{said}");
    // A row may lack both.
    let nothing = place.path("nothing.csv");
    std::fs::write(&nothing, "image_id,caption\n1,a dog\n,\n2,a cat\n").unwrap();
    let output = validate(&place, &nothing).output().unwrap();
    let said = stdout(&output) + &stderr(&output);
    for kind in ["empty-id", "empty-caption"] {
        assert!(said.contains(&format!("row 2: error[{kind}]")), "{said}");
    }
}

#[test]
fn of_thousands_of_errors_a_score_lists_the_first() {
    let place = Place::new();
    let part = place.path("part.csv");
    let whole = std::fs::read_to_string(captions("good.csv")).unwrap();
    std::fs::write(
        &part,
        whole.lines().take(201).map(|line| format!("{line}\n")).collect::<String>(),
    )
    .unwrap();
    let refused = place.score(&part, &captions("references.csv")).arg("-q").output().unwrap();
    let said = stderr(&refused);
    assert_eq!(said.matches("error[missing-id]: there is").count(), 20, "{said}");
    assert!(
        said.contains("error[missing-id]: 109 more of these; `fgd validate` lists them"),
        "{said}"
    );
    assert!(said.contains("the submission has 129 errors"), "{said}");
    let output = validate(&place, &part).output().unwrap();
    assert_eq!(stdout(&output).matches("error[missing-id]").count(), 129, "{}", stderr(&output));
}

#[test]
fn a_refused_score_shows_nothing_of_the_references() {
    let place = Place::new();
    let secret = "zyxomma pterodactyl";
    let text = std::fs::read_to_string(captions("references.csv")).unwrap();
    let marked: String = text
        .lines()
        .enumerate()
        .map(|(n, line)| {
            let line = if n == 0 {
                line.to_owned()
            } else {
                line.replacen(" a ", &format!(" {secret} "), 1)
            };
            line + "\n"
        })
        .collect();
    assert!(marked.matches(secret).count() > 100);
    let references = place.path("references.csv");
    std::fs::write(&references, marked).unwrap();
    for (file, class) in malformed() {
        if class != "invalid" {
            continue;
        }
        let output = place.score(&file, &references).output().unwrap();
        let said = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(4), "{}: {said}", file.display());
        assert!(!said.contains(secret), "{}: {said}", file.display());
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn what_is_no_caption_file_gets_one_clear_sentence() {
    let place = Place::new();
    let folder = captions("malformed");
    for (file, exit, says) in [
        (folder.clone(), 4, "directory"),
        (folder.join("zero-bytes.csv"), 4, "empty"),
        (folder.join("header-only.csv"), 4, "no rows"),
        (folder.join("binary.csv"), 4, "PNG"),
        (folder.join("not-there.csv"), 1, "no such file"),
    ] {
        let output = validate(&place, &file).output().unwrap();
        let said = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(exit), "{said}");
        assert!(said.contains(says), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    validate(&place, &captions("good.csv")).args(["--max-bytes", "100"]).assert().code(4).stderr(
        predicate::str::contains("--max-bytes")
            .and(predicate::function(|said: &str| said.lines().count() == 1)),
    );
}

#[test]
fn json_lists_the_findings() {
    let place = Place::new();
    let good = json(validate(&place, &captions("good.csv")).args(["--format", "json"]));
    assert_eq!(good["valid"], true);
    assert_eq!(good["captions"], 329);
    let output = validate(&place, &captions("malformed/empty-captions.csv"))
        .args(["--format", "json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list["valid"], false);
    assert_eq!(list["errors"], 5);
    let findings = list["findings"].as_array().unwrap();
    assert!(findings.iter().any(|f| f["row"] == 103 && f["id"] == "200103"));
}
