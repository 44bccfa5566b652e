//! `fgd score --exact`, and the files and sums of a cluster.

use std::fs;
use std::path::Path;

use fgd_metrics::pair_sums::{PairSums, SlicedSums};
use predicates::prelude::*;
use serde_json::{Value, json as object};

use crate::program::{Place, assert_close, captions, fixture, json, number};

fn exact(place: &Place, submission: &Path, references: &Path, more: &[&str]) -> Value {
    place.record(submission, references, &[&["--exact"], more].concat())
}

/// The references of the caption set with a column of groups, many times over so that there are more images than dimensions.
fn many(place: &Place) -> [std::path::PathBuf; 2] {
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
            one.push(&ids[row..=row], of(&a).view(), of(&b).view()).unwrap();
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

/// A file cut into the files of a folder; each has the header.
fn cut(place: &Place, file: &Path, name: &str, at: &[usize]) -> std::path::PathBuf {
    let text = fs::read_to_string(file).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let folder = place.path(name);
    fs::create_dir(&folder).unwrap();
    let ends = at.iter().copied().chain([rows.len()]);
    for (part, (begin, end)) in [0].iter().chain(at).copied().zip(ends).enumerate() {
        let rows = rows[begin..end].join("\n");
        fs::write(folder.join(format!("{part}.csv")), format!("{header}\n{rows}\n")).unwrap();
    }
    folder
}

#[test]
fn files_of_a_folder_are_one_side() {
    let place = Place::new();
    let [submission, references] = many(&place);
    let prepare = |output: &str, submission: &Path, references: &Path| {
        let mut command = place.fgd();
        command.arg("prepare").arg(submission).arg("-r").arg(references);
        command.args(["--slice", "part", "--buckets", "40", "-o"]).arg(place.path(output)).assert()
    };
    prepare("one", &submission, &references).success();
    let folders = [
        cut(&place, &submission, "submission", &[10, 150]),
        cut(&place, &references, "references", &[77]),
    ];
    prepare("many", &folders[0], &folders[1]).success();
    let manifest = |of: &str| -> Value {
        serde_json::from_slice(&fs::read(place.path(of).join("pairs.json")).unwrap()).unwrap()
    };
    let [one, many] = ["one", "many"].map(manifest);
    for part in ["pairs", "buckets"] {
        assert_eq!(one[part], many[part]);
    }
    assert_eq!(one["sources"]["references_sha256"], many["sources"]["references_sha256"]);
    assert_eq!(many["sources"]["inputs"].as_array().unwrap().len(), 5);
    let mut files = 0;
    for bucket in 0..40 {
        let file = format!("bucket-{bucket:06}/00000.parquet");
        let of = |folder: &str| fs::read(place.path(folder).join(&file)).ok();
        assert_eq!(of("one"), of("many"), "{file}");
        files += usize::from(of("one").is_some());
    }
    assert!(files > 30);

    // Problems are of a file.
    let part = folders[0].join("1.csv");
    let text = fs::read_to_string(&part).unwrap();
    fs::write(&part, text.replace("image-99,", "image-5,")).unwrap();
    let found = prepare("broken", &folders[0], &folders[1]).code(4);
    found
        .stderr(predicate::str::contains("1.csv"))
        .stderr(predicate::str::contains("image-5"))
        .stderr(predicate::str::is_match("already given in row 6 of .*0.csv").unwrap())
        .stderr(predicate::str::contains("image-99"));
    assert_eq!(fs::read_dir(place.path("broken")).unwrap().count(), 0);
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
    refused("references-multi.csv", &[], "references, and --exact sums one");
}
