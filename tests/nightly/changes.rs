//! What is otherwise than it was: other references, figures that moved without a gate, and who is told of a change.

use serde_json::Value;

use crate::program::captions;
use crate::suite::{Nightly, finding, small, verdicts};

#[test]
fn other_references_begin_a_series_by_name() {
    let suite = Nightly::new(&small(""));
    suite.run();
    let text = std::fs::read_to_string(suite.path("references.csv")).unwrap();
    let other = text.replacen(" a ", " one ", 1);
    assert_ne!(text, other);
    std::fs::write(suite.path("references.csv"), other).unwrap();
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 0, "{stderr}");
    let found = finding(&record, "good", "fgd_paired");
    assert_eq!(found["verdict"], "new_series", "{found}");
    let reason = found["reason"].as_str().unwrap();
    assert!(reason.contains("other references in references.csv"), "{reason}");
    assert!(stderr.contains("NEW SERIES: good fgd_paired"), "{stderr}");
    let (_, report, _) = suite.nightly(&["report", "--format", "md"]);
    let news = report.split_once("News").unwrap().1;
    assert!(news.contains("other references in references.csv"), "{report}");
    // From then on it is an ordinary one.
    let (_, record, _) = suite.run();
    assert_eq!(finding(&record, "good", "fgd_paired")["verdict"], "unchanged");
}

#[test]
fn references_of_more_images_begin_a_series_and_fail_nothing() {
    let suite = Nightly::new(&small(""));
    let cut = |name: &str, lines: usize| {
        let text = std::fs::read_to_string(captions(name)).unwrap();
        let lines: Vec<&str> = text.lines().take(lines).collect();
        std::fs::write(suite.path(name), lines.join("\n")).unwrap();
    };
    // No caption of the fixture goes over several lines among the first.
    for (lines, verdict) in [(101, "insufficient_history"), (121, "new_series"), (121, "unchanged")]
    {
        cut("references.csv", lines);
        cut("good.csv", lines);
        let (code, record, stderr) = suite.run();
        assert_eq!(code, 0, "{stderr}");
        assert_eq!(finding(&record, "good", "fgd_paired")["verdict"], verdict, "{stderr}");
    }
    // What was accepted are the captions of the new images, and they are held.
    let poor = std::fs::read_to_string(captions("poor.csv")).unwrap();
    let lines: Vec<&str> = poor.lines().take(121).collect();
    std::fs::write(suite.path("good.csv"), lines.join("\n")).unwrap();
    let (code, _, stderr) = suite.run();
    assert_eq!(code, 3, "{stderr}");
}

#[test]
fn accepted_captions_are_held_whichever_column_has_the_ids_of_the_references() {
    let suite = Nightly::new(&small(""));
    // The first column of ids counts rows; those of the references stand in the second.
    let counted = |name: &str| {
        let mut reader = csv::Reader::from_path(captions(name)).unwrap();
        let mut writer = csv::Writer::from_path(suite.path("good.csv")).unwrap();
        writer.write_record(["image_id", "file_name", "caption"]).unwrap();
        for (row, record) in reader.records().map(Result::unwrap).enumerate() {
            let (row, file) = (row.to_string(), format!("{}.jpg", &record[0]));
            writer.write_record([&row, &file, &record[1]]).unwrap();
        }
        writer.flush().unwrap();
    };
    for (name, code, verdict) in
        [("good.csv", 0, "insufficient_history"), ("poor.csv", 3, "regressed")]
    {
        counted(name);
        let (found, record, stderr) = suite.run();
        assert_eq!(found, code, "{stderr}");
        let figure = finding(&record, "good", "fgd_paired");
        assert_eq!(figure["verdict"], verdict, "{figure}");
        assert_eq!(figure["p_holm"].is_number(), code == 3, "{figure}");
    }
}

