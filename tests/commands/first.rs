//! What a new user types first: the right word for the wrong one, formats by name, folders, pipes.

use std::path::Path;

use serde_json::Value;

use crate::program::{Place, captions, fixture, stderr, stdout};

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Captions of images that no other file knows.
fn of_other_images(place: &Place) -> std::path::PathBuf {
    let file = place.path("other images.csv");
    let rows: String = (0..40).map(|i| format!("train_{i},a dog number {i} runs\n")).collect();
    std::fs::write(&file, format!("image_id,caption\n{rows}")).unwrap();
    file
}

#[test]
fn references_of_other_images_are_answered_with_the_command() {
    let place = Place::new();
    let other = of_other_images(&place);
    let output = place.score(&captions("good.csv"), &other).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let said = stderr(&output);
    let offered =
        said.lines().find(|line| line.ends_with(" --unpaired")).unwrap_or_else(|| panic!("{said}"));
    let command = offered.split_once("wholes: ").unwrap().1;
    assert!(
        command.starts_with("fgd score ") && command.contains("other images.csv'"),
        "{command}"
    );
    // The command that is offered works as it stands.
    let line = command.replacen("fgd", env!("CARGO_BIN_EXE_fgd"), 1);
    let ran = std::process::Command::new("sh")
        .args(["-c", &line])
        .env("FGD_CACHE_DIR", place.path("cache"))
        .output()
        .unwrap();
    assert!(ran.status.success(), "{line}: {}", stderr(&ran));
    // A leaderboard of nothing that matches says the same.
    let mut command = place.fgd();
    command.arg("leaderboard").arg(captions("good.csv")).arg("--references").arg(&other);
    let output = command.arg("--encoder").arg(fixture("encoder/tiny-mean")).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("fgd leaderboard") && said.contains("--unpaired"), "{said}");
    // Where the ids are known, nothing is offered.
    let output = place
        .score(&captions("malformed/missing-ids.csv"), &captions("references.csv"))
        .output()
        .unwrap();
    assert!(!stderr(&output).contains("--unpaired"), "{}", stderr(&output));
}

#[test]
fn placeholders_as_references_are_warned_of_without_showing_them() {
    let place = Place::new();
    let file = place.path("sample_submission.csv");
    let ids: Vec<String> = text(&captions("good.csv"))
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(',').map(|(id, _)| id.to_owned()))
        .collect();
    let rows: String = ids.iter().map(|id| format!("{id},a secret word\n")).collect();
    std::fs::write(&file, format!("image_id,caption\n{rows}")).unwrap();
    for name in ["score", "leaderboard", "compare"] {
        let mut command = place.fgd();
        command.arg(name).arg(captions("good.csv"));
        if name != "score" {
            command.arg(captions("other.csv"));
        }
        command.arg("--references").arg(&file).arg("--encoder").arg(fixture("encoder/tiny-mean"));
        let output = command.output().unwrap();
        let said = stderr(&output);
        assert!(output.status.success(), "{name}: {said}");
        assert!(said.contains("look like placeholders"), "{name}: {said}");
        assert!(!said.contains("a secret word"), "{name}: {said}");
    }
}

