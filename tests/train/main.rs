//! Fine-tuning through the real binary: features, a whole run, runs that are killed, and what is refused.

mod captions;
mod objectives;
#[path = "../program/mod.rs"]
mod program;
#[path = "../schema/mod.rs"]
mod schema;
mod settings;
mod trackers;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use program::{Place, fixture, json, stderr, stdout};

const SCENES: [(&str, [u8; 3]); 6] = [
    ("a red car in the street", [220, 30, 30]),
    ("blue sky", [60, 120, 230]),
    ("the green table", [40, 180, 60]),
    ("two people holding food", [210, 180, 140]),
    ("a dog sitting next to a tree", [120, 80, 40]),
    ("a man and a woman", [230, 210, 200]),
];

/// Pictures `from..to` in their scene's colour, and a file with two captions of each.
fn pictures(place: &Place, name: &str, from: u32, to: u32) -> PathBuf {
    let images = place.path("images");
    std::fs::create_dir_all(&images).unwrap();
    let mut rows = String::from("image_id,caption\n");
    for at in from..to {
        let (caption, [r, g, b]) = SCENES[at as usize % SCENES.len()];
        let noise = |x: u32, y: u32| ((x * 7 + y * 13 + at * 31) % 29) as u8;
        let image = image::RgbImage::from_fn(24, 18, |x, y| {
            image::Rgb([r, g, b].map(|c: u8| c.saturating_sub(noise(x, y))))
        });
        image.save(images.join(format!("{at:03}.png"))).unwrap();
        // Ids match like those of captions: folder, extension and zeros do not count.
        rows.push_str(&format!("{at}.jpg,{caption}\n{at}.jpg,{caption} with a building\n"));
    }
    let path = place.path(name);
    std::fs::write(&path, rows).unwrap();
    path
}

fn features(place: &Place) -> assert_cmd::Command {
    let mut command = place.fgd();
    command.arg("features").arg("--checkpoint").arg(fixture("tiny-blip2/base"));
    command.arg("--images").arg(place.path("images")).arg("-o").arg(place.path("features"));
    command
}

const SETTINGS: [&str; 16] = [
    "--rank",
    "4",
    "--alpha",
    "8",
    "--batch-size",
    "4",
    "--accumulation",
    "2",
    "--epochs",
    "3",
    "--learning-rate",
    "2e-2",
    "--t5-dropout",
    "0.1",
    "--dropout",
    "0.1",
];

/// `fgd train` as a process that can be killed.
fn train(place: &Place, run: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fgd"));
    command.arg("train").arg("--checkpoint").arg(fixture("tiny-blip2/base"));
    command.arg("--features").arg(place.path("features"));
    command.arg("--captions").arg(place.path("train.csv"));
    command.arg("--validation").arg(place.path("validation.csv"));
    let said = |flag: &str| more.iter().any(|more| more.split('=').next() == Some(flag));
    for pair in SETTINGS.chunks(2).filter(|pair| !said(pair[0])) {
        command.args(pair);
    }
    command.arg("-o").arg(place.path(run)).args(more);
    command.env("HF_HUB_OFFLINE", "1").stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn fail(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "it went through");
    String::from_utf8(output.stderr).unwrap()
}

