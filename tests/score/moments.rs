//! Embeddings and moments in files: what captions give in one go, they give in pieces and in steps.

use std::path::{Path, PathBuf};

use predicates::prelude::*;
use serde_json::Value;

use crate::program::{Place, assert_close, captions, fixture, number};

/// Runs `fgd embed` or `fgd moments` on a file of the caption set.
fn make(place: &Place, command: &str, name: &str, output: &str, more: &[&str]) -> PathBuf {
    let path = place.path(output);
    place
        .fgd()
        .arg(command)
        .arg(captions(name))
        .arg("-o")
        .arg(&path)
        .arg("--encoder")
        .arg(fixture("encoder/tiny-mean"))
        .args(more)
        .assert()
        .success();
    path
}

fn set_distance(place: &Place, submission: &Path, references: &Path) -> f64 {
    number(&place.record(submission, references, &[]), "/fgd_set/value")
}

#[test]
fn embeddings_score_as_their_captions_do() {
    let place = Place::new();
    let whole = place.record(&captions("good.csv"), &captions("references.csv"), &[]);
    let candidates = make(&place, "embed", "good.csv", "good.npy", &[]);
    let references = make(&place, "embed", "references.csv", "references.npy", &[]);
    let record = place.record(&candidates, &references, &[]);
    for part in ["fgd_paired", "fgd_set", "decomposition", "mean_cosine"] {
        assert_eq!(record["results"][part], whole["results"][part], "{part}");
    }
}

/// The file knows by whom it was made: only moments of others come with a doubt.
#[test]
fn moments_are_held_against_captions_of_their_encoder_alone() {
    let place = Place::new();
    let good = captions("good.csv");
    let references = make(&place, "moments", "references.csv", "references.npz", &[]);
    let record = place.record(&good, &references, &[]);
    assert!(record["results"]["fgd_set"]["warning"].is_null(), "{record}");
    let mut other = place.fgd();
    other.arg("score").arg(&good).arg("-r").arg(&references).arg("--encoder");
    let said = predicate::str::contains("embedded by different encoders");
    other.arg(fixture("encoder/tiny-cls")).assert().code(2).stderr(said);
}

#[test]
fn what_columns_leave_open_is_said_and_a_list_of_ids_is_no_captions() {
    let place = Place::new();
    let run = |command: &str, name: &str, text: &str, more: &[&str]| {
        std::fs::write(place.path(name), text).unwrap();
        let output = place.path(if command == "embed" { "o.npy" } else { "o.npz" });
        let mut fgd = place.fgd();
        fgd.arg(command).arg(place.path(name)).arg("-o").arg(output);
        fgd.arg("--encoder").arg(fixture("encoder/tiny-mean")).args(more).assert()
    };
    let both = "image_id,prediction,answer\n1,a dog,a cat\n2,a bus,a red bus\n";
    // Moments are kept of references.
    for (command, chosen, other) in
        [("embed", "prediction", "answer"), ("moments", "answer", "prediction")]
    {
        let said =
            format!("taken from `{chosen}`; `{other}` could hold them too: --caption-column");
        run(command, "both.csv", both, &[]).success().stderr(predicate::str::contains(said));
        run(command, "both.csv", both, &["--caption-column", other]).success();
        let ids = "image_id\n2fe4b3a8acd3ccd1\n2ff5a4d0b2b4ba62\n";
        let refused = run(command, "ids.csv", ids, &[]).failure();
        refused.stderr(predicate::str::contains("no column of captions"));
    }
}

#[test]
fn moments_give_the_set_distance() {
    let place = Place::new();
    let (good, wanted) = (captions("good.csv"), captions("references.csv"));
    let expected = set_distance(&place, &good, &wanted);
    let candidates = make(&place, "moments", "good.csv", "good.npz", &[]);
    let references = make(&place, "moments", "references.csv", "references.npz", &[]);
    for (submission, references) in
        [(&candidates, &references), (&good, &references), (&candidates, &wanted)]
    {
        let distance = set_distance(&place, submission, references);
        assert_close(distance, expected, 1e-9, "moments");
    }
    let foreign = fixture("score/moments-without-n.npz");
    let distance = set_distance(&place, &good, &foreign);
    assert_close(distance, expected, 1e-5, "statistics as pytorch-fid saves them");
    let record = place.record(&foreign, &wanted, &[]);
    assert_eq!(
        (&record["results"]["n"], &record["inputs"][0]["rows"]),
        (&Value::Null, &Value::Null)
    );
    let said = record["results"]["fgd_set"]["warning"].as_str().unwrap();
    assert!(said.contains("how many captions its moments were made of"), "{said}");
    place
        .score(&foreign, &wanted)
        .assert()
        .success()
        .stdout(predicate::str::contains("unknown number of captions"));
}