#[test]
fn the_extension_of_the_output_is_its_format() {
    let place = Place::new();
    let score = |arguments: &[&str]| {
        let mut command = place.score(&captions("good.csv"), &captions("references.csv"));
        command.args(arguments).current_dir(place.path(""));
        let output = command.output().unwrap();
        (output.status.code().unwrap(), stderr(&output))
    };
    for (name, begins) in [
        ("r.json", "{"),
        ("r.csv", "system,"),
        ("r.md", "# "),
        ("r.txt", "good against references"),
        ("R.JSON", "{"),
    ] {
        let (code, said) = score(&["-o", name]);
        assert_eq!(code, 0, "{name}: {said}");
        let written = text(&place.path(name));
        assert!(written.trim_start().starts_with(begins), "{name}: {written}");
    }
    assert_eq!(score(&["-o", "r.html"]).0, 0);
    let page = text(&place.path("r.html"));
    assert!(
        page.contains("<!doctype html>") || page.contains("<!DOCTYPE html>"),
        "{}",
        &page[..200]
    );
    assert_eq!(score(&["-o", "s.html", "--format", "md"]).0, 2);
    let (code, said) = score(&["-o", "x.json", "--format", "csv"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("-o x.json") && said.contains("--format csv"), "{said}");
    assert!(!place.path("x.json").exists());
    assert_eq!(score(&["-o", "y.json", "--format", "json"]).0, 0);
    assert_eq!(score(&["-o", "z.out", "--format", "json"]).0, 0);
    assert!(text(&place.path("z.out")).starts_with('{'));
}

#[test]
fn standard_input_is_a_file_called_dash() {
    let place = Place::new();
    let whole = place.record(&captions("good.csv"), &captions("references.csv"), &[]);
    for name in ["good.csv", "good.parquet", "good.csv.gz", "good.jsonl"] {
        let mut command = place.score(Path::new("-"), &captions("references.csv"));
        let output = command
            .args(["--format", "json"])
            .write_stdin(std::fs::read(captions(name)).unwrap())
            .output()
            .unwrap();
        let piped: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", stderr(&output)));
        assert_eq!(
            piped["results"]["fgd_paired"]["value"], whole["results"]["fgd_paired"]["value"],
            "{name}"
        );
        assert_eq!(piped["inputs"][0]["path"], "-");
    }
    let mut command = place.fgd();
    let output =
        command.args(["validate", "-"]).write_stdin("image_id,caption\n1,\n").output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(stdout(&output).starts_with("-, row 1, id 1: error"), "{}", stdout(&output));
    let output = place.score(Path::new("-"), Path::new("-")).write_stdin("x").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("one file"), "{}", stderr(&output));
    // Also where several are compared, and a result that needs a name has one.
    let (good, references) = (captions("good.csv"), captions("references.csv"));
    let mut compare = place.fgd();
    compare.args(["compare", "-"]).arg(&good).args(["-r", "-"]);
    let output = compare.write_stdin("x").output().unwrap();
    assert!(stderr(&output).contains("one file"), "{}", stderr(&output));
    let mut ensemble = place.fgd();
    let two = [&good, &captions("poor.csv")];
    let output = ensemble.arg("ensemble").args(two).args(["-o", "-"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("name a file"), "{}", stderr(&output));
    let mut board = place.fgd();
    board.args(["leaderboard", "-"]).arg(&good).arg("-r").arg(&references);
    board.arg("--encoder").arg(crate::program::fixture("encoder/tiny-mean"));
    board.write_stdin(std::fs::read(captions("poor.csv")).unwrap()).assert().success();
}

#[test]
fn a_folder_of_submissions_is_a_leaderboard() {
    let place = Place::new();
    let folder = place.path("submissions");
    std::fs::create_dir(&folder).unwrap();
    for name in ["good.csv", "other.csv", "references.csv"] {
        std::fs::copy(captions(name), folder.join(name)).unwrap();
    }
    for name in
        ["captions.csv.record.json", "captions.csv.journal.jsonl", ".hidden.csv", "notes.txt"]
    {
        std::fs::write(folder.join(name), "{}").unwrap();
    }
    let mut command = place.fgd();
    command.arg("leaderboard").arg(&folder).arg("--references").arg(folder.join("references.csv"));
    command.arg("--encoder").arg(fixture("encoder/tiny-mean")).args(["--format", "json"]);
    let output = command.output().unwrap();
    let record: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    let standings = record["results"]["standings"].as_array().unwrap();
    let names: Vec<&str> = standings.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["good", "other"]);
    let empty = place.path("empty");
    std::fs::create_dir(&empty).unwrap();
    let mut command = place.fgd();
    let output =
        command.arg("leaderboard").arg(&empty).args(["--references", "x.csv"]).output().unwrap();
    assert!(output.status.code() == Some(2) && stderr(&output).contains("holds no caption file"));
}

