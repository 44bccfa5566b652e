//! `fgd score --exact`, and the files and sums of a cluster.

use std::fs;
use std::path::{Path, PathBuf};

use fgd_metrics::pair_sums::{PairSums, SlicedSums};
use fgd_metrics::paired::Pairs;
use predicates::prelude::*;
use serde_json::{Value, json as object};

use crate::program::{Place, assert_close, captions, fixture, json, number};

fn exact(place: &Place, submission: &Path, references: &Path, more: &[&str]) -> Value {
    place.record(submission, references, &[&["--exact"], more].concat())
}

/// The references of the caption set with a column of groups, many times over so that there are more images than dimensions.
pub fn many(place: &Place) -> [PathBuf; 2] {
    let text = |name: &str| fs::read_to_string(captions(name)).unwrap();
    ["good.csv", "references.csv"].map(|name| {
        let text = text(name);
        let mut lines = text.lines();
        let header = format!("{},part\n", lines.next().unwrap());
        let rows: Vec<&str> = lines.collect();
        let repeated = (0..200).map(|i| {
            let row = rows[i * 7 % rows.len()].split_once(',').unwrap().1;
            format!("image-{i},{row},{}\n", if i % 3 == 0 { "b" } else { "a" })
        });
        let path = place.path(name);
        fs::write(&path, header + &repeated.collect::<String>()).unwrap();
        path
    })
}

