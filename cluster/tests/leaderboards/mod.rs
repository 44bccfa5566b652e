//! Several submissions, and several references of an image.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::processes::{Cluster, Place};

/// Other captions for the same images.
fn others(place: &Place, submission: &Path, count: usize) -> Vec<PathBuf> {
    let text = fs::read_to_string(submission).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let other = |number: usize| {
        let row = |(i, row): (usize, &str)| match (i + number) % (3 + number % 5) {
            0 => row.replace(' ', " the "),
            1 => row.replacen("s ", " ", 1),
            _ => row.to_owned(),
        };
        let rows: Vec<String> = rows.lines().enumerate().map(row).collect();
        let path = place.path(&format!("other-{number}.csv"));
        fs::write(&path, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
        path
    };
    (0..count).map(other).collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn several_submissions_have_the_record_that_each_has_alone() {
    let place = Place::new();
    let [submission, references] = place.captions(300);
    let other = others(&place, &submission, 1).remove(0);
    let by_part = ["--slice", "part"];
    let exact = [&submission, &other].map(|file| place.exact(file, &references, &by_part));
    let both = ["--slice", "part", other.to_str().unwrap()];
    let buckets = place.prepare("buckets", &submission, &references, &both);
    let cluster = Cluster::start(&place, 2, &[]);
    assert!(cluster.begin(&place, &buckets, &[]).fails().contains("say with -o"));
    let records = place.path("records");
    cluster.begin(&place, &buckets, &["-o", records.to_str().unwrap()]).end();
    for (exact, name) in exact.iter().zip(["000-good.json", "001-other-0.json"]) {
        let record = read(&records.join(name));
        for part in ["results", "inputs", "comparability", "settings"] {
            assert_eq!(record[part], exact[part], "{name} {part}");
        }
    }
}

#[test]
fn a_leaderboard_has_the_bits_of_one_process() {
    let place = Place::new();
    let [submission, references] = place.captions(400);
    let others = others(&place, &submission, 2);
    let mut files = vec![&*submission];
    files.extend(others.iter().map(PathBuf::as_path));
    let exact = place.board(&files, &references, &["--slice", "part"]);
    let more = ["--slice", "part", "--buckets", "40"];
    let more = [&more[..], &[others[0].to_str().unwrap(), others[1].to_str().unwrap()]].concat();
    let buckets = place.prepare("buckets", &submission, &references, &more);
    let cluster = Cluster::start(&place, 2, &[]);
    let record = cluster.rank(&place, &buckets).record();
    for part in ["results", "comparability", "settings", "inputs", "findings", "encoder"] {
        assert_eq!(record[part], exact[part], "{part}");
    }
    assert_eq!(record["results"]["differences"].as_array().unwrap().len(), 4);
    // A record is not ranked by sums alone: distances that are lost are made again.
    let kept = Place::summed(&buckets);
    Place::forget_some(&buckets, ".distances");
    assert_eq!(cluster.rank(&place, &buckets).record()["results"], exact["results"]);
    assert_eq!(Place::summed(&buckets), kept);
}

/// Memory and time of many are for `script/bench-cluster` to tell.
#[test]
fn a_hundred_submissions_share_their_references() {
    let place = Place::new();
    let [submission, references] = place.captions(120);
    let others = others(&place, &submission, 99);
    let mut files = vec![&*submission];
    files.extend(others.iter().map(PathBuf::as_path));
    let exact = place.board(&files, &references, &[]);
    let more: Vec<&str> = others.iter().map(|path| path.to_str().unwrap()).collect();
    let buckets = place.prepare("buckets", &submission, &references, &more);
    let cluster = Cluster::start(&place, 2, &[]);
    let (record, said) = cluster.rank(&place, &buckets).finish();
    assert_eq!(record["results"], exact["results"]);
    let standings = record["results"]["standings"].as_array().unwrap();
    assert_eq!(standings.len(), 100, "{said}");
}

#[test]
fn several_references_have_the_bits_of_one_process() {
    let place = Place::new();
    let [submission, references] = place.captions(300);
    let mut rows = fs::read_to_string(&references).unwrap();
    for i in 0..300 {
        for k in 0..i % 3 {
            rows +=
                &format!("image-{i},[{k}] number {i} in other words,{}\n", ["a", "b", "c"][i % 3]);
        }
    }
    fs::write(&references, rows).unwrap();
    let by_part = ["--slice", "part"];
    let exact = place.exact(&submission, &references, &by_part);
    assert_eq!(exact["results"]["references"], 600);
    let buckets = place.prepare("buckets", &submission, &references, &by_part);
    let cluster = Cluster::start(&place, 2, &[]);
    let record = cluster.begin(&place, &buckets, &[]).record();
    for part in ["results", "comparability", "settings"] {
        assert_eq!(record[part], exact[part], "{part}");
    }
}
