//! One of several captions of each image, through the real binary: files of systems, samples of a captioner, and what comes of
//! them in compare and sweep.

#[path = "../program/mod.rs"]
mod program;
#[path = "../schema/mod.rs"]
mod schema;

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use program::{Place, captions, fixture, json, stderr};

/// `fgd COMMAND` with the tiny encoder, a record as its answer, and its chosen captions in `chosen.csv`.
fn fgd(place: &Place, command: &str, files: &[&Path], more: &[&str]) -> assert_cmd::Command {
    let mut fgd = place.fgd();
    fgd.arg(command)
        .args(files)
        .env("FGD_FORMAT", "json")
        .args(["--replicates", "100", "--encoder"])
        .arg(fixture("encoder/tiny-mean"))
        .arg("-o")
        .arg(place.path("chosen.csv"))
        .args(more);
    fgd
}

fn chosen(place: &Place) -> HashMap<String, String> {
    read(&place.path("chosen.csv"))
}

fn read(path: &Path) -> HashMap<String, String> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let row = |row: csv::StringRecord| (row[0].to_owned(), row[1].to_owned());
    reader.records().map(|record| row(record.unwrap())).collect()
}

fn refused(mut command: assert_cmd::Command) -> String {
    let output = command.assert().failure().get_output().clone();
    let text = stderr(&output);
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    text
}

#[test]
fn an_ensemble_keeps_one_caption_per_image_and_says_what_it_is_worth() {
    let place = Place::new();
    let (good, other, poor) = (captions("good.csv"), captions("other.csv"), captions("poor.csv"));
    let files = [good.as_path(), other.as_path(), poor.as_path()];
    let references = captions("references.csv");
    let references = references.to_str().unwrap();
    let judge = fixture("encoder/tiny-cls");
    let record = json(&mut fgd(
        &place,
        "ensemble",
        &files,
        &["-r", references, "--judge", judge.to_str().unwrap(), "--slice", "label"],
    ));
    schema::assert_holds(&record);
    let results = &record["results"];
    assert_eq!(results["by"], "mbr-weighted");
    assert_eq!(results["images"], 329);
    let systems = [read(&good), read(&other), read(&poor)];
    let found = chosen(&place);
    assert_eq!(found.len(), 329);
    assert!(found.iter().all(|(id, text)| systems.iter().any(|system| &system[id] == text)));
    let sources = results["sources"].as_array().unwrap();
    let sum = |key: &str| sources.iter().map(|source| source[key].as_f64().unwrap()).sum::<f64>();
    assert_eq!(sum("chosen"), 329.0);
    assert!((sum("weight") - 1.0).abs() < 1e-12);
    // What the references make possible, what was chosen, and each file are in one order.
    let value = |system: &Value| system["scores"]["fgd_paired"]["value"].as_f64().unwrap();
    let quality = &results["quality"];
    let scored = quality["systems"].as_array().unwrap();
    assert_eq!(scored.len(), 4);
    assert_eq!(scored[3]["name"], "chosen");
    let oracle = results["oracle"]["value"].as_f64().unwrap();
    assert!(scored.iter().all(|system| value(system) >= oracle));
    assert!(scored[3]["scores"]["metrics"]["cider_d"]["value"].as_f64().is_some());
    assert!(scored[3]["scores"]["slices"][0]["parts"].as_array().unwrap().len() > 2);
    let differences = quality["differences"].as_array().unwrap();
    assert!(differences.iter().all(|difference| difference["system"] == "chosen"));
    assert!(results["judge"]["quality"]["systems"].as_array().unwrap().len() == 4);
    assert!(results["warnings"][0].as_str().unwrap().contains("flatters"));
    // Without references the plain mean decides, and nothing is scored.
    let plain = json(&mut fgd(&place, "ensemble", &files, &[]));
    schema::assert_holds(&plain);
    assert_eq!(plain["results"]["by"], "mbr");
    assert!(plain["results"].get("quality").is_none());
    // The same captions in one file are the same choice.
    let by_file = std::fs::read(place.path("chosen.csv")).unwrap();
    let mut lines = String::new();
    for system in &systems {
        for (id, caption) in system {
            let line = serde_json::json!({"image_id": id, "caption": caption});
            lines.push_str(&format!("{line}\n"));
        }
    }
    std::fs::write(place.path("all.jsonl"), lines).unwrap();
    json(&mut fgd(&place, "select", &[&place.path("all.jsonl")], &[]));
    let sorted = |bytes: &[u8]| {
        let mut lines: Vec<String> =
            String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&std::fs::read(place.path("chosen.csv")).unwrap()), sorted(&by_file));
    // References of other images: only sets are compared.
    let sets = json(&mut fgd(&place, "ensemble", &files, &["-r", references, "--unpaired"]));
    schema::assert_holds(&sets);
    assert!(sets["results"]["quality"]["systems"][3]["scores"]["fgd_set"]["value"].is_number());
    // The text form and the report are of the same record.
    let mut text = fgd(&place, "ensemble", &files, &["-r", references, "--format", "text"]);
    let report = place.path("report");
    let output = text.arg("--report").arg(&report).assert().success().get_output().clone();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("Where the captions come from") && text.contains("Upper bound"),
        "{text}"
    );
    assert!(report.join("index.html").exists());
}

