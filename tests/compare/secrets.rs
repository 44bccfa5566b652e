//! What a contest keeps to itself: the private part of a leaderboard, and the captions of the references.

use std::path::Path;

use serde_json::Value;

use crate::systems::{captions, encoder, record};

/// All bytes of all files below a folder.
fn everything(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all += &everything(&path),
            false => all += &String::from_utf8_lossy(&std::fs::read(&path).unwrap()),
        }
    }
    all
}

fn reference_texts() -> Vec<String> {
    let file =
        fgd_captions::read(captions("references.csv").as_ref(), &Default::default()).unwrap();
    // Shorter ones may be said by a system too.
    file.captions.into_iter().map(|caption| caption.text).filter(|text| text.len() > 30).collect()
}

/// The numbers of all images and of the private part by which a system is ranked, in full and as pages round them.
fn secrets(results: &Value) -> [Vec<String>; 2] {
    let standings = results["standings"].as_array().unwrap();
    let values = standings
        .iter()
        .flat_map(|s| [&s["private"]["value"], &s["scores"]["fgd_paired"]["value"]]);
    let values: Vec<f64> = values.map(|value| value.as_f64().unwrap()).collect();
    [
        values.iter().map(f64::to_string).collect(),
        values.iter().map(|value| format!("{value:.4}")).collect(),
    ]
}

#[test]
fn a_public_board_tells_nothing_of_the_private_part() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (good, poor, other) = (captions("good.csv"), captions("poor.csv"), captions("other.csv"));
    let (references, encoder) = (captions("references.csv"), encoder());
    let (site, private) = (at("site"), at("private.json"));
    let fixed = [
        "leaderboard",
        &good,
        &poor,
        &other,
        "--references",
        &references,
        "--encoder",
        &encoder,
        "--split",
        "public=0.3",
        "--seed",
        "20261125",
        "--slice",
        "text",
        "--public-only",
        "--private-record",
        &private,
        "--report",
        &site,
    ];
    let public = record(&fixed);
    let whole: Value = serde_json::from_slice(&std::fs::read(&private).unwrap()).unwrap();
    let [public_results, results] = [&public, &whole].map(|record| &record["results"]);
    assert_eq!((&public_results["n"], &results["n"]), (&99.into(), &329.into()));
    assert_ne!(public["comparability"]["key"], whole["comparability"]["key"]);
    let names = |results: &Value| -> Vec<String> {
        let standings = results["standings"].as_array().unwrap();
        standings.iter().map(|standing| standing["name"].as_str().unwrap().to_owned()).collect()
    };
    // The board is that of the public part, to the last digit.
    for standing in results["standings"].as_array().unwrap() {
        let on_board = public_results["standings"].as_array().unwrap();
        let same = on_board.iter().find(|s| s["name"] == standing["name"]).unwrap();
        let (a, b) = (&same["scores"]["fgd_paired"]["value"], &standing["public"]["value"]);
        assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-12);
        assert_eq!(same["rank"], standing["public_rank"]);
    }
    assert_eq!(names(public_results).len(), names(results).len());

    let pages = everything(site.as_ref());
    let shown = pages.clone() + &public.to_string();
    let [full, rounded] = secrets(results);
    assert!(full.iter().all(|number| !shown.contains(number.as_str())));
    // The record has other numbers that begin with the same four digits; the pages round.
    assert!(rounded.iter().all(|number| !pages.contains(number.as_str())), "{rounded:?}");
    // Where everything is shown, so are they.
    let all = at("all");
    assert_eq!(crate::systems::run(&["report", &private, "--report", &all]).0, 0);
    let all = everything(all.as_ref());
    assert!(rounded.iter().filter(|number| all.contains(number.as_str())).count() > 1);
    assert!(full.iter().all(|number| whole.to_string().contains(number.as_str())));
    assert!(!shown.contains("20261125"), "the seed tells which images are public");
    for text in reference_texts() {
        assert!(!shown.contains(&text), "{text}");
    }
    let (code, _, said) = crate::systems::run(&[
        "leaderboard",
        &good,
        &poor,
        "--references",
        &references,
        "--encoder",
        &encoder,
        "--public-only",
    ]);
    assert_eq!(code, 2, "{said}");
}

#[test]
fn hidden_references_are_in_no_byte_of_a_comparison() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site");
    let (good, poor) = (captions("good.csv"), captions("poor.csv"));
    let (references, encoder) = (captions("references.csv"), encoder());
    let fixed = [
        "compare",
        &good,
        &poor,
        "--references",
        &references,
        "--encoder",
        &encoder,
        "--contrasts",
        "40",
        "--report",
        site.to_str().unwrap(),
    ];
    let quotes = |record: Value| -> Vec<String> {
        let shown = everything(&site) + &record.to_string();
        reference_texts().into_iter().filter(|text| shown.contains(text.as_str())).collect()
    };
    assert!(quotes(record(&fixed)).len() > 10);
    assert_eq!(
        quotes(record(&[&fixed[..], &["--hide-references"]].concat())),
        Vec::<String>::new()
    );
}