#[test]
fn the_numbers_are_those_of_a_score() {
    let place = Place::new();
    let [submission, references] = many(&place);
    let plain = place.record(&submission, &references, &["--slice", "part"]);
    let found = exact(&place, &submission, &references, &["--slice", "part"]);
    for pointer in [
        "/fgd_paired/value",
        "/fgd_paired/se",
        "/fgd_paired/ci95/1",
        "/fgd_set/value",
        "/decomposition/mean_shift",
        "/decomposition/covariance",
        "/decomposition/misalignment",
        "/mean_cosine/value",
        "/mean_cosine/se",
        "/mean_cosine/ci95/0",
        "/slices/0/parts/1/results/fgd_paired/value",
        "/slices/0/parts/1/results/fgd_paired/se",
        "/slices/0/parts/0/results/fgd_set/value",
    ] {
        assert_close(number(&found, pointer), number(&plain, pointer), 1e-9, pointer);
    }
    // Other groups, and an error estimated from them.
    let near = |pointer: &str, share: f64| {
        let (a, b) = (number(&found, pointer), number(&plain, pointer));
        assert!((a / b - 1.0).abs() < share, "{pointer}: {a} {b}");
    };
    near("/fgd_set/corrected", 0.2);
    near("/fgd_set/se", 0.8);
    assert_eq!(found["comparability"], plain["comparability"]);
    assert_eq!(found["inputs"], plain["inputs"]);
    assert_eq!(found["settings"]["exact"], true);
    let part = &found["results"]["slices"][0]["parts"][0]["results"]["fgd_set"];
    assert!(part["reason"].as_str().unwrap().contains("not divided"), "{part}");

    let shuffled = place.path("shuffled.csv");
    let text = fs::read_to_string(&submission).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let mut rows: Vec<&str> = rows.lines().collect();
    rows.reverse();
    rows.rotate_left(77);
    fs::write(&shuffled, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    let again = exact(&place, &shuffled, &references, &["--slice", "part", "--threads", "1"]);
    assert_eq!(again["results"], found["results"]);
}

#[test]
fn buckets_and_sums_made_elsewhere_give_the_same_record() {
    let place = Place::new();
    let [submission, references] = many(&place);
    let found = exact(&place, &submission, &references, &["--slice", "part"]);
    let prepare = |more: &[&str]| {
        let mut command = place.fgd();
        command.arg("prepare").arg(&submission).arg("-r").arg(&references);
        command.args(["--slice", "part", "-o"]).arg(place.path("buckets")).args(more).assert()
    };
    prepare(&["--buckets", "30"]).code(2).stderr(predicate::str::contains("multiple of 20"));
    prepare(&["--buckets", "40"]).success();
    prepare(&[]).code(2).stderr(predicate::str::contains("is not empty"));

    // What a cluster does: any bucket, in any order.
    let encoder = fixture("encoder/tiny-mean");
    let embed = |file: &Path, column: &str| {
        let rows = place.path("rows.npy");
        let mut command = place.fgd();
        command.arg("embed").arg(file).args(["--caption-column", column, "--encoder"]);
        command.arg(&encoder).arg("-o").arg(&rows).assert().success();
        fgd_store::arrays::read_embeddings(&rows).unwrap()
    };
    let mut files: Vec<_> = fs::read_dir(place.path("buckets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("00000.parquet"))
        .filter(|file| file.exists())
        .collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.clone()));
    assert!(files.len() > 30, "{}", files.len());
    let mut sums: Option<SlicedSums> = None;
    for file in files {
        use fgd_captions::{Cells, Kind};
        let columns = [("id", Kind::Text), ("slice_0", Kind::Text)];
        let table = fgd_captions::read_parquet(&file, &columns).unwrap();
        let cells = |name: &str| match table.column(name) {
            Some(Cells::Text(cells)) => cells.iter().flatten().cloned().collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        let (ids, values) = (cells("id"), cells("slice_0"));
        let (a, b) = (embed(&file, "candidate"), embed(&file, "reference"));
        for (row, value) in values.into_iter().enumerate() {
            let of =
                |rows: &ndarray::Array2<f32>| rows.slice(ndarray::s![row..=row, ..]).to_owned();
            let mut one = PairSums::new(a.ncols());
            let (a, b) = (of(&a), of(&b));
            let pairs = Pairs { candidates: a.view(), references: b.view(), image_of: &[0] };
            one.push(&ids[row..=row], &pairs).unwrap();
            let sums = sums.get_or_insert_with(|| SlicedSums::new(a.ncols(), 1));
            sums.add(&[value], &one).unwrap();
        }
    }
    let request = |sums: &Path| {
        let request = object!({
            "job": "sums",
            "buckets": place.path("buckets"),
            "sums": sums,
            "encoding": {"encoder": encoder},
        });
        let path = place.path("request.json");
        fs::write(&path, request.to_string()).unwrap();
        let mut command = place.fgd();
        command.arg("job").arg(path);
        command
    };
    let path = place.path("whole.sums");
    fs::write(&path, sums.unwrap().to_bytes()).unwrap();
    let record = json(&mut request(&path));
    for part in
        ["results", "comparability", "inputs", "findings", "settings", "encoder", "signature"]
    {
        assert_eq!(record[part], found[part], "{part}");
    }
    fs::write(&path, b"fgdsums1 of nothing").unwrap();
    request(&path).assert().code(1).stderr(predicate::str::contains("no sums of pairs"));
    fs::write(&path, SlicedSums::new(8, 1).to_bytes()).unwrap();
    request(&path).assert().code(2).stderr(predicate::str::contains("sums of 0 pairs"));
}

#[test]
fn what_sums_do_not_tell_is_refused_by_name() {
    let place = Place::new();
    let refused = |references: &str, more: &[&str], what: &str| {
        let mut command = place.score(&captions("good.csv"), &captions(references));
        command.arg("--exact").args(more).assert().code(2).stderr(predicate::str::contains(what));
    };
    refused("references.csv", &["--worst", "3"], "--worst needs every caption");
    refused("references.csv", &["--metrics", "mmd"], "--metrics needs every caption");
    refused("references.csv", &["--unpaired"], "--unpaired needs every caption");
    refused("references.csv", &["--keep-captions"], "--keep-captions needs every caption");
}

/// References of which every image has one to three, in the order of their file and turned round.
fn several(place: &Place) -> [PathBuf; 3] {
    let [submission, references] = many(place);
    let text = fs::read_to_string(&references).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let row = |(i, row): (usize, &str)| {
        let (id, _) = row.split_once(',').unwrap();
        let more = (0..i % 3).map(move |k| format!("{id},[{k}] cat {i} on {k} towels,animal,no,a"));
        [row.to_owned()].into_iter().chain(more).collect::<Vec<_>>()
    };
    let mut rows: Vec<String> = rows.lines().enumerate().flat_map(row).collect();
    let write = |name: &str, rows: &[String]| {
        let path = place.path(name);
        fs::write(&path, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
        path
    };
    let forth = write("several.csv", &rows);
    rows.reverse();
    [submission, forth, write("turned.csv", &rows)]
}

#[test]
fn several_references_of_an_image_are_summed_as_one_observation() {
    let place = Place::new();
    let [submission, references, turned] = several(&place);
    let plain = place.record(&submission, &references, &[]);
    let found = exact(&place, &submission, &references, &[]);
    for (pointer, tolerance) in [
        ("/n", 0.0),
        ("/references", 0.0),
        ("/fgd_paired/value", 1e-9),
        ("/fgd_paired/se", 1e-9),
        ("/fgd_set/value", 1e-9),
        ("/decomposition/mean_shift", 1e-9),
        ("/decomposition/covariance", 1e-9),
        ("/decomposition/misalignment", 1e-6),
        ("/mean_cosine/value", 1e-9),
    ] {
        assert_close(number(&found, pointer), number(&plain, pointer), tolerance, pointer);
    }
    let bias = number(&found, "/fgd_set/bias") / number(&plain, "/fgd_set/bias");
    assert!((0.8..1.25).contains(&bias), "{bias}");
    let again = exact(&place, &submission, &turned, &["--threads", "1"]);
    assert_eq!(again["results"], found["results"]);
    assert_eq!(again["comparability"], found["comparability"]);

    // A bucket is a sample that can be scored by itself.
    let mut command = place.fgd();
    command.arg("prepare").arg(&submission).arg("-r").arg(&references);
    command.args(["--buckets", "20", "-o"]).arg(place.path("buckets")).assert().success();
    let file = place.path("buckets/bucket-000000/00000.parquet");
    let columns = ["--id-column", "id", "--caption-column", "candidate"];
    let more = [&columns[..], &["--reference-caption-column", "reference"]].concat();
    let sample = place.record(&file, &file, &more);
    assert!(number(&sample, "/references") > number(&sample, "/n"), "{sample}");

    // More than can be summed.
    let mut text = fs::read_to_string(&references).unwrap();
    (0..64).for_each(|i| text += &format!("image-0,another one {i},animal,no,a\n"));
    fs::write(&references, text).unwrap();
    let mut command = place.score(&submission, &references);
    let refused = command.arg("--exact").assert().code(2);
    refused.stderr(predicate::str::contains("image image-0 has 65 references"));
}

#[test]
fn a_leaderboard_of_sums_is_that_of_the_captions() {
    let place = Place::new();
    let [submission, references] = many(&place);
    let text = fs::read_to_string(&submission).unwrap();
    let files = [("second.csv", " a", " the"), ("third.csv", "s ", " ")].map(|(name, from, to)| {
        let path = place.path(name);
        fs::write(&path, text.replace(from, to)).unwrap();
        path
    });
    let broken = place.path("broken.csv");
    fs::write(&broken, text.replace("image-7,", "image-8,")).unwrap();
    let board = |more: &[&str]| {
        let mut command = place.fgd();
        command.arg("leaderboard").arg(&submission).args(&files).arg(&broken).args(more);
        command.args(["--slice", "part", "--format", "json", "--encoder"]);
        json(command.arg(fixture("encoder/tiny-mean")).arg("-r").arg(&references))
    };
    let (plain, found) = (board(&[]), board(&["--exact"]));
    for part in ["comparability", "inputs"] {
        assert_eq!(found[part], plain[part], "{part}");
    }
    let [plain, found] = [&plain["results"], &found["results"]];
    for part in ["n", "references", "ranked_by", "rejected"] {
        assert_eq!(found[part], plain[part], "{part}");
    }
    let rows = |board: &Value| board["standings"].as_array().unwrap().clone();
    for (found, plain) in rows(found).iter().zip(rows(plain)) {
        for part in ["name", "rank", "rank_range", "comparability_key"] {
            assert_eq!(found[part], plain[part], "{part}");
        }
        let name = found["name"].as_str().unwrap();
        let file =
            if name == "good" { submission.clone() } else { place.path(&format!("{name}.csv")) };
        let alone = exact(&place, &file, &references, &["--slice", "part"]);
        assert_eq!(found["scores"], alone["results"], "{name}");
    }
    let (found, plain) =
        (found["differences"].as_array().unwrap(), plain["differences"].as_array().unwrap());
    assert_eq!((plain.len(), found.len()), (2, 4));
    for (found, plain) in found.iter().zip(plain) {
        for part in ["metric", "system", "versus", "test", "wins", "ties", "losses", "n_needed"] {
            assert_eq!(found[part], plain[part], "{part}");
        }
        for pointer in
            ["/estimate/value", "/estimate/se", "/estimate/ci95/0", "/p_value", "/p_holm"]
        {
            let number = |of: &Value| of.pointer(pointer).unwrap().as_f64().unwrap();
            assert_close(number(found), number(plain), 1e-9, pointer);
        }
    }
    for (by_set, paired) in found[2..].iter().zip(found) {
        assert_eq!((&by_set["metric"], &by_set["system"]), (&"fgd_set".into(), &paired["system"]));
        let test = by_set["test"].as_str().unwrap();
        assert!(test.starts_with("Student's t with 19 degrees of freedom"), "{test}");
        let number = |of: &str| by_set["estimate"][of].as_f64().unwrap();
        let half = 0.5
            * (by_set["estimate"]["ci95"][1].as_f64().unwrap()
                - by_set["estimate"]["ci95"][0].as_f64().unwrap());
        assert_close(half / number("se"), 2.093_024, 1e-6, "Student's t");
    }

    let refused = |more: &[&str], what: &str| {
        let mut command = place.fgd();
        command.arg("leaderboard").args(&files).arg("-r").arg(&references).arg("--exact");
        command.args(more).assert().code(2).stderr(predicate::str::contains(what));
    };
    refused(&["--split", "public=0.3"], "--split goes by single images");
    refused(&["--unpaired"], "--unpaired needs every caption");
}