#[test]
fn a_figure_that_moved_without_a_gate_is_shown_until_it_is_accepted() {
    // The gate is on CIDEr alone, so nothing tests the distance.
    let text = small("[gates]\nmetrics = [\"cider\"]\n")
        .replace("encoder =", "metrics = [\"cider\"]\nencoder =");
    let suite = Nightly::new(&text);
    let (_, record, _) = suite.run();
    let level = finding(&record, "good", "fgd_paired")["value"].as_f64().unwrap();
    std::fs::copy(captions("poor.csv"), suite.path("good.csv")).unwrap();
    for night in 0..2 {
        let (code, record, stderr) = suite.run();
        assert_eq!(code, 3, "{stderr}");
        let moved = finding(&record, "good", "fgd_paired");
        assert_eq!(moved["verdict"], "moved", "night {night}: {moved}");
        assert_eq!(moved["level"].as_f64().unwrap(), level, "{moved}");
        let reason = moved["reason"].as_str().unwrap();
        assert!(reason.contains("stays what is accepted until `fgd nightly accept`"), "{reason}");
        assert!(stderr.contains("MOVED, UNTESTED: good fgd_paired"), "{stderr}");
    }
    let standing = |row: &&Value| row["metric"] == "fgd_paired" && row["verdict"] == "moved";
    assert!(suite.rows().iter().filter(standing).all(|row| row["standing"] != "accepted"));
    let (code, stdout, _) = suite.nightly(&["status"]);
    assert!(code == 3 && stdout.contains("good fgd_paired, moved"), "{stdout}");

    let (code, _, stderr) = suite.nightly(&["accept", "--note", "meant"]);
    assert!(code == 0 && stderr.contains("good fgd_paired: accepted"), "{stderr}");
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(verdicts(&record, "moved"), Vec::<(&str, &str)>::new());

    // A little is within the band, and many little steps are held against what was accepted.
    let accepted = finding(&record, "good", "fgd_paired")["value"].as_f64().unwrap();
    for _ in 0..2 {
        let text = std::fs::read_to_string(suite.path("good.csv")).unwrap();
        std::fs::write(suite.path("good.csv"), text.replacen("a ", "one ", 1)).unwrap();
        let (_, record, _) = suite.run();
        let stayed = finding(&record, "good", "fgd_paired");
        assert_eq!(stayed["verdict"], "unchanged");
        assert_eq!(stayed["level"].as_f64().unwrap(), accepted, "{stayed}");
    }
}

#[test]
fn a_level_without_captions_is_held_all_the_same() {
    let suite = Nightly::new(&small(""));
    let (_, record, _) = suite.run();
    let level = finding(&record, "good", "fgd_paired")["value"].clone();
    // As in a state folder that was begun anew with the history of the old one.
    std::fs::remove_dir_all(suite.path("nightly/accepted")).unwrap();
    std::fs::copy(captions("poor.csv"), suite.path("good.csv")).unwrap();
    for night in 0..2 {
        let (code, record, stderr) = suite.run();
        assert_eq!(code, 3, "night {night}: {stderr}");
        assert_eq!(finding(&record, "good", "fgd_paired")["level"], level, "{stderr}");
    }
}

#[test]
fn better_captions_bring_the_level_of_all_their_numbers() {
    let suite = Nightly::new(&small(""));
    std::fs::copy(captions("poor.csv"), suite.path("good.csv")).unwrap();
    suite.run();
    std::fs::copy(captions("good.csv"), suite.path("good.csv")).unwrap();
    let (_, record, stderr) = suite.run();
    assert_eq!(finding(&record, "good", "fgd_paired")["verdict"], "improved", "{stderr}");
    // What moved with them is their level now, and nothing says that another one is.
    let all = record["results"]["findings"].as_array().unwrap();
    let moved: Vec<&Value> = all.iter().filter(|found| found["verdict"] == "moved").collect();
    assert!(!moved.is_empty(), "{all:#?}");
    for found in moved {
        let reason = found["reason"].as_str().unwrap();
        assert!(reason.contains("it is the level from now on"), "{reason}");
        assert!(!reason.contains("stays what is accepted"), "{reason}");
        assert_eq!(found["accepted"]["note"], "with the captions of that night");
    }
    assert!(!stderr.contains("MOVED, UNTESTED"), "{stderr}");
    let page = std::fs::read_to_string(suite.path("nightly/site/history-good.html")).unwrap();
    assert!(page.contains("the level changed once with the night of"), "{page}");
    assert!(!page.contains("no change of level"), "{page}");
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 0, "{stderr}");
    for metric in ["fgd_paired", "fgd_set", "mean_cosine"] {
        let found = finding(&record, "good", metric);
        assert_eq!(found["level"], found["value"], "{found}");
    }
}

