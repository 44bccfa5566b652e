//! `fgd compare` with saved moments and records: the numbers that can be had, and why the others can not.

use serde_json::Value;

use crate::systems::{difference, embed, fgd, record, run};

#[test]
fn moments_and_records_take_part_with_the_numbers_they_have() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let [good, poor, references] =
        ["good.csv", "poor.csv", "references.csv"].map(|name| embed(name, folder.path()));
    let (moments, old, of_references) = (path("good.npz"), path("old.json"), path("refs.npz"));
    fgd(&["moments", &good, "-o", &moments]).assert().success();
    fgd(&["moments", &references, "-o", &of_references]).assert().success();
    let score = ["score", &good, "--references", &references, "--format", "json"];
    fgd(&[&score[..], &["-o", &old]].concat()).assert().success();

    let named = format!("moments={moments}");
    let found = record(&["compare", &old, &named, &poor, "--references", &references]);
    assert_eq!(
        (&found["results"]["n"], &found["results"]["references"]),
        (&329.into(), &329.into())
    );
    let systems = &found["results"]["systems"];
    let value = |system: usize| systems[system]["scores"]["fgd_set"]["value"].as_f64().unwrap();
    // The moments are those of the captions behind the record.
    assert!((value(0) - value(1)).abs() < 1e-9, "{} {}", value(0), value(1));
    let of_moments = &systems[1]["scores"];
    assert_eq!(of_moments["fgd_paired"]["value"], Value::Null);
    assert!(of_moments["fgd_paired"]["reason"].as_str().unwrap().contains("moments"));
    assert!(of_moments["fgd_set"]["warning"].as_str().unwrap().contains("encoder"));

    let set = difference(&found, "fgd_set", "poor", "moments");
    // The table shows one of them corrected and the other raw.
    assert_eq!(set["estimate"]["value"], Value::Null);
    assert_eq!((&set["p_value"], &set["estimate"]["ci95"]), (&Value::Null, &Value::Null));
    assert!(set["estimate"]["reason"].as_str().unwrap().contains("moments"));
    let paired = difference(&found, "fgd_paired", "poor", "moments");
    assert_eq!(paired["estimate"]["value"], Value::Null);

    // References of which only the moments are kept: sets against sets.
    let found = record(&["compare", &good, &poor, "--references", &of_references]);
    let systems = &found["results"]["systems"];
    assert!((systems[0]["scores"]["fgd_set"]["value"].as_f64().unwrap() - value(0)).abs() < 1e-9);
    assert_eq!(systems[0]["scores"]["pairing"], "unpaired");
    let set = difference(&found, "fgd_set", "poor", "good");
    assert!(set["estimate"]["value"].as_f64().unwrap() > 0.0);
    assert_eq!(set["p_value"], Value::Null);
    assert!(set["estimate"]["reason"].as_str().unwrap().contains("references"));
}

#[test]
fn set_distances_of_fewer_images_than_dimensions_are_withheld() {
    let folder = tempfile::tempdir().unwrap();
    let few = |name: &str| -> String {
        let whole = embed(name, folder.path());
        let rows = fgd_store::arrays::read_embeddings(whole.as_ref()).unwrap();
        let file = std::fs::File::create(&whole).unwrap();
        let few = rows.slice(ndarray::s![..20, ..]);
        fgd_store::arrays::write_embeddings(file, few).unwrap();
        whole
    };
    let [good, poor, references] = ["good.csv", "poor.csv", "references.csv"].map(few);
    let found = record(&["compare", &good, &poor, "--references", &references]);
    let set = difference(&found, "fgd_set", "poor", "good");
    assert_eq!((&set["p_value"], &set["estimate"]["se"]), (&Value::Null, &Value::Null));
    assert!(set["estimate"]["reason"].as_str().unwrap().contains("withheld"));
    assert!(difference(&found, "fgd_paired", "poor", "good")["p_value"].is_number());
    let fixed = ["compare", &good, &poor, "--references", &references];
    let text = run(&fixed).1;
    assert!(text.contains(" raw") && text.contains("not tested"), "{text}");
    // Without a test nothing is shown.
    let (code, _, stderr) = run(&[&fixed[..], &["--gate", "poor.fgd_set<=base"]].concat());
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("has no test"), "{stderr}");
    let fixed = ["leaderboard", &good, &poor, "--references", &references, "--unpaired"];
    let board = record(&fixed);
    assert_eq!(board["results"]["standings"][0]["rank_range"], Value::Null);
    assert_eq!(board["results"].get("differences"), None);
}