#[test]
fn files_may_lack_images_and_what_makes_no_sense_is_refused() {
    let place = Place::new();
    let write = |name: &str, text: &str| {
        std::fs::write(place.path(name), text).unwrap();
        place.path(name)
    };
    let a =
        write("a.csv", "image_id,caption\n1.jpg,a red bus\n2.jpg,two dogs\n3.jpg,a cat asleep\n");
    let b = write("b.csv", "image_id,caption\n2,two dogs run\n1,a bus\n4,a boat\n");
    let c = write("c.csv", "image_id,caption\n2.jpg,two dogs\n1.jpg,\n");
    let record = json(&mut fgd(&place, "ensemble", &[&a, &b, &c], &[]));
    assert_eq!(record["results"]["images"], 4);
    let found = chosen(&place);
    assert_eq!(found["2.jpg"], "two dogs", "two of three say so");
    assert_eq!((found["3.jpg"].as_str(), found["4"].as_str()), ("a cat asleep", "a boat"));
    // Of two equally near captions the first file's is kept, and an empty one is none.
    assert_eq!(found["1.jpg"], "a red bus");

    let blank = write("blank.csv", "image_id,caption\n1,a dog\n3,\n");
    let record = json(&mut fgd(&place, "select", &[&blank], &[]));
    let findings = record["findings"].to_string();
    assert!(findings.contains("an empty choice, for 1 of 2 images"), "{findings}");

    let refuses = |files: &[&Path], more: &[&str], says: &str| {
        let text = refused(fgd(&place, "select", files, more));
        assert!(text.contains(says), "{text}");
    };
    let references = a.to_str().unwrap();
    refuses(&[&a], &["--by", "oracle", "-r", references], "--yes-this-is-an-oracle");
    refuses(&[&a, &b], &["--by", "mbr-weighted"], "--references");
    refuses(&[&a], &["--by", "logprob"], "log_probability");
    refuses(&[&a, &b], &["--by", "medoid", "--medoid-metric", "fgd_set"], "cider_d");
    refuses(&[&a], &["--judge", "x"], "--references");
    // What keeps a choice from being scored is found before anything is written.
    std::fs::remove_file(place.path("chosen.csv")).unwrap();
    refuses(&[&a, &b], &["-r", references, "--slice", "album"], "album");
    let lone = write("lone.csv", "image_id,caption\n2,two dogs\n9,a boat\n");
    refuses(&[&a, &b], &["-r", lone.to_str().unwrap()], "too few images");
    assert!(!place.path("chosen.csv").exists());
    let text = refused(fgd(&place, "ensemble", &[&a], &[]));
    assert!(text.contains("fgd select"), "{text}");
    let oracle = ["--by", "oracle", "--yes-this-is-an-oracle", "-r", references];
    let record = json(&mut fgd(&place, "ensemble", &[&b, &a], &oracle));
    schema::assert_holds(&record);
    assert_eq!(chosen(&place)["1"], "a red bus");
    let lines = "{\"image_id\": 1, \"caption\": \"a\", \"log_probability\": -2}\n\
                 {\"image_id\": 1, \"caption\": \"b\", \"log_probability\": -1.5}\n";
    let samples = write("samples.jsonl", lines);
    json(&mut fgd(&place, "select", &[&samples], &["--by", "logprob"]));
    assert_eq!(chosen(&place)["1"], "b");
}

