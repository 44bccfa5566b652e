//! `fgd compare` through the program: differences, gates and their exit codes, records, reports.

use std::path::Path;

use serde_json::Value;

use crate::systems::{captions, difference, embed, encoder, fgd, record, run, timeless};

#[test]
fn a_poor_system_differs_and_a_copy_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let [good, poor, references] =
        ["good.csv", "poor.csv", "references.csv"].map(|name| embed(name, folder.path()));
    let (good, copy) = (format!("good={good}"), format!("copy={good}"));
    let found = record(&["compare", &good, &poor, &copy, "--references", &references]);
    assert_eq!(found["kind"], "compare");
    for metric in ["fgd_paired", "fgd_set"] {
        let worse = difference(&found, metric, "poor", "good");
        assert!(worse["estimate"]["ci95"][0].as_f64().unwrap() > 0.0, "{worse}");
        assert!(worse["p_holm"].as_f64().unwrap() < 0.01, "{worse}");
        let same = difference(&found, metric, "copy", "good");
        assert_eq!(same["estimate"]["value"], 0.0);
        assert_eq!(same["p_value"], 1.0);
    }
    let worse = difference(&found, "fgd_paired", "poor", "good");
    assert!(worse["losses"].as_u64() > worse["wins"].as_u64());
    let same = difference(&found, "fgd_paired", "copy", "good");
    assert_eq!((&same["ties"], &same["wins"]), (&329.into(), &0.into()));
    // Corrected together, a p-value never shrinks.
    for difference in found["results"]["differences"].as_array().unwrap() {
        assert!(difference["p_holm"].as_f64() >= difference["p_value"].as_f64());
    }
}

#[test]
fn captions_are_compared_by_id_with_metrics_slices_and_contrasts() {
    let (good, poor, references) =
        (captions("good.csv"), captions("poor.csv"), captions("references.csv"));
    let encoder = encoder();
    let reversed = format!("reversed={}", captions("malformed/reversed-rows.csv"));
    let found = record(&[
        "compare",
        &good,
        &poor,
        &reversed,
        "--references",
        &references,
        "--encoder",
        &encoder,
        "--metrics",
        "cider",
        "--slice",
        "text",
        "--contrasts",
        "3",
        "--replicates",
        "100",
    ]);
    // The rows of a file may stand in any order.
    let same = difference(&found, "fgd_paired", "reversed", "good");
    assert_eq!(same["ties"], 329);
    let cider = difference(&found, "cider", "poor", "good");
    assert!(cider["estimate"]["value"].as_f64().unwrap() < 0.0);
    assert!(cider["p_holm"].as_f64().unwrap() < 0.01);
    let slices = cider["slices"].as_array().unwrap();
    let groups: Vec<(&str, u64)> =
        slices.iter().map(|s| (s["value"].as_str().unwrap(), s["n"].as_u64().unwrap())).collect();
    assert_eq!(groups, [("no", 210), ("yes", 119)]);
    let contrasts = found["results"]["contrasts"].as_array().unwrap();
    assert_eq!(contrasts.len(), 3);
    assert_eq!(contrasts[0]["captions"].as_array().unwrap().len(), 3);
    assert!(!contrasts[0]["references"][0].as_str().unwrap().is_empty());
}

#[test]
fn a_crossed_gate_ends_with_3_and_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let [good, poor, references] =
        ["good.csv", "poor.csv", "references.csv"].map(|name| embed(name, folder.path()));
    let compare = |gates: &[&str]| {
        let fixed = ["compare", &good, &poor, "--references", &references, "--replicates", "100"];
        let gates = gates.iter().flat_map(|gate| ["--gate", gate]);
        run(&fixed.into_iter().chain(gates).collect::<Vec<_>>())
    };
    let (code, _, stderr) = compare(&["fgd_paired>=base+0.002", "good.fgd_set<1"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let (code, stdout, stderr) =
        compare(&["fgd_paired<=base+0.002", "fgd_set<0.000001", "mean_cosine<=base"]);
    assert_eq!(code, 3);
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{stderr}");
    assert!(lines[0].starts_with("gate crossed: fgd_paired<=base+0.002: poor: "), "{stderr}");
    // The result is there all the same.
    assert!(stdout.contains("poor"), "{stdout}");
    for gate in ["fgd_paired", "fgd_paired<=nobody", "no_such_metric<1"] {
        let (code, _, stderr) = compare(&[gate]);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(&format!("--gate {gate}: ")), "{stderr}");
    }
    let (code, _, stderr) = compare(&["mmd2_rbf<=base"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("`mmd2_rbf` is not computed; add --metrics mmd"), "{stderr}");
}

#[test]
fn a_saved_record_takes_part_with_its_numbers_if_its_key_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let [good, poor, references] =
        ["good.csv", "poor.csv", "references.csv"].map(|name| embed(name, folder.path()));
    let saved = folder.path().join("old.json");
    let saved = saved.to_str().unwrap();
    let score = |references: &str, saved: &str| {
        fgd(&["score", &good, "--references", references, "--format", "json", "-o", saved])
            .assert()
            .success();
    };
    // Numbers for captions yet to come and for a finite set of images are not held against each other.
    let finite = ["score", &good, "-r", &references, "--population", "658", "-q", "-o", saved];
    fgd(&finite).assert().success();
    let (code, _, stderr) = run(&["compare", &poor, saved, "--references", &references]);
    assert!(code == 2 && stderr.contains("--population"), "{stderr}");
    score(&references, saved);
    let old = format!("old={saved}");
    let found = record(&["compare", &old, &poor, "--references", &references]);
    let worse = difference(&found, "fgd_paired", "poor", "old");
    assert!(worse["estimate"]["value"].as_f64().unwrap() > 0.0);
    assert_eq!(worse["p_value"], Value::Null);
    assert!(worse["estimate"]["reason"].as_str().unwrap().contains("saved record"));
    // Two records need no references.
    let twice = record(&["compare", &old, &format!("again={saved}")]);
    assert_eq!(twice["results"]["systems"].as_array().unwrap().len(), 2);
    assert_eq!(twice["comparability"], found["comparability"]);

    score(&poor, saved);
    let (code, _, stderr) = run(&["compare", &old, &poor, "--references", &references]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("other references"), "{stderr}");
}