#[test]
fn flags_of_other_programs_are_answered_with_ours() {
    let place = Place::new();
    for (arguments, write) in [
        (["score", "a.csv", "--refs", "b.csv"], "--references FILE"),
        (["leaderboard", "a.csv", "--gt", "b.csv"], "--references FILE"),
        (["score", "a.csv", "--json", "b.csv"], "--format json, or -o FILE.json"),
        (["compare", "a.csv", "b.csv", "--html"], "--report"),
        (["report", "a.json", "--csv", "x"], "--format csv, or -o FILE.csv"),
        (["bench", "encoder", "--markdown", "x"], "--format md, or -o FILE.md"),
    ] {
        let output = place.fgd().args(arguments).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("error: there is no --") && said.contains(write), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    // What no flag of the command stands for is clap's to answer.
    let output = place.fgd().args(["validate", "a.csv", "--refs", "b.csv"]).output().unwrap();
    assert!(stderr(&output).contains("unexpected argument '--refs'"), "{}", stderr(&output));
}

#[test]
fn folders_and_other_files_are_answered_with_what_to_give() {
    let place = Place::new();
    let [folder, text] = ["folder", "text"].map(|name| place.path(name).display().to_string());
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(&text, "text").unwrap();
    for name in ["text.npy", "text.npz"] {
        std::fs::copy(&text, place.path(name)).unwrap();
    }
    let [npy, npz] = ["npy", "npz"].map(|end| format!("{text}.{end}"));
    let (out, references) =
        (place.path("out.npz").display().to_string(), captions("references.csv"));
    let references = references.display().to_string();
    for (arguments, named, write) in [
        (&["report", &folder][..], &folder, "give a file in it"),
        (&["export", "badge", &folder], &folder, "give a file in it"),
        (&["merge", &folder, "-o", &out], &folder, "give a file in it"),
        (&["merge-captions", &folder, "-o", "out.csv"], &folder, "is a directory; give the files"),
        (&["nightly", "run", &folder], &folder, "give a suite file"),
        (&["merge", &text, "-o", &out], &text, "`fgd moments`"),
        (&["score", &npz, "-r", &references], &npz, "`fgd moments`"),
        (&["score", &npy, "-r", &references], &npy, "numpy.save"),
    ] {
        let output = place.fgd().args(arguments).output().unwrap();
        let said = stderr(&output);
        assert!(!output.status.success() && said.starts_with("error: "), "{said}");
        assert!(said.contains(named.as_str()) && said.contains(write), "{said}");
    }
}

#[test]
fn what_validate_finds_is_data() {
    let place = Place::new();
    let mut command = place.fgd();
    command.arg("validate").arg(captions("malformed/empty-captions.csv"));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let listed = stdout(&output);
    assert!(listed.contains("error[empty-caption]") && listed.contains("INVALID"), "{listed}");
    assert_eq!(stderr(&output), "");
}

#[test]
fn ids_of_the_table_join_with_those_of_the_submission() {
    let place = Place::new();
    let (submission, references) = (place.path("s.csv"), place.path("r.csv"));
    let rows =
        |word: &str| -> String { (1..30).map(|i| format!("{i},{word} dog {i}\n")).collect() };
    std::fs::write(&submission, format!("image_id,caption\n{}", rows("a"))).unwrap();
    std::fs::write(&references, format!("image_id,caption\n{}", rows("one"))).unwrap();
    let table = place.path("t.jsonl");
    place.score(&submission, &references).arg("--per-caption").arg(&table).assert().success();
    let first: Value = serde_json::from_str(text(&table).lines().next().unwrap()).unwrap();
    assert_eq!(first["image_id"], 1);
    // Zeros in front would be lost in a number.
    let padded = text(&submission).replace("\n1,", "\n001,");
    std::fs::write(&submission, padded).unwrap();
    place.score(&submission, &references).arg("--per-caption").arg(&table).assert().success();
    let first: Value = serde_json::from_str(text(&table).lines().next().unwrap()).unwrap();
    assert_eq!(first["image_id"], "001");
}