/// `fgd caption` of the tiny checkpoint over `images` noise images.
fn caption(place: &Place, output: &Path, more: &[&str]) -> assert_cmd::Command {
    let images = place.path("images");
    if !images.exists() {
        std::fs::create_dir(&images).unwrap();
        for index in 0..5u32 {
            let mut state = index + 1;
            let image = image::RgbImage::from_fn(20, 15, |_, _| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                image::Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
            });
            image.save(images.join(format!("{}.png", 100 + index))).unwrap();
        }
    }
    let mut fgd = place.fgd();
    fgd.arg("caption")
        .arg("--checkpoint")
        .arg(fixture("tiny-blip2/base"))
        .arg("--images")
        .arg(images)
        .arg("-o")
        .arg(output)
        .args(["--batch-size", "2", "--max-new-tokens", "12", "--format", "json", "--encoder"])
        .arg(fixture("encoder/tiny-mean"))
        .args(more);
    fgd
}

/// Starts a command again and again and kills it (-9), each time a little later, until it ends by itself; how often it was killed.
fn killed(command: &assert_cmd::Command) -> u32 {
    for kills in 0.. {
        let mut again = std::process::Command::new(command.get_program());
        again.args(command.get_args()).stdout(Stdio::null()).stderr(Stdio::null());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => again.env(name, value),
                None => again.env_remove(name),
            };
        }
        let mut child = again.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(25 * u64::from(1 + kills)));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return kills;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    unreachable!("it ends before the numbers do")
}