#[test]
fn nights_of_a_clock_that_was_ahead_keep_nothing_from_being_accepted() {
    let suite = Nightly::new(&small(""));
    suite.run();
    let mut rows = suite.rows();
    rows.iter_mut().for_each(|row| row["started"] = "2099-01-01T00:00:00Z".into());
    suite.import(&rows);
    std::fs::copy(captions("poor.csv"), suite.path("good.csv")).unwrap();
    let (code, _, stderr) = suite.run();
    assert_eq!(code, 3, "{stderr}");
    let (code, _, stderr) = suite.nightly(&["accept"]);
    assert!(code == 0 && stderr.contains("good fgd_paired: accepted"), "{stderr}");
}

#[test]
fn two_suites_do_not_share_a_state_folder() {
    let suite = Nightly::new(&small(""));
    suite.run();
    let text = small("").replace("\"small\"", "\"second\"");
    std::fs::write(suite.suite(), text).unwrap();
    for command in [&["run"][..], &["run", "--dry-run"], &["status"], &["accept"]] {
        let (code, _, stderr) = suite.nightly(command);
        assert!(code == 2 && stderr.contains("suite `small`"), "{command:?}: {code} {stderr}");
    }
}

#[test]
fn an_acceptance_that_broke_off_is_made_again() {
    let suite = Nightly::new(&small(""));
    suite.run();
    std::fs::copy(captions("poor.csv"), suite.path("good.csv")).unwrap();
    assert_eq!(suite.run().0, 3);
    let [accepted, aside] = ["nightly/accepted/good", "aside"].map(|name| suite.path(name));
    std::fs::rename(&accepted, &aside).unwrap();
    std::fs::write(&accepted, "in the way").unwrap();
    let (code, _, stderr) = suite.nightly(&["accept"]);
    assert_ne!(code, 0, "{stderr}");
    std::fs::remove_file(&accepted).unwrap();
    std::fs::rename(&aside, &accepted).unwrap();
    let (code, _, stderr) = suite.nightly(&["accept"]);
    assert!(code == 0 && stderr.contains("good fgd_paired: accepted"), "{stderr}");
    let kept = std::fs::read(accepted.join("captions.csv")).unwrap();
    assert_eq!(kept, std::fs::read(captions("poor.csv")).unwrap());
}

#[test]
fn what_was_before_a_new_series_is_not_accepted() {
    let suite = Nightly::new(&small(""));
    suite.run();
    std::fs::copy(captions("poor.csv"), suite.path("good.csv")).unwrap();
    assert_eq!(suite.run().0, 3);
    let text = small("").replace("encoder =", "max_length = 9\nencoder =");
    std::fs::write(suite.suite(), text).unwrap();
    std::fs::copy(captions("good.csv"), suite.path("good.csv")).unwrap();
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(finding(&record, "good", "fgd_paired")["verdict"], "new_series", "{stderr}");
    let (_, _, stderr) = suite.nightly(&["accept"]);
    assert!(!stderr.contains("fgd_paired: accepted"), "{stderr}");
}

#[test]
fn a_gated_figure_that_no_test_decides_is_held_to_its_band() {
    // Fewer captions than dimensions: no test of the set distance.
    let text = small("[gates]\nmetrics = [\"fgd_set\"]\n");
    let suite = Nightly::new(&text);
    let (code, _, stderr) = suite.run();
    assert_eq!(code, 0, "{stderr}");
    std::fs::copy(captions("poor.csv"), suite.path("good.csv")).unwrap();
    for _ in 0..2 {
        let (code, record, stderr) = suite.run();
        assert_eq!(code, 3, "{stderr}");
        assert_eq!(finding(&record, "good", "fgd_set")["verdict"], "regressed");
    }
    let rejected = |row: &&Value| row["metric"] == "fgd_paired" && row["standing"] == "accepted";
    assert_eq!(
        suite.rows().iter().filter(rejected).count(),
        1,
        "captions that regressed are no level"
    );
    let (code, stdout, _) = suite.nightly(&["status"]);
    assert!(code == 3 && stdout.contains("good fgd_set, regressed"), "{stdout}");
    let (code, _, stderr) = suite.nightly(&["accept"]);
    assert!(code == 0 && stderr.contains("good fgd_paired: accepted"), "{stderr}");
    let (code, stdout, _) = suite.nightly(&["status"]);
    assert!(code == 0 && stdout.contains("good fgd_set: accepted since"), "{stdout}");
}