/// The lines without what a clock says.
fn metrics(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let timeless = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let fields = line.as_object_mut().unwrap();
        fields.remove("train/tokens_per_second");
        fields.remove("time");
        line
    };
    text.lines().map(timeless).collect()
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_as_one_that_was_not() {
    let place = Place::new();
    pictures(&place, "train.csv", 0, 24);
    pictures(&place, "validation.csv", 24, 30);
    let said = stderr(features(&place).assert().success().get_output());
    assert!(said.contains("features of 30 images") && said.contains("(0 were there"), "{said}");
    let said = stderr(features(&place).assert().success().get_output());
    assert!(said.contains("(30 were there"), "{said}");

    let output = train(&place, "whole", &["--threads", "1", "--keep-every", "7"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("48 captions of 24 images") && said.contains("GFLOP"), "{said}");
    assert!(said.contains("the first step took") && said.contains("validation loss"), "{said}");
    let whole = place.path("whole");
    let record: Value =
        serde_json::from_slice(&std::fs::read(whole.join("record.json")).unwrap()).unwrap();
    schema::assert_holds(&record);
    let results = &record["results"];
    // 12 batches: 6 steps an epoch.
    assert_eq!((&results["steps"], &results["modules"]), (&18.into(), &21.into()));
    let losses: Vec<f64> = results["validation"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["loss"].as_f64().unwrap())
        .collect();
    assert_eq!(losses.len(), 4);
    assert!(losses[3] < losses[0] - 1.0, "it learned nothing: {losses:?}");
    assert!(whole.join("step-7/adapter_config.json").exists());
    assert!(whole.join("step-14/adapter_model.safetensors").exists());

    // Captions choose, by the paired test; the loss falls so far that they become others.
    let encoder = fixture("encoder/tiny-mean");
    let mut judged = train(&place, "judged", &["--select-by", "fgd_paired", "--encoder"]);
    let output = judged.arg(&encoder).env("FGD_CACHE_DIR", place.path("cache")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("fgd_paired"), "{said}");
    let read = std::fs::read(place.path("judged/record.json")).unwrap();
    let record: Value = serde_json::from_slice(&read).unwrap();
    schema::assert_holds(&record);
    let validations = record["results"]["validation"].as_array().unwrap();
    assert_eq!(validations.len(), 4);
    let paired = |at: usize| validations[at]["fgd_paired"]["value"].as_f64().unwrap();
    let best = record["results"]["best_step"].as_u64().unwrap();
    let at = validations.iter().position(|v| v["step"] == best).unwrap();
    assert!(
        at == 0 || (paired(at) < paired(0) && validations[at]["p_value"].as_f64().unwrap() < 0.05)
    );
    assert!(place.path("judged/captions/step-0.csv").exists());
    assert_eq!(record["results"]["examples"].as_array().unwrap().len(), 6);
    // As if it had been killed behind its last validation: the record is of the same encoder, and of an adapter that is there.
    let again = || {
        std::fs::remove_file(place.path("judged/record.json")).unwrap();
        let mut judged = train(&place, "judged", &["--select-by", "fgd_paired", "--encoder"]);
        judged.arg(&encoder).env("FGD_CACHE_DIR", place.path("cache"));
        judged
    };
    assert!(again().output().unwrap().status.success());
    let read = std::fs::read(place.path("judged/record.json")).unwrap();
    let repeated: Value = serde_json::from_slice(&read).unwrap();
    assert_eq!(repeated["encoder"], record["encoder"]);
    assert_eq!(repeated["comparability"], record["comparability"]);
    std::fs::remove_dir_all(place.path("judged/best")).unwrap();
    let said = fail(again());
    assert!(said.contains("is gone"), "{said}");

    // Killed at moments that fall before, within and behind steps, with another number of threads.
    let mut kills = 0;
    for attempt in 0.. {
        let mut child =
            train(&place, "killed", &["--threads", "2"]).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(40 + 37 * (attempt % 12)));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        if kills == 20 {
            let mut resumed = place.fgd();
            resumed.arg("train").arg("--resume").arg(place.path("killed"));
            resumed.assert().success();
            break;
        }
    }
    let killed = place.path("killed");
    assert_eq!(metrics(&killed), metrics(&whole), "after {kills} kills");
    for file in [
        "last/adapter_model.safetensors",
        "last/state.safetensors",
        "best/adapter_model.safetensors",
    ] {
        let read = |run: &Path| std::fs::read(run.join(file)).unwrap();
        assert!(read(&killed) == read(&whole), "{file} differs after {kills} kills");
    }
    // Nothing is left to do, and that is said again; nor by other settings that decide no number.
    let before = std::fs::read_to_string(killed.join("record.json")).unwrap();
    for more in [&[][..], &["--save-every=5", "--keep-every=4", "--patience=9"]] {
        let said = String::from_utf8(train(&place, "killed", more).output().unwrap().stderr);
        assert!(said.unwrap().contains("nothing is left to do after step 18"));
        assert_eq!(metrics(&killed), metrics(&whole));
        assert_eq!(std::fs::read_to_string(killed.join("record.json")).unwrap(), before);
    }

    // The adapter is one that captioning takes.
    let adapter = whole.join("best");
    let mut caption = place.fgd();
    caption.arg("caption").arg("--checkpoint").arg(fixture("tiny-blip2/base"));
    caption.arg("--adapter").arg(&adapter).arg("--images").arg(place.path("images"));
    caption
        .arg("--features-cache")
        .arg(place.path("features"))
        .arg("-o")
        .arg(place.path("out.csv"));
    let record = json(caption.args(["--format", "json"]));
    assert_eq!(record["results"]["cached_features"], 30);

    // And so does the merged checkpoint.
    let mut merge = place.fgd();
    merge.arg("merge-adapter").arg("--checkpoint").arg(fixture("tiny-blip2/base"));
    merge.arg("--adapter").arg(&adapter).arg("-o").arg(place.path("merged"));
    let said = stderr(merge.assert().success().get_output());
    assert!(said.contains("21 matrices changed"), "{said}");
    merge.assert().failure();
    let mut caption = place.fgd();
    caption.arg("caption").arg("--checkpoint").arg(place.path("merged"));
    caption.arg("--images").arg(place.path("images")).arg("-o").arg(place.path("merged.csv"));
    caption.assert().success();
    let read = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(read("merged.csv"), read("out.csv"));

    let said = fail(train(&place, "killed", &["--weight-decay", "0.1"]));
    assert!(said.contains("is of a run with other captions"), "{said}");
    // Nor would captions judged by another encoder, or of another length.
    let encoder = fixture("encoder/tiny-mean").display().to_string();
    let judged = ["--select-by", "fgd_paired", "--encoder", &encoder];
    let said = fail(train(&place, "killed", &judged));
    assert!(said.contains("is of a run with other captions"), "{said}");
    let held = std::fs::File::open(&killed).unwrap();
    held.try_lock().unwrap();
    let said = fail(train(&place, "killed", &[]));
    assert!(said.contains("another process is writing it"), "{said}");
    drop(held);
    // Losses on other images would be held against those that are there.
    pictures(&place, "validation.csv", 24, 29);
    let said = fail(train(&place, "killed", &[]));
    assert!(said.contains("is of a run with other captions"), "{said}");
}

#[test]
fn an_adapter_beside_its_base_does_not_follow_into_the_merged_checkpoint() {
    let place = Place::new();
    std::fs::create_dir(place.path("both")).unwrap();
    for folder in ["tiny-blip2/base", "tiny-blip2/adapter"] {
        for entry in std::fs::read_dir(fixture(folder)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), place.path("both").join(entry.file_name())).unwrap();
        }
    }
    let mut merge = place.fgd();
    merge.arg("merge-adapter").arg("--checkpoint").arg(place.path("both"));
    merge.arg("--adapter").arg(place.path("both")).arg("-o").arg(place.path("merged"));
    merge.assert().success();
    assert!(!place.path("merged/adapter_config.json").exists());
    assert!(place.path("merged/config.json").exists());
}