#[test]
fn samples_are_drawn_kept_and_chosen_from_and_a_killed_run_chooses_the_same() {
    let place = Place::new();
    let whole = place.path("whole.csv");
    let draws = ["--samples", "6", "--temperature", "1.5", "--top-k", "0"];
    let record = json(&mut caption(&place, &whole, &draws));
    schema::assert_holds(&record);
    assert_eq!(record["settings"]["generation"]["num_return_sequences"], 6);
    assert_eq!(record["settings"]["select"]["by"], "mbr");
    let samples = std::fs::read_to_string(place.path("whole.csv.samples.jsonl")).unwrap();
    let rows: Vec<Value> =
        samples.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 30);
    assert!(rows.iter().all(|row| row["log_probability"].as_f64().unwrap() < 0.0));
    let texts: std::collections::HashSet<&str> =
        rows[..6].iter().map(|row| row["caption"].as_str().unwrap()).collect();
    assert!(texts.len() > 1, "six draws of one image are one caption");

    // Where its samples cannot go is found out before a caption is drawn.
    let nowhere = place.path("nowhere/samples.jsonl");
    let (late, more) = (place.path("late.csv"), ["--samples-file", nowhere.to_str().unwrap()]);
    caption(&place, &late, &[&draws[..], &more].concat()).assert().code(1);
    assert!(!place.path("late.csv.journal.jsonl").exists());

    // Killed wherever it is, loading, drawing, embedding or writing, it goes on to the same samples and the same choice.
    let kills = killed(&caption(&place, &place.path("again.csv"), &draws));
    assert!(kills > 0, "it ended before it could be killed");
    let bytes = |name: &str| std::fs::read(place.path(name)).unwrap();
    for suffix in ["", ".samples.jsonl"] {
        let found = bytes(&format!("again.csv{suffix}"));
        assert_eq!(found, bytes(&format!("whole.csv{suffix}")), "after {kills} kills, {suffix}");
    }

    // A process that was killed leaves whole batches, and a torn line.
    let journal = std::fs::read_to_string(place.path("whole.csv.journal.jsonl")).unwrap();
    let lines: Vec<&str> = journal.lines().collect();
    for kept in 1..lines.len() {
        let torn = &lines[kept][..lines[kept].len() / 2];
        let text = format!("{}\n{torn}", lines[..kept].join("\n"));
        std::fs::write(place.path("killed.csv.journal.jsonl"), text).unwrap();
        json(&mut caption(&place, &place.path("killed.csv"), &draws));
        for suffix in ["", ".samples.jsonl"] {
            let found = bytes(&format!("killed.csv{suffix}"));
            assert_eq!(found, bytes(&format!("whole.csv{suffix}")), "{kept} lines, {suffix}");
        }
    }

    // Chosen again out of the file: the same.
    json(&mut fgd(&place, "select", &[&place.path("whole.csv.samples.jsonl")], &[]));
    assert_eq!(chosen(&place), read(&whole));
    // More samples begin with the same ones, and one is the run that draws one.
    json(&mut caption(&place, &place.path("one.csv"), &["--temperature", "1.5", "--top-k", "0"]));
    for row in rows.iter().filter(|row| row["sample"] == 0) {
        let id = row["image_id"].as_str().unwrap();
        assert_eq!(read(&place.path("one.csv"))[id], row["caption"].as_str().unwrap());
    }
    // Lists of beams, by other rules; without an encoder where none is asked.
    let beams = ["--samples", "3", "--num-beams", "4", "--select"];
    for by in ["logprob", "mbr-weighted", "medoid"] {
        let record = json(&mut caption(&place, &place.path(by), &[&beams[..], &[by]].concat()));
        schema::assert_holds(&record);
        assert_eq!(read(&place.path(by)).len(), 5, "{by}");
    }
    for (more, says) in [
        (&["--samples", "5", "--num-beams", "4"][..], "num_return_sequences"),
        (&["--samples", "2", "--select", "oracle"], "fgd select"),
        (&["--min-new-tokens", "13"], "min_new_tokens"),
        (&["--samples", "2", "--epsilon-cutoff", "1.5"], "epsilon_cutoff"),
    ] {
        let text = refused(caption(&place, &place.path("refused.csv"), more));
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn compare_and_sweep_take_the_same_checkpoint_decoded_otherwise() {
    let place = Place::new();
    let base = fixture("tiny-blip2/base");
    let base = base.to_str().unwrap();
    json(&mut caption(&place, &place.path("any.csv"), &[]));
    let references = place.path("references.csv");
    let rows: String =
        (100..105).map(|id| format!("{id},a picture of {} dogs\n", id - 98)).collect();
    std::fs::write(&references, format!("image_id,caption\n{rows}")).unwrap();
    let common = |command: &str| {
        let mut fgd = place.fgd();
        fgd.arg(command)
            .arg("--images")
            .arg(place.path("images"))
            .arg("-r")
            .arg(&references)
            .env("FGD_WORK", place.path(&format!("{command}.work")))
            .args(["--max-new-tokens", "8", "--replicates", "100", "--format", "json", "--encoder"])
            .arg(fixture("encoder/tiny-mean"));
        fgd
    };
    let compared = json(common("compare").args([
        &format!("base={base}"),
        &format!("drawn={base}@mbr3"),
        &format!("beams={base}@num_beams=3,length_penalty=0.5"),
    ]));
    schema::assert_holds(&compared);
    assert_eq!(compared["results"]["systems"].as_array().unwrap().len(), 3);
    assert!(place.path("compare.work/drawn.csv.samples.jsonl").exists());
    let findings = compared["findings"].as_array().unwrap();
    let of = |kind: &str| findings.iter().filter(|found| found["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(of("reference-length").len(), 1);
    let [chosen] = of("chosen-by-judge")[..] else { panic!("{findings:?}") };
    assert_eq!(chosen["input"], "drawn");
    let wrong = format!("{base}@num_beam=3");
    let text = refused({
        let mut command = common("compare");
        command.args([base, &wrong]);
        command
    });
    assert!(text.contains("num_beam"), "{text}");

    let command_of = |work: &str| {
        let mut command = common("sweep");
        let grid = ["--grid", "num_beams=1,2", "--grid", "max_new_tokens=4,8"];
        command.args(["--checkpoint", base]).args(grid).env("FGD_WORK", place.path(work));
        command
    };
    let sweep = |work: &str| {
        let mut command = command_of(work);
        let output = command.assert().success().get_output().clone();
        let chosen = stderr(&output);
        assert!(
            chosen.contains("keep num_beams=1,max_new_tokens=4") || chosen.contains("take "),
            "{chosen}"
        );
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let first = sweep("sweep.work");
    schema::assert_holds(&first);
    let tested = first["results"]["differences"].as_array().unwrap();
    assert!(tested.iter().all(|found| found["versus"] == "num_beams=1,max_new_tokens=4"));
    assert!(tested.iter().filter(|found| found["metric"] == "fgd_paired").count() == 3);
    // The same command again has nothing left to caption, and says the same.
    let again = sweep("sweep.work");
    assert_eq!(again["results"]["differences"], first["results"]["differences"]);
    // Killed wherever it is, it goes on to the same captions and the same choice.
    assert!(killed(&command_of("killed.work")) > 0, "it ended before it could be killed");
    assert_eq!(sweep("killed.work")["results"]["differences"], again["results"]["differences"]);
}
