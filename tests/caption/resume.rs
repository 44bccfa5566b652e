//! Killed at random moments, torn in mid-line, begun again with other settings.

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use crate::*;

/// Sends SIGKILL a moment after the journal has `target` batches; the process may be done before that.
fn kill_at(mut child: Child, output: &Path, target: usize, moment: Duration) {
    while batches(output) < target && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(moment);
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn twenty_kills_lose_nothing() {
    const IMAGES: usize = 24;
    let images = images(IMAGES as u32);
    let dir = tempfile::tempdir().unwrap();
    let settings = ["--num-beams", "4"];
    let whole = dir.path().join("whole.csv");
    succeed(caption(images.path(), &whole, &settings));
    let expected = std::fs::read(&whole).unwrap();
    assert_eq!(expected.iter().filter(|b| **b == b'\n').count(), IMAGES + 1);

    let mut state = std::process::id();
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    let (mut kills, mut interrupted, mut round) = (0, 0, 0);
    while kills < 20 {
        round += 1;
        let output = dir.path().join(format!("killed-{round}.csv"));
        let mut safe = 0;
        while !output.exists() && kills < 20 {
            let target = safe + random((IMAGES - safe) as u32 / 2 + 1) as usize;
            let moment = Duration::from_micros(u64::from(random(20_000)));
            let child = caption(images.path(), &output, &settings).spawn().unwrap();
            kill_at(child, &output, target, moment);
            kills += 1;
            interrupted += usize::from(!output.exists());
            let now = batches(&output);
            assert!(now >= safe, "captions were lost: {safe} then {now}");
            safe = now;
        }
        succeed(caption(images.path(), &output, &settings));
        assert_eq!(std::fs::read(&output).unwrap(), expected, "after {kills} kills");
    }
    assert!(interrupted >= 8, "only {interrupted} of {kills} kills came before the end");
}

#[test]
fn a_torn_line_is_cut_off_and_done_again() {
    let images = images(6);
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("captions.csv");
    succeed(caption(images.path(), &output, &[]));
    let expected = std::fs::read(&output).unwrap();
    let journal = beside(&output, "journal.jsonl");
    let bytes = std::fs::read(&journal).unwrap();
    let last = bytes.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap();
    let torn: Value = serde_json::from_slice(last).unwrap();
    let left = 6 - torn["outcomes"].as_array().unwrap().len();
    for cut in [bytes.len() - 1, bytes.len() - 40] {
        std::fs::write(&journal, &bytes[..cut]).unwrap();
        std::fs::remove_file(&output).unwrap();
        let stderr = succeed(caption(images.path(), &output, &[]));
        assert!(stderr.contains(&format!("going on after {left} of 6 images")), "{stderr}");
        assert_eq!(std::fs::read(&output).unwrap(), expected);
        assert_eq!(record(&output)["results"]["resumed"], left);
    }
}

#[test]
fn other_settings_are_refused_by_name() {
    let images = images(2);
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("captions.csv");
    succeed(caption(images.path(), &output, &[]));
    let stderr = fail(caption(images.path(), &output, &["--prompt", "a dog"]));
    assert!(
        stderr.contains("prompt")
            && stderr.contains("\"a dog\" now")
            && stderr.contains("--restart"),
        "{stderr}"
    );
    let stderr = fail(caption(images.path(), &output, &["--dtype", "q8"]));
    assert!(stderr.contains("dtype: \"f32\" then, \"q8\" now"), "{stderr}");
    // A journal whose settings were hashed in another way is never misread.
    let journal = beside(&output, "journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replacen(":4,", ":3,", 1)).unwrap();
    let stderr = fail(caption(images.path(), &output, &[]));
    assert!(stderr.contains("an older version") && stderr.contains("--restart"), "{stderr}");
    succeed(caption(images.path(), &output, &["--prompt", "a dog", "--restart"]));
}
