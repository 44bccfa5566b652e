//! What others may hand in or do to a run: bombs, escape sequences, full devices, a cache that is damaged or cleared.

use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::program::{Place, captions, fixture, number, stderr, stdout};

/// Names of the system in which a terminal would obey something, and what reports make of it.
const HOSTILE: &str = "1\u{1b}]0;pwn\u{7}\u{1b}[31m\u{202e}\u{9b}31m";

fn obeyed(text: &str) -> bool {
    let turns =
        |c: char| ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
    text.contains(|c: char| (c.is_control() && c != '\n') || turns(c))
}

#[test]
fn nothing_that_a_terminal_obeys_comes_out_of_a_file() {
    let place = Place::new();
    let ids = serde_json::json!({HOSTILE: "a dog", "2": format!("a cat {HOSTILE}"), "3": ["", 3], "4": {"x": 1}});
    let submission = place.path(&format!("{HOSTILE}.json"));
    std::fs::write(&submission, ids.to_string()).unwrap();
    let references = place.path("references.json");
    let ids = serde_json::json!({HOSTILE: "a dog", "2": "a cat", "3": "a bus"});
    std::fs::write(&references, ids.to_string()).unwrap();
    let sound = place.path(&format!("{HOSTILE}.csv"));
    std::fs::write(&sound, format!("image_id,caption\n{HOSTILE},a\n2,{HOSTILE}\n3,c\n")).unwrap();
    let array = place.path("array.npy");
    let header = format!("{{'descr': '{HOSTILE}', 'fortran_order': False, 'shape': (2, 3), }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    std::fs::write(&array, bytes).unwrap();
    let suite = place.path("suite.toml");
    std::fs::write(&suite, "\"\\u001b[31m\\u202e\" = 1\n").unwrap();
    let model = place.path("model");
    std::fs::create_dir(&model).unwrap();
    std::fs::write(model.join("config.json"), "{\"model_type\": \"\\u001b[31m\\u202e\"}").unwrap();
    for name in ["tokenizer.json", "model.safetensors"] {
        std::fs::write(model.join(name), "{}").unwrap();
    }

    let run = |command: &mut assert_cmd::Command| {
        let output = command.output().unwrap();
        let (out, err) = (stdout(&output), stderr(&output));
        assert!(!obeyed(&out), "{command:?}: {out:?}");
        assert!(!obeyed(&err), "{command:?}: {err:?}");
        assert!(matches!(output.status.code(), Some(0..=5)), "{command:?}: {output:?}");
        out + &err
    };
    let said = run(place.fgd().args(["validate", "--all"]).arg(&submission));
    assert!(said.contains("␛]0;pwn␇"), "{said}");
    let json = run(place.fgd().args(["validate", "--format", "json"]).arg(&submission));
    let found: Value = serde_json::from_str(&json).unwrap();
    assert!(found["submission"].as_str().unwrap().contains(HOSTILE));
    run(&mut place.score(&submission, &references));
    for format in ["text", "json", "csv", "md"] {
        run(place.score(&sound, &references).args(["--worst", "3", "--format", format]));
    }
    run(place.fgd().arg("moments").arg(&array).arg("-o").arg(place.path("moments.npz")));
    run(place.fgd().args(["nightly", "report"]).arg(&suite));
    run(place.fgd().arg("embed").arg(&sound).arg("--encoder").arg(&model).args(["-o", "x.npy"]));
    run(place.fgd().args(["validate", &format!("--{HOSTILE}")]));
    run(place.fgd().args(["score", "x.csv", "--engine", HOSTILE]));
}

#[test]
fn what_is_out_of_proportion_is_refused_with_a_sentence() {
    let place = Place::new();
    let gzip = |name: &str, text: &str, times: usize| {
        let file = std::fs::File::create(place.path(name)).unwrap();
        let mut encoder = GzEncoder::new(file, Compression::default());
        encoder.write_all(b"image_id,caption\n").unwrap();
        (0..times).for_each(|_| encoder.write_all(text.as_bytes()).unwrap());
        encoder.finish().unwrap();
    };
    gzip("bomb.csv.gz", &"1,a\n".repeat(1 << 18), 80);
    let wide = format!(
        "image_id,caption,{}\n1,a\n",
        (0..200_000).map(|n| format!("c{n},")).collect::<String>()
    );
    std::fs::write(place.path("wide.csv"), wide).unwrap();
    let mut header = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    let text =
        format!("{:<117}\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 65536), }");
    header.extend(text.as_bytes());
    header.extend(vec![0; 2 * 65_536 * 4]);
    std::fs::write(place.path("wide.npy"), header).unwrap();
    // One long text that every short caption of a record repeats.
    let record = serde_json::json!([{"image_id": 1, "more": "x".repeat(400_000), "caption": vec!["a"; 100_000]}]);
    std::fs::write(place.path("repeats.json"), record.to_string()).unwrap();

    let says = |command: &mut assert_cmd::Command, code: i32, words: &str| {
        let output = command.output().unwrap();
        let said = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
    };
    let validate = |name: &str| {
        let mut command = place.fgd();
        command.arg("validate").arg(place.path(name));
        command
    };
    says(&mut validate("bomb.csv.gz"), 4, "out of all proportion to its size");
    says(&mut validate("repeats.json"), 4, "out of all proportion to its size");
    says(&mut validate("wide.csv"), 4, "columns are left out");
    let mut moments = place.fgd();
    moments.arg("moments").arg(place.path("wide.npy")).arg("-o").arg(place.path("moments.npz"));
    says(&mut moments, 1, "65536 dimensions are more than an encoder has");
}

#[test]
fn outputs_go_where_links_devices_and_pipes_lead() {
    let place = Place::new();
    let validate = |to: &std::path::Path| {
        let mut command = place.fgd();
        command.arg("validate").arg(captions("good.csv")).arg("-o").arg(to);
        command.assert().success();
    };
    std::fs::write(place.path("old"), "old").unwrap();
    symlink("old", place.path("link")).unwrap();
    validate(&place.path("link"));
    assert!(place.path("link").is_symlink());
    assert!(std::fs::read_to_string(place.path("old")).unwrap().contains("valid"));
    validate(&place.path("new"));
    let mode = |name: &str| std::fs::metadata(place.path(name)).unwrap().permissions().mode();
    std::fs::write(place.path("plain"), "").unwrap();
    assert_eq!(mode("new"), mode("plain"));

    validate("/dev/null".as_ref());
    let null = std::fs::metadata("/dev/null").unwrap().file_type();
    assert!(null.is_char_device());
    let pipe = place.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read_to_string(pipe).unwrap()
    });
    validate(&pipe);
    assert!(reader.join().unwrap().contains("valid"));
    assert_eq!(place.files(), ["link", "new", "old", "pipe", "plain"]);
}

