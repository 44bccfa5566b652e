//! Long runs through the real binary: killed at random moments, resumed, refused when settings change, with broken images
//! and with cached features.

mod checkpoints;
mod resume;
#[path = "../schema/mod.rs"]
mod schema;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// `count` small images of noise, ids 100, 101, …
fn images(count: u32) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for index in 0..count {
        let mut state = index + 1;
        let image = image::RgbImage::from_fn(20, 15, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            image::Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
        });
        image.save(dir.path().join(format!("{}.png", 100 + index))).unwrap();
    }
    dir
}

fn caption(images: &Path, output: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fgd"));
    command
        .arg("caption")
        .arg("--checkpoint")
        .arg(fixture("tiny-blip2/base"))
        .arg("--images")
        .arg(images)
        .arg("--output")
        .arg(output)
        .args(["--batch-size", "2", "--threads", "1"])
        .args(more)
        .env("HF_HUB_OFFLINE", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn succeed(mut command: Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    stderr
}

fn fail(mut command: Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "it went through");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    stderr
}

/// The record beside the captions, which must hold to the schema.
fn record(output: &Path) -> Value {
    let text = std::fs::read_to_string(beside(output, "record.json")).unwrap();
    let record: Value = serde_json::from_str(&text).unwrap();
    crate::schema::assert_holds(&record);
    record
}

fn beside(output: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}.{suffix}", output.display()))
}

/// Lines of captions that are safely in the journal.
fn batches(output: &Path) -> usize {
    let journal = std::fs::read(beside(output, "journal.jsonl")).unwrap_or_default();
    journal.iter().filter(|b| **b == b'\n').count().saturating_sub(1)
}

#[test]
fn broken_images_end_the_run_or_are_left_out() {
    let images = images(5);
    std::fs::write(images.path().join("102.png"), b"\x89PNG\r\n\x1a\nbroken").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("captions.csv");
    let stderr = fail(caption(images.path(), &output, &[]));
    assert!(stderr.contains("image 102") && stderr.contains("102.png"), "{stderr}");
    let stderr = succeed(caption(images.path(), &output, &["--on-error", "skip"]));
    assert!(stderr.contains("skipped image 102"), "{stderr}");
    let text = std::fs::read_to_string(&output).unwrap();
    let ids: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(ids, ["100", "101", "103", "104"]);
    let results = &record(&output)["results"];
    assert_eq!((&results["images"], &results["captions"]), (&5.into(), &4.into()));
    assert_eq!(results["failures"][0]["image_id"], "102");
    assert!(results["failures"][0]["reason"].as_str().unwrap().contains("image"));
}

#[test]
fn a_run_ends_in_a_record_that_is_rendered_again() {
    let images = images(5);
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("captions.csv");
    let mut command = caption(images.path(), &output, &["--format", "json"]);
    let printed = command.stdout(Stdio::piped()).output().unwrap().stdout;
    let record = record(&output);
    assert_eq!(serde_json::from_slice::<Value>(&printed).unwrap(), record);
    assert_eq!(record["kind"], "caption");
    assert_eq!(record["checkpoint"]["dtype"], "f32");
    assert_eq!(
        (&record["inputs"][0]["role"], &record["inputs"][0]["rows"]),
        (&"images".into(), &5.into())
    );
    // Of captions that stop because they may be no longer a note tells.
    let text = std::fs::read_to_string(&output).unwrap();
    let finding = record["findings"][0].clone();
    let cut = finding["message"].as_str().unwrap_or_default();
    assert!(
        finding["kind"] == "cut-off" && cut.contains("of 5 captions stopped at"),
        "{record} {text}"
    );
    let results = &record["results"];
    let journal = std::fs::read_to_string(beside(&output, "journal.jsonl")).unwrap();
    let batches = journal.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).unwrap());
    let outcomes: Vec<Value> =
        batches.flat_map(|b| b["outcomes"].as_array().unwrap().clone()).collect();
    let tokens: usize = outcomes.iter().map(|o| o["tokens"].as_array().unwrap().len()).sum();
    assert_eq!(results["tokens"], tokens);
    let slowest = outcomes.iter().map(|o| o["milliseconds"].as_f64().unwrap()).fold(0.0, f64::max);
    assert_eq!(results["caption_ms"]["max"], slowest);
    let (rate, seconds) = (&results["images_per_second"]["value"], &results["seconds"]);
    assert!((rate.as_f64().unwrap() * seconds.as_f64().unwrap() - 5.0).abs() < 1e-9);

    let mut report = Command::new(env!("CARGO_BIN_EXE_fgd"));
    let report = report.arg("report").arg(beside(&output, "record.json")).output().unwrap();
    let text = String::from_utf8(report.stdout).unwrap();
    assert!(text.starts_with("Captions of base") && text.contains("images/s"), "{text}");

    // With nothing left to do the record stays that of the run that did it; without it, there is no speed to tell.
    succeed(caption(images.path(), &output, &[]));
    assert_eq!(self::record(&output), record);
    std::fs::remove_file(beside(&output, "record.json")).unwrap();
    succeed(caption(images.path(), &output, &[]));
    let again = &self::record(&output)["results"];
    assert_eq!((&again["resumed"], &again["tokens"]), (&5.into(), &results["tokens"]));
    assert_eq!(again["images_per_second"]["value"], Value::Null);
    assert_eq!(again["caption_ms"], results["caption_ms"]);
}