#[test]
fn moments_whose_covariance_is_none_are_an_invalid_submission_or_broken_references() {
    use fgd_store::arrays::{read_moments, write_moments};
    let place = Place::new();
    let good = make(&place, "moments", "good.csv", "good.npz", &[]);
    let mut moments = read_moments(&good).unwrap();
    // Two components that are more than alike.
    let most = moments.sigma[[0, 0]].max(moments.sigma[[1, 1]]);
    moments.sigma[[0, 1]] = 100.0 * most;
    moments.sigma[[1, 0]] = 100.0 * most;
    moments.exact = None;
    let indefinite = place.path("indefinite.npz");
    write_moments(std::fs::File::create(&indefinite).unwrap(), &moments).unwrap();
    let said = predicate::str::contains("indefinite.npz: not a covariance matrix");
    place.score(&indefinite, &good).assert().code(4).stderr(said.clone());
    let broken = place.score(&good, &indefinite).assert().code(1).stderr(said);
    broken.stderr(predicate::str::contains("references "));
    let mut command = place.fgd();
    command.arg("compare").arg(&good).arg(&indefinite).arg("-r").arg(&good).assert().code(4);
}

#[test]
fn embeddings_that_are_not_of_unit_length_are_named() {
    let place = Place::new();
    let candidates = make(&place, "embed", "good.csv", "good.npy", &[]);
    let references = make(&place, "embed", "references.csv", "references.npy", &[]);
    let fits = place.record(&candidates, &references, &[]);
    assert_eq!(fits["findings"], Value::Array(Vec::new()));
    let mut rows = fgd_store::arrays::read_embeddings(&candidates).unwrap();
    rows.slice_mut(ndarray::s![2.., ..]).mapv_inplace(|component| 2.0 * component);
    let scaled = place.path("scaled.npy");
    let file = std::fs::File::create(&scaled).unwrap();
    fgd_store::arrays::write_embeddings(file, rows.view()).unwrap();
    for (command, first, second) in [
        ("score", &scaled, None),
        ("compare", &candidates, Some(&scaled)),
        ("leaderboard", &candidates, Some(&scaled)),
    ] {
        let run = |format: &str| {
            let mut run = place.fgd();
            run.arg(command).arg(first).args(second).arg("-r").arg(&references);
            run.args(["--format", format]).assert().success().get_output().stdout.clone()
        };
        let record: Value = serde_json::from_slice(&run("json")).unwrap();
        let [finding] = &record["findings"].as_array().unwrap()[..] else { panic!("{record}") };
        assert_eq!((&finding["kind"], &finding["row"]), (&"not-unit-length".into(), &3.into()));
        let said = finding["message"].as_str().unwrap();
        assert!(said.contains("scaled.npy") && said.contains("has 2.0000"), "{said}");
        let text = String::from_utf8(run("text")).unwrap();
        assert!(text.contains("row 3: the first of"), "{text}");
    }
    // References as well.
    let record = place.record(&candidates, &scaled, &[]);
    assert_eq!(record["findings"][0]["input"], "references");
}