#[test]
fn a_stderr_that_takes_nothing_costs_no_result() {
    let place = Place::new();
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fgd"));
    command
        .arg("validate")
        .arg(captions("malformed/duplicate-ids.csv"))
        .env("FGD_CACHE_DIR", place.path("cache"));
    let output = command.stderr(full()).stdout(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(stdout(&output).contains("INVALID"));
    // An error that cannot be told, and a result that cannot be written.
    let mut missing = std::process::Command::new(env!("CARGO_BIN_EXE_fgd"));
    missing.args(["validate", "nowhere.csv"]).stderr(full());
    assert_eq!(missing.output().unwrap().status.code(), Some(1));
    let mut lost = std::process::Command::new(env!("CARGO_BIN_EXE_fgd"));
    lost.arg("validate").arg(captions("good.csv")).stdout(full());
    assert_eq!(lost.output().unwrap().status.code(), Some(1));
}

#[test]
fn ids_given_twice_are_invalid_to_validate_as_to_score() {
    let place = Place::new();
    let file = place.path("twice.csv");
    std::fs::write(&file, "image_id,caption\n1,a dog\n2,a cat\n3,a bus\n1,a man\n").unwrap();
    let output = place.fgd().arg("validate").arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(stdout(&output).contains("duplicate-id"));
    place.score(&file, &captions("references.csv")).assert().code(4);
    // References have several captions per image.
    let output =
        place.fgd().arg("validate").arg(captions("references-multi.csv")).output().unwrap();
    assert!(stdout(&output).contains("duplicate-id"));
}

#[test]
fn a_cache_that_is_damaged_closed_or_cleared_changes_no_number() {
    let place = Place::new();
    let references = captions("references.csv");
    let value = |more: &[&str]| {
        number(&place.record(&captions("good.csv"), &references, more), "/fgd_paired/value")
    };
    let right = value(&["--no-cache"]);
    assert_eq!(value(&[]), right);
    let file = place.path("cache/embeddings.sqlite");
    let whole = std::fs::read(&file).unwrap();
    // Every hundredth byte of the vectors, the tables, the header.
    for damage in [0usize, 1, 2] {
        let mut bytes = whole.clone();
        match damage {
            0 => bytes.iter_mut().skip(5_000).step_by(100).for_each(|byte| *byte ^= 0x40),
            1 => bytes.truncate(whole.len() / 2),
            _ => bytes[..100].fill(7),
        }
        for name in ["embeddings.sqlite-wal", "embeddings.sqlite-shm"] {
            drop(std::fs::remove_file(place.path("cache").join(name)));
        }
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(value(&[]), right, "damage {damage}");
    }
    place.fgd().args(["cache", "clear"]).assert().success();
    assert_eq!(value(&[]), right);
    // A folder that cannot be made, because a file stands there.
    let output = place
        .score(&captions("good.csv"), &references)
        .env("FGD_CACHE_DIR", fixture("captions/good.csv").join("cache"))
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(stderr(&output).contains("going on without the cache"), "{}", stderr(&output));
}