#[test]
fn invalid_systems_are_all_listed_and_end_with_4() {
    let (good, references) = (captions("good.csv"), captions("references.csv"));
    let missing = captions("malformed/missing-ids.csv");
    let extra = captions("malformed/extra-ids.csv");
    let (code, stdout, stderr) = run(&[
        "compare",
        &good,
        &missing,
        &extra,
        "--references",
        &references,
        "--encoder",
        &encoder(),
    ]);
    assert_eq!((code, stdout.as_str()), (4, ""));
    assert!(stderr.contains("missing-ids.csv (5), "), "{stderr}");
    assert!(stderr.contains("extra-ids.csv (3)"), "{stderr}");
}

#[test]
fn what_cannot_be_compared_is_refused_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let good = captions("good.csv");
    let references = captions("references.csv");
    let directory = folder.path().to_str().unwrap();
    for (arguments, sentence) in [
        (vec!["compare", &good], "--references FILE is missing"),
        (vec!["compare", &good, directory, "--references", &references], "needs --images DIR"),
        (
            vec!["compare", "a=x.csv", "a=y.csv", "--references", &references],
            "two systems are called `a`",
        ),
    ] {
        let (code, _, stderr) = run(&arguments);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(sentence), "{stderr}");
    }
}

#[test]
fn requests_with_two_systems_of_one_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let request = folder.path().join("job.json");
    for (job, systems) in
        [("compare", "systems"), ("leaderboard", "submissions"), ("select", "systems")]
    {
        let twice = r#"[{"name": "a", "path": "x.csv"}, {"name": "a", "path": "y.csv"}]"#;
        let text = format!(
            r#"{{"job": "{job}", "{systems}": {twice}, "references": {{"path": "r.csv"}}}}"#
        );
        std::fs::write(&request, text).unwrap();
        let (code, _, stderr) = run(&["job", request.to_str().unwrap()]);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains("two systems are called `a`"), "{stderr}");
    }
    std::fs::write(&request, r#"{"job": "compare", "systems": ["x.csv"]}"#).unwrap();
    let (code, _, stderr) = run(&["job", request.to_str().unwrap()]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains(r#"expected {"name": NAME, "path": FILE}"#), "{stderr}");
}

#[test]
fn the_same_input_gives_the_same_numbers_and_the_same_site() {
    let folder = tempfile::tempdir().unwrap();
    let [good, poor, references] =
        ["good.csv", "poor.csv", "references.csv"].map(|name| embed(name, folder.path()));
    let saved = |name: &str, threads: &str| -> (Value, String) {
        let path = folder.path().join(name);
        let path = path.to_str().unwrap().to_owned();
        fgd(&[
            "compare",
            &good,
            &poor,
            "--references",
            &references,
            "--threads",
            threads,
            "--format",
            "json",
            "-o",
            &path,
        ])
        .assert()
        .success();
        let text = std::fs::read_to_string(&path).unwrap();
        (serde_json::from_str(&text).unwrap(), path)
    };
    let (one, path) = saved("one.json", "1");
    let (two, _) = saved("two.json", "2");
    assert_eq!(timeless(one), timeless(two));

    let site = |name: &str| -> Vec<(String, Vec<u8>)> {
        let folder = folder.path().join(name);
        fgd(&["report", &path, "--report", folder.to_str().unwrap()]).assert().success();
        files(&folder)
    };
    let first = site("first");
    assert_eq!(first, site("second"));
    let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["index.html", "system-good.html", "site.css"] {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[test]
fn records_are_exported_and_rendered_again() {
    let folder = tempfile::tempdir().unwrap();
    let [good, poor, references] =
        ["good.csv", "poor.csv", "references.csv"].map(|name| embed(name, folder.path()));
    let saved = folder.path().join("compare.json");
    let saved = saved.to_str().unwrap();
    let compare = ["compare", &good, &poor, "--references", &references, "--replicates", "100"];
    fgd(&[&compare[..], &["--format", "json", "-o", saved]].concat()).assert().success();

    let (code, markdown, _) = run(&["report", saved, "--format", "md"]);
    assert_eq!(code, 0);
    assert!(markdown.contains("| poor"), "{markdown}");
    let (code, bmf, _) = run(&["export", "bmf", saved]);
    assert_eq!(code, 0);
    let bmf: Value = serde_json::from_str(&bmf).unwrap();
    assert!(
        bmf["poor"]["fgd-paired"]["value"].as_f64() > bmf["good"]["fgd-paired"]["value"].as_f64()
    );
    let (code, card, _) = run(&["export", "model-card", saved, "--dataset", "org/captions"]);
    assert_eq!(code, 0);
    assert!(card.starts_with("---\nmodel-index:\n"), "{card}");
    let (code, _, stderr) = run(&["report", &good]);
    assert_eq!(code, 1, "not text at all: {stderr}");
    let (code, _, stderr) = run(&["report", &captions("good.json")]);
    assert_eq!(code, 2);
    assert!(stderr.contains("not a record of fgd"), "{stderr}");
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}
