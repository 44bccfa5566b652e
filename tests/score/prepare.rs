//! `fgd prepare`: folders, and files of any size.

use std::fs;
use std::path::{Path, PathBuf};

use predicates::prelude::*;
use serde_json::Value;

use crate::exact::many;
use crate::program::Place;

/// A file cut into the files of a folder; each has the header.
fn cut(place: &Place, file: &Path, name: &str, at: &[usize]) -> PathBuf {
    let text = fs::read_to_string(file).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let folder = place.path(name);
    fs::create_dir(&folder).unwrap();
    let ends = at.iter().copied().chain([rows.len()]);
    for (part, (begin, end)) in [0].iter().chain(at).copied().zip(ends).enumerate() {
        let rows = rows[begin..end].join("\n");
        fs::write(folder.join(format!("{part}.csv")), format!("{header}\n{rows}\n")).unwrap();
    }
    folder
}

#[test]
fn files_of_a_folder_are_one_side() {
    let place = Place::new();
    let [submission, references] = many(&place);
    let prepare = |output: &str, submission: &Path, references: &Path| {
        let mut command = place.fgd();
        command.arg("prepare").arg(submission).arg("-r").arg(references);
        command.args(["--slice", "part", "--buckets", "40", "-o"]).arg(place.path(output)).assert()
    };
    prepare("one", &submission, &references).success();
    let folders = [
        cut(&place, &submission, "submission", &[10, 150]),
        cut(&place, &references, "references", &[77]),
    ];
    prepare("many", &folders[0], &folders[1]).success();
    let manifest = |of: &str| -> Value {
        serde_json::from_slice(&fs::read(place.path(of).join("pairs.json")).unwrap()).unwrap()
    };
    let [one, many] = ["one", "many"].map(manifest);
    for part in ["pairs", "buckets"] {
        assert_eq!(one[part], many[part]);
    }
    assert_eq!(one["sources"]["references_sha256"], many["sources"]["references_sha256"]);
    assert_eq!(many["sources"]["inputs"].as_array().unwrap().len(), 5);
    let mut files = 0;
    for bucket in 0..40 {
        let file = format!("bucket-{bucket:06}/00000.parquet");
        let of = |folder: &str| fs::read(place.path(folder).join(&file)).ok();
        assert_eq!(of("one"), of("many"), "{file}");
        files += usize::from(of("one").is_some());
    }
    assert!(files > 30);

    // Problems are of a file.
    let part = folders[0].join("1.csv");
    let text = fs::read_to_string(&part).unwrap();
    fs::write(&part, text.replace("image-99,", "image-5,")).unwrap();
    let found = prepare("broken", &folders[0], &folders[1]).code(4);
    found
        .stderr(predicate::str::contains("1.csv"))
        .stderr(predicate::str::contains("image-5"))
        .stderr(predicate::str::is_match("already given in row 6 of .*0.csv").unwrap())
        .stderr(predicate::str::contains("image-99"));
    assert_eq!(fs::read_dir(place.path("broken")).unwrap().count(), 0);
}

/// Captions with a further name of each image, and the same in a file that is cut into pieces for a column that nobody reads.
fn large(place: &Place, name: &str, header: &str, names: impl Fn(usize) -> String) -> [PathBuf; 2] {
    let filler = "x".repeat(12_000);
    ["", &filler].map(|filler| {
        let row = |i: usize| format!("{},a dog that is number {i},{filler}\n", names(i));
        let rows: String = (0..3_000).map(row).collect();
        let path = place.path(&format!("{name}-{}.csv", filler.len()));
        fs::write(&path, format!("{header},caption,filler\n{rows}")).unwrap();
        path
    })
}

#[test]
fn ids_are_found_in_files_of_any_size() {
    let place = Place::new();
    let prepare = |name: &str, submission: &Path, references: &Path| {
        let mut command = place.fgd();
        command.arg("prepare").arg(submission).arg("-r").arg(references).arg("-q");
        let output = place.path(name);
        command.args(["--buckets", "20", "-o"]).arg(&output).assert().success().stderr("");
        let manifest = fs::read(output.join("pairs.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let bucket = fs::read(output.join("bucket-000007/00000.parquet")).unwrap();
        let findings = manifest["sources"]["findings"].as_array().unwrap().iter();
        let said: Vec<String> = findings.map(|found| found["message"].to_string()).collect();
        (manifest["sources"]["references_sha256"].clone(), bucket, said)
    };
    // A column that is called otherwise than it should be, and one of the references that names the images.
    let numbers = large(&place, "numbers", "image,id", |i| format!("none-{i},{i}"));
    let files = large(&place, "files", "file_name", |i| format!("dog_{}.jpg", 2_999 - i));
    let references =
        large(&place, "references", "image_id,file_name", |i| format!("{i},dog_{i}.jpg"));
    for (name, submission, said) in [
        ("numbers", numbers, "the ids are taken from `id`"),
        ("files", files, "the ids are those in column `file_name` of the references"),
    ] {
        let small = prepare(&format!("{name}-small"), &submission[0], &references[0]);
        let large = prepare(&format!("{name}-large"), &submission[1], &references[1]);
        assert_eq!((&small.0, &small.1), (&large.0, &large.1), "{name}");
        for found in [small.2, large.2] {
            let times = found.iter().filter(|found| found.contains(said)).count();
            assert_eq!(times, 1, "{found:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_prepare_leaves_nothing() {
    use std::io::{BufRead, BufReader, Read};
    let place = Place::new();
    let [_, file] = large(&place, "captions", "image_id", |i| i.to_string());
    let output = place.path("buckets");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fgd"));
    command.arg("prepare").arg(&file).arg("-v").arg("-r").arg(&file).arg("-o").arg(&output);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("reading") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it never read");
    }
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill").args(["-s", "INT", &id]).status().unwrap();
    assert!(sent.success());
    said.read_to_string(&mut line).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{line}");
    assert!(line.contains("interrupted"), "{line}");
    assert_eq!(fs::read_dir(&output).unwrap().count(), 0);
}