#[test]
fn cached_features_give_the_same_captions_to_every_adapter() {
    let images = images(4);
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("features");
    let cache_flags = ["--features-cache", cache.to_str().unwrap()];
    let adapter = fixture("tiny-blip2/adapter");
    let adapter_flags = ["--adapter", adapter.to_str().unwrap()];
    let run = |name: &str, flags: &[&str]| {
        let output = dir.path().join(name);
        succeed(caption(images.path(), &output, flags));
        let hits = record(&output)["results"]["cached_features"].as_u64().unwrap();
        (std::fs::read(&output).unwrap(), hits)
    };
    let (plain, _) = run("plain.csv", &[]);
    assert_eq!(run("filling.csv", &cache_flags), (plain.clone(), 0));
    assert_eq!(run("filled.csv", &cache_flags), (plain.clone(), 4));
    // What an older version left is not read, and said.
    let older = cache.join("0123456789abcdef".repeat(4));
    std::fs::create_dir(&older).unwrap();
    let output = dir.path().join("beside-older.csv");
    let stderr = succeed(caption(images.path(), &output, &cache_flags));
    assert!(
        stderr.contains("features of an older version") && stderr.contains("0123456789abcdef"),
        "{stderr}"
    );
    assert_eq!(std::fs::read(&output).unwrap(), plain);
    let (adapted, _) = run("adapted.csv", &adapter_flags);
    assert_ne!(adapted, plain);
    assert_eq!(run("adapted-filled.csv", &[cache_flags, adapter_flags].concat()), (adapted, 4));
}

#[test]
fn sampling_depends_on_the_seed_and_not_on_the_batch() {
    let images = images(5);
    let dir = tempfile::tempdir().unwrap();
    let run = |name: &str, flags: &[&str]| {
        let output = dir.path().join(name);
        let mut command = caption(
            images.path(),
            &output,
            &["--temperature", "0.9", "--top-k", "50", "--top-p", "0.9"],
        );
        command.args(flags);
        succeed(command);
        std::fs::read_to_string(&output).unwrap()
    };
    let first = run("a.csv", &["--seed", "1"]);
    assert_eq!(first, run("b.csv", &["--seed", "1"]));
    assert_ne!(first, run("c.csv", &["--seed", "2"]));
}

#[test]
fn lists_and_directories_name_the_same_images() {
    let images = images(3);
    let dir = tempfile::tempdir().unwrap();
    let by_directory = dir.path().join("directory.csv");
    succeed(caption(images.path(), &by_directory, &[]));
    let list = images.path().join("list.csv");
    std::fs::write(&list, "image_id\n100\n101\n102\n").unwrap();
    let by_id = dir.path().join("id.csv");
    succeed(caption(&list, &by_id, &[]));
    let paths = dir.path().join("paths.csv");
    std::fs::write(&paths, "image_id,path\n100,100.png\n101,101.png\n102,102.png\n").unwrap();
    let by_path = dir.path().join("path.csv");
    succeed(caption(&paths, &by_path, &["--image-root", images.path().to_str().unwrap()]));
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    assert_eq!(read(&by_directory), read(&by_id));
    assert_eq!(read(&by_directory), read(&by_path));
    // A bare name is a file of this folder, where the images are too.
    let mut bare = caption(Path::new("list.csv"), &dir.path().join("bare.csv"), &[]);
    bare.current_dir(images.path());
    succeed(bare);
    assert_eq!(read(&by_directory), read(&dir.path().join("bare.csv")));

    std::fs::write(&list, "image_id\n100\n100\n").unwrap();
    assert!(fail(caption(&list, &dir.path().join("x.csv"), &[])).contains("there twice"));
    std::fs::write(&list, "picture\n100\n").unwrap();
    assert!(fail(caption(&list, &dir.path().join("x.csv"), &[])).contains("no column image_id"));
    let empty = tempfile::tempdir().unwrap();
    assert!(fail(caption(empty.path(), &dir.path().join("x.csv"), &[])).contains("no image"));
}