#[test]
fn shards_merge_to_the_whole() {
    let place = Place::new();
    let whole = make(&place, "moments", "good.csv", "whole.npz", &[]);
    let shards = ["1/3", "2/3", "3/3"].map(|shard| {
        let name = format!("{}.npz", &shard[..1]);
        make(&place, "moments", "good.csv", &name, &["--shard", shard])
    });
    let merged = place.path("merged.npz");
    let merge = |files: &[PathBuf], to: &Path| {
        place.fgd().arg("merge").args(files).arg("-o").arg(to).assert().success()
    };
    merge(&shards, &merged).stderr(predicate::str::contains("missing").not());
    // One after the other: what a merge lacks is known until it has come.
    let part = place.path("part.npz");
    let said = predicate::str::contains("missing are the shards 2/3");
    merge(&[shards[2].clone(), shards[0].clone()], &part).stderr(said);
    let said = predicate::str::contains("missing").not();
    merge(&[part, shards[1].clone()], &place.path("at-last.npz")).stderr(said);
    let read = |path: &Path| {
        let read = fgd_store::arrays::read_moments(path).unwrap();
        let n = read.n;
        (fgd::jobs::scoring::system::moments_of(read, path).unwrap(), n)
    };
    let (whole, n) = read(&whole);
    let (merged, merged_n) = read(&merged);
    assert_eq!(n, merged_n);
    let (a, b) = (whole.covariance(1).unwrap(), merged.covariance(1).unwrap());
    let apart = |a: &f64, b: &f64| (a - b).abs();
    assert!(whole.mean().iter().zip(&merged.mean()).all(|(a, b)| apart(a, b) < 1e-12));
    assert!(a.iter().zip(&b).all(|(a, b)| apart(a, b) < 1e-12));
}

#[test]
fn exact_shards_merge_to_the_same_bytes_in_any_order() {
    let place = Place::new();
    let whole = make(&place, "moments", "good.csv", "whole.npz", &["--exact"]);
    let plain = make(&place, "moments", "good.csv", "plain.npz", &[]);
    for (count, order) in [(2, vec![1, 2]), (3, vec![3, 1, 2]), (7, vec![4, 7, 1, 3, 6, 2, 5])] {
        let shards: Vec<_> = order
            .iter()
            .map(|shard| {
                let shard = format!("{shard}/{count}");
                let name = format!("{}.npz", shard.replace('/', "of"));
                make(&place, "moments", "good.csv", &name, &["--exact", "--shard", &shard])
            })
            .collect();
        let merged = place.path("merged.npz");
        place.fgd().arg("merge").args(&shards).arg("-o").arg(&merged).assert().success();
        assert!(std::fs::read(&merged).unwrap() == std::fs::read(&whole).unwrap(), "{order:?}");
    }
    let read = |path: &Path| {
        let read = fgd_store::arrays::read_moments(path).unwrap();
        fgd::jobs::scoring::system::moments_of(read, path).unwrap()
    };
    let (whole, plain) = (read(&whole), read(&plain));
    let apart = |(a, b): (&f64, &f64)| (a - b).abs();
    assert!(whole.mean().iter().zip(&plain.mean()).map(apart).all(|apart| apart < 1e-15));
    assert!(whole.comoment().iter().zip(&plain.comoment()).map(apart).all(|apart| apart < 1e-13));
}

#[test]
fn what_exact_sums_do_not_reach_is_said() {
    let place = Place::new();
    let far = place.path("far.npy");
    let rows = ndarray::arr2(&[[0.5_f32, 1.0], [0.0, 2.0]]);
    fgd_store::arrays::write_embeddings(std::fs::File::create(&far).unwrap(), rows.view()).unwrap();
    let moments = |file: &Path| {
        let mut command = place.fgd();
        command.args(["moments", "--exact", "-o"]).arg(place.path("far.npz")).arg(file);
        command.assert()
    };
    moments(&far).code(2).stderr(predicate::str::contains("row 2 has a component"));
}

#[test]
fn what_moments_cannot_tell_is_said() {
    let place = Place::new();
    let foreign = fixture("score/moments-without-n.npz");
    place
        .score(&captions("good.csv"), &foreign)
        .args(["--worst", "3"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("moments have no rows"));
    place
        .fgd()
        .arg("merge")
        .arg(&foreign)
        .arg("-o")
        .arg(place.path("merged.npz"))
        .assert()
        .code(2)
        .stderr(predicate::str::contains("no `n`"));
}

#[test]
fn embeddings_of_different_numbers_of_rows_cannot_be_paired() {
    let place = Place::new();
    let one_each = make(&place, "embed", "references.csv", "one.npy", &[]);
    let several = make(&place, "embed", "references-multi.csv", "several.npy", &[]);
    place
        .score(&one_each, &several)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("--unpaired"));
    place.score(&one_each, &several).arg("--unpaired").assert().success();
}
