//! How the images were drawn, through the program: clusters, sets that depend on each other, finite populations, few images.

use std::path::PathBuf;

use serde_json::Value;

use crate::program::{Place, assert_close, captions, fixture, number, stderr};

/// A CSV of the place.
fn write(place: &Place, name: &str, header: &str, rows: impl Iterator<Item = String>) -> PathBuf {
    let path = place.path(name);
    let lines: Vec<String> = std::iter::once(header.to_owned()).chain(rows).collect();
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    path
}

/// Ids and captions of a file of the caption set.
fn rows(name: &str) -> Vec<(String, String)> {
    let mut reader = csv::Reader::from_path(captions(name)).unwrap();
    let row = |row: csv::StringRecord| {
        (row[0].to_owned(), format!("\"{}\"", row[1].replace('"', "\"\"")))
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// Captions that stand for those of other images: none of them is one of good.csv.
fn elsewhere() -> Vec<(String, String)> {
    let known = rows("good.csv");
    let is_new = |(_, text): &(String, String)| known.iter().all(|(_, other)| other != text);
    rows("other.csv").into_iter().filter(is_new).collect()
}

#[test]
fn sets_that_share_images_or_captions_are_not_independent() {
    let place = Place::new();
    let references = captions("references.csv");
    let other_ids = write(
        &place,
        "renamed.csv",
        "image_id,caption",
        rows("references.csv").into_iter().rev().map(|(id, text)| format!("x{id},{text}")),
    );
    // Beside itself, as it stands and in another order under other ids, a set has no distance and no error.
    let said = [
        "submission and references are the same captions",
        "the two sets are not independent: 329 of 329",
    ];
    for (submission, said) in [&references, &other_ids].into_iter().zip(said) {
        let record = place.record(submission, &references, &["--unpaired"]);
        assert_close(number(&record, "/fgd_set/corrected"), 0.0, 1e-9, "a set beside itself");
        assert_close(number(&record, "/fgd_set/se"), 0.0, 1e-9, "its error");
        let warning = record["results"]["fgd_set"]["warning"].as_str().unwrap();
        assert!(warning.starts_with(said), "{warning}");
    }
    // A third of the captions of another captioner of these images is the same, the rest says nothing of the kind.
    for (captions_of, said) in [(rows("other.csv"), Some("112 of 329")), (elsewhere(), None)] {
        let other = captions_of.into_iter().map(|(id, text)| format!("x{id},{text}"));
        let other = write(&place, "other.csv", "image_id,caption", other);
        let record = place.record(&captions("good.csv"), &other, &["--unpaired"]);
        let warning = record["results"]["fgd_set"]["warning"].as_str().unwrap_or_default();
        match said {
            Some(said) => assert!(warning.contains(said), "{warning}"),
            None => assert!(!warning.contains("independent"), "{warning}"),
        }
    }
}

#[test]
fn captions_are_described_beside_references_of_other_images() {
    let place = Place::new();
    let good = captions("good.csv");
    let reversed = rows("references.csv").into_iter().rev();
    let other = reversed.map(|(id, text)| format!("x{id},{text}"));
    let other = write(&place, "other.csv", "image_id,caption", other);
    let more = ["--metrics", "diversity,cider"];
    let paired = place.record(&good, &captions("references.csv"), &more);
    let unpaired = place.record(&good, &other, &[&more[..], &["--unpaired"]].concat());
    let metric = |record: &Value, name: &str| record["results"]["metrics"][name].clone();
    for name in ["distinct_1", "distinct_2", "vocabulary", "words", "reference_words", "runaway"] {
        assert!(metric(&paired, name)["value"].is_number(), "{paired}");
        assert_eq!(metric(&unpaired, name), metric(&paired, name), "{name}");
    }
    assert_eq!(unpaired["results"]["texts"], paired["results"]["texts"]);
    let cider = metric(&unpaired, "cider");
    assert!(cider["reason"].as_str().unwrap().contains("paired by id"), "{cider}");
}

#[test]
fn captions_that_were_drawn_together_are_one_draw() {
    let place = Place::new();
    let twice = |name: &str, header: &str, extra: &str| {
        let repeated = rows(name).into_iter().flat_map(|(id, text)| {
            ["a", "b"].map(|half| format!("{id}{half},{text}{}", extra.replace("ID", &id)))
        });
        write(&place, &format!("twice-{name}"), header, repeated)
    };
    let (good, references) = (captions("good.csv"), captions("references.csv"));
    let doubled = twice("good.csv", "image_id,caption", "");
    let of_twice = twice("references.csv", "image_id,caption,film", ",film ID");
    let more = ["--metrics", "bleu,rouge,cider,ocr,vendi"];
    let once = place.record(&good, &references, &more);
    let naive = place.record(&doubled, &of_twice, &more);
    let clustered =
        place.record(&doubled, &of_twice, &[&more[..], &["--cluster", "film"]].concat());
    let with_errors = (once["results"]["metrics"].as_object().unwrap().iter())
        .filter(|(_, measure)| measure["se"].is_number())
        .map(|(name, _)| format!("/metrics/{name}/se"));
    let with_errors: Vec<String> = with_errors.collect();
    assert!(with_errors.len() > 6, "{with_errors:?}");
    let set = ["/fgd_paired/se", "/fgd_set/se"].map(str::to_owned);
    for number_of in set.iter().chain(&with_errors) {
        let of = |record: &Value| number(record, number_of);
        assert_close(of(&clustered) / of(&once), 1.0, 0.1, number_of);
        assert!(of(&naive) < 0.8 * of(&once), "{number_of}");
    }
    assert_eq!(clustered["settings"]["cluster"], "film");
    // Images whose cell is blank are draws of their own, not one cluster.
    let unnamed = rows("references.csv").into_iter().map(|(id, text)| format!("{id},{text},"));
    let unnamed = write(&place, "unnamed.csv", "image_id,caption,film", unnamed);
    let apart = place.record(&good, &unnamed, &["--cluster", "film"]);
    for number_of in ["/fgd_paired/se", "/fgd_set/se", "/fgd_set/corrected"] {
        assert_eq!(number(&apart, number_of), number(&once, number_of), "{number_of}");
    }
    // Several references of one image are one draw without being asked for, unpaired too.
    let elsewhere = |name: &str, copies: usize| {
        let repeated = elsewhere()
            .into_iter()
            .flat_map(|(id, text)| std::iter::repeat_n(format!("x{id},{text}"), copies));
        write(&place, name, "image_id,caption", repeated)
    };
    let single = place.record(&good, &elsewhere("single.csv", 1), &["--unpaired"]);
    let double = place.record(&good, &elsewhere("double.csv", 2), &["--unpaired"]);
    let se = |record: &Value| number(record, "/fgd_set/se");
    assert_close(se(&double) / se(&single), 1.0, 0.05, "error with every reference twice");

    let output = place.score(&good, &references).args(["--cluster", "album"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--cluster album"), "{}", stderr(&output));
}

#[test]
fn the_order_of_rows_decides_nothing() {
    let place = Place::new();
    let file = |name: &str, turned: bool| {
        let mut rows = rows(name);
        if turned {
            rows.reverse();
        }
        let rows =
            rows.into_iter().map(|(id, text)| format!("{id},\"{}\"", text.replace('"', "\"\"")));
        write(&place, &format!("{turned}-{name}"), "image_id,caption", rows)
    };
    let numbers = |turned: bool| {
        let [submission, references] =
            ["good.csv", "references.csv"].map(|name| file(name, turned));
        let record = place.record(&submission, &references, &["--metrics", "prdc,mmd,cider"]);
        let parts = ["fgd_paired", "fgd_set", "metrics", "decomposition"];
        parts.map(|part| record["results"][part].clone())
    };
    assert_eq!(numbers(false), numbers(true));
}

#[test]
fn a_finite_population_leaves_less_to_chance() {
    let place = Place::new();
    let (good, references) = (captions("good.csv"), captions("references.csv"));
    let record = |more: &[&str]| place.record(&good, &references, more);
    let (open, half, whole) =
        (record(&[]), record(&["--population", "658"]), record(&["--population", "329"]));
    let of = |record: &Value, what: &str| number(record, what);
    assert_close(of(&whole, "/fgd_set/corrected"), of(&open, "/fgd_set/value"), 1e-9, "all of it");
    assert_close(of(&whole, "/fgd_paired/se"), 0.0, 1e-12, "nothing left to chance");
    let ratio = of(&half, "/fgd_set/bias") / of(&open, "/fgd_set/bias");
    assert_close(ratio, 0.5, 1e-6, "half of the bias");
    let ratio = of(&half, "/fgd_paired/se") / of(&open, "/fgd_paired/se");
    assert_close(ratio, 0.5_f64.sqrt(), 1e-6, "the error of a half");
    let mut board = place.fgd();
    board.arg("leaderboard").args([&good, &captions("poor.csv")]).arg("-r").arg(&references);
    board.arg("--encoder").arg(fixture("encoder/tiny-mean"));
    for mut command in [place.score(&good, &references), board] {
        let output = command.args(["--population", "100"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("already has 329"), "{}", stderr(&output));
    }
}

#[test]
fn one_image_and_two_say_what_they_can() {
    let place = Place::new();
    let few = |name: &str, n: usize| {
        let rows = rows(name).into_iter().take(n).map(|(id, text)| format!("{id},{text}"));
        write(&place, &format!("{n}-{name}"), "image_id,caption", rows)
    };
    let one = place.record(&few("good.csv", 1), &few("references.csv", 1), &[]);
    assert!(number(&one, "/fgd_paired/value") > 0.0);
    let paired = &one["results"]["fgd_paired"];
    assert!(paired["se"].is_null() && paired["reason"].as_str().unwrap().contains("at least 2"));
    assert!(one["results"]["fgd_set"]["reason"].is_string());
    let two = place.record(&few("good.csv", 2), &few("references.csv", 2), &[]);
    // Student's t with one degree of freedom: ± 12.7 standard errors.
    let high = number(&two, "/fgd_paired/ci95/1") - number(&two, "/fgd_paired/value");
    assert_close(high / number(&two, "/fgd_paired/se"), 12.706, 1e-3, "half of the interval");
}

#[test]
fn a_shard_counts_once() {
    let place = Place::new();
    let part = |name: &str, shard: &str| {
        let mut command = place.fgd();
        command.arg("moments").arg(captions("references.csv")).args(["--shard", shard]);
        command.arg("--encoder").arg(crate::program::fixture("encoder/tiny-mean"));
        command.arg("-o").arg(place.path(name)).assert().success();
        place.path(name)
    };
    let (first, second, again) =
        (part("1.npz", "1/2"), part("2.npz", "2/2"), part("again.npz", "1/2"));
    let merge = |files: &[&PathBuf]| {
        let mut command = place.fgd();
        command.arg("merge").args(files).arg("-o").arg(place.path("all.npz"));
        command.output().unwrap()
    };
    assert_eq!(merge(&[&first, &second]).status.code(), Some(0));
    let half = |files: &[&PathBuf], name: &str| {
        let merged = merge(files);
        assert_eq!(merged.status.code(), Some(0), "{}", stderr(&merged));
        std::fs::copy(place.path("all.npz"), place.path(name)).unwrap();
        place.path(name)
    };
    let whole = half(&[&first, &second], "whole.npz");
    let thirds = half(&[&part("3.npz", "1/3"), &part("4.npz", "2/3")], "thirds.npz");
    for (files, why) in [
        (vec![&first, &second, &again], "a shard counts once"),
        (vec![&thirds, &place.path("4.npz")], "a shard counts once"),
        (vec![&whole, &second], "overlap"),
        (vec![&first, &thirds], "overlap"),
        (vec![&first, &first], "is named twice"),
    ] {
        let refused = merge(&files);
        assert_eq!(refused.status.code(), Some(2));
        assert!(stderr(&refused).contains(why), "{}", stderr(&refused));
    }
}