#[test]
fn an_accepted_regression_is_told_with_its_note_and_what_is_open_stays() {
    let suite = Nightly::new(&small("[[system]]\nname = \"gone\"\nsubmission = \"gone.csv\"\n"));
    suite.run();
    let page = |name: &str| {
        let text = std::fs::read_to_string(suite.path("nightly/site").join(name)).unwrap();
        text.replace("&#x2f;", "/")
    };
    assert!(page("history-good.html").contains("no change of level is known"));
    std::fs::copy(captions("poor.csv"), suite.path("good.csv")).unwrap();
    assert_eq!(suite.run().0, 3);
    assert!(page("history-good.html").contains("not accepted"));
    let (code, _, stderr) = suite.nightly(&["accept", "--note", "a cheaper captioner"]);
    assert_eq!(code, 0, "{stderr}");

    // Only the failure is open.
    let (code, stdout, _) = suite.nightly(&["status"]);
    assert_eq!(code, 5, "{stdout}");
    let mut lines = stdout.lines();
    let first = lines.next().unwrap();
    assert!(first.contains("FAILED: score gone") && !first.contains("REGRESSED"), "{first}");
    let is_told = |line: &str| {
        line.contains("good fgd_paired: accepted since 2") && line.contains("(a cheaper captioner)")
    };
    assert!(lines.any(is_told), "{stdout}");

    let (code, report, _) = suite.nightly(&["report", "--format", "md"]);
    assert_eq!(code, 0, "{report}");
    assert!(report.contains(r"ACCEPTED: good fgd\_paired since 2"), "{report}");
    assert!(!report.contains("REGRESSED:"), "{report}");
    assert!(page("index.html").contains("a cheaper captioner"));
    for _ in 0..2 {
        let history = page("history-good.html");
        assert!(history.contains("the level changed once with the night of"), "{history}");
        assert!(history.contains("(a cheaper captioner)"), "{history}");
        // Nor does the next night forget it.
        assert_eq!(suite.run().0, 5);
    }
}

#[test]
fn a_change_is_told_once_and_its_end_too() {
    let notify = "[[notify]]\non = \"change\"\ncommand = [\"sh\", \"-c\", \"cat >> told.jsonl\"]\n";
    let suite = Nightly::new(&small(notify));
    let run = || {
        let mut command = suite.place.fgd();
        command.current_dir(suite.path("")).args(["nightly", "run", "suite.toml"]);
        command.output().unwrap();
        let text = std::fs::read_to_string(suite.path("told.jsonl")).unwrap_or_default();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines
    };
    assert_eq!(run().len(), 0, "a first night changes nothing");
    let good = std::fs::read(suite.path("good.csv")).unwrap();
    std::fs::copy(captions("poor.csv"), suite.path("good.csv")).unwrap();
    let messages = run();
    assert_eq!(messages[0]["changes"][0], "regressed: good fgd_paired");
    assert!(messages[0]["headline"].as_str().unwrap().starts_with("REGRESSED"));
    assert_eq!(run().len(), 1, "what stands as it stood is no change");
    std::fs::write(suite.path("good.csv"), good).unwrap();
    let messages = run();
    assert_eq!(messages[1]["changes"][0], "no longer regressed: good fgd_paired");
    assert_eq!(run().len(), 2);
}

#[test]
fn the_history_is_a_table_too() {
    let suite = Nightly::new(&small(""));
    suite.run();
    let file = suite.path("history.csv");
    let (code, _, stderr) = suite.nightly(&["export", "-o", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{stderr}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("suite,started,version,"), "{text}");
    assert_eq!(text.lines().count(), 1 + suite.rows().len());
    let (code, _, stderr) = suite.nightly(&["import", file.to_str().unwrap()]);
    assert!(code == 2 && stderr.contains(".jsonl or .parquet"), "{stderr}");

    let file = suite.path("edited.jsonl");
    let mut rows = suite.rows();
    rows[1]["standing"] = "splendid".into();
    let lines: Vec<String> = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(&file, lines.concat()).unwrap();
    let (code, _, stderr) = suite.nightly(&["import", file.to_str().unwrap()]);
    assert!(code != 0 && stderr.contains("edited.jsonl: row 2: unknown standing"), "{stderr}");
}