#[test]
fn images_that_cannot_be_read_are_reported_before_the_work() {
    let images = images(3);
    std::fs::write(images.path().join("200.avif"), b"\0\0\0\x1cftypavif\0\0\0\0").unwrap();
    std::fs::write(images.path().join("201.jpg"), b"<!DOCTYPE html><html>").unwrap();
    std::fs::write(images.path().join("notes.txt"), "noise").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("captions.csv");
    let failed = caption(images.path(), &output, &[]).output().unwrap();
    let stderr = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("left out as no images: notes.txt"), "{stderr}");
    assert!(
        stderr.contains("image 200") && stderr.contains("AVIF images are not read"),
        "{stderr}"
    );
    assert!(stderr.contains("and 1 more") && stderr.contains("--on-error skip"), "{stderr}");
    assert_eq!(batches(&output), 0);
    let stderr = succeed(caption(images.path(), &output, &["--on-error", "skip"]));
    assert!(stderr.contains("skipped image 200: AVIF"), "{stderr}");
    assert!(stderr.contains("skipped image 201: this is a web page"), "{stderr}");
    assert_eq!(std::fs::read_to_string(&output).unwrap().lines().count(), 4);
    assert_eq!(record(&output)["results"]["failures"][0]["image_id"], "200");

    let single = dir.path().join("single.csv");
    succeed(caption(&images.path().join("101.png"), &single, &[]));
    let expected = std::fs::read_to_string(&output).unwrap();
    let line = expected.lines().find(|line| line.starts_with("101,")).unwrap();
    assert_eq!(std::fs::read_to_string(&single).unwrap(), format!("image_id,caption\n{line}\n"));
}

#[test]
fn shards_merge_to_the_captions_of_one_run() {
    let images = images(5);
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    succeed(caption(images.path(), &at("whole.csv"), &[]));
    for (name, shard) in [("a.csv", "1/3"), ("b.csv", "2/3"), ("c.csv", "3/3"), ("d.csv", "1/2")] {
        succeed(caption(images.path(), &at(name), &["--shard", shard]));
    }
    succeed(caption(images.path(), &at("other.csv"), &["--shard", "3/3", "--prompt", "What?"]));
    let merge = |shards: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fgd"));
        command.arg("merge-captions").args(shards.iter().map(|name| at(name)));
        command.arg("-o").arg(at("all.csv")).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let said = succeed(merge(&["c.csv", "a.csv", "b.csv"]));
    assert!(said.contains("5 captions of 5 images from 3 shards"), "{said}");
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    assert_eq!(read("all.csv"), read("whole.csv"));
    let record = record(&at("b.csv"));
    assert_eq!(record["settings"]["shard"], "2/3");
    assert_eq!(record["inputs"][0]["rows"], 2);
    for (shards, expected) in [
        (&["a.csv", "c.csv"][..], "of 3 shards are missing: 2"),
        (&["a.csv", "b.csv", "b.csv", "c.csv"], "are both shard 2/3"),
        (&["a.csv", "b.csv", "d.csv"], "is one of 2 shards and"),
        (&["a.csv", "b.csv", "other.csv"], "the shards are of different runs: prompt is"),
        (&["whole.csv"], "is of a run without --shard"),
    ] {
        let said = fail(merge(shards));
        assert!(said.contains(expected), "{said}");
    }
    let lines = read("b.csv");
    std::fs::write(at("b.csv"), lines.replace("\n", " \n")).unwrap();
    let said = fail(merge(&["a.csv", "b.csv", "c.csv"]));
    assert!(said.contains("was changed after"), "{said}");
    // A record of an earlier version does not say what was written.
    let path = beside(&at("b.csv"), "record.json");
    let told = std::fs::read_to_string(&path).unwrap();
    let mut older: Value = serde_json::from_str(&told).unwrap();
    older["results"].as_object_mut().unwrap().remove("captions_sha256").unwrap();
    std::fs::write(&path, older.to_string()).unwrap();
    succeed(merge(&["a.csv", "b.csv", "c.csv"]));
    std::fs::write(&path, told).unwrap();
    std::fs::write(at("b.csv"), lines.lines().take(2).collect::<Vec<_>>().join("\n")).unwrap();
    let said = fail(merge(&["a.csv", "b.csv", "c.csv"]));
    assert!(said.contains("1 captions, where its record has 2"), "{said}");
    std::fs::remove_file(beside(&at("c.csv"), "record.json")).unwrap();
    let said = fail(merge(&["a.csv", "b.csv", "c.csv"]));
    assert!(said.contains("run it again, it goes on"), "{said}");
}
