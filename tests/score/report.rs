//! The report of `fgd score`: one page or a site, with every caption; and what a saved record makes of it again.

use std::path::PathBuf;

use serde_json::Value;

use crate::program::{Place, captions, json, stderr};

const PACKED: &str = "class=\"packed\"";

fn read(path: &PathBuf) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_page_lists_every_caption_and_a_saved_record_makes_the_same_page() {
    let place = Place::new();
    let [page, again, saved] = ["page.html", "again.html", "score.json"].map(|n| place.path(n));
    place
        .score(&captions("good.csv"), &captions("references.csv"))
        .args(["--metrics", "cider", "--slice", "length", "--format", "json", "-o"])
        .arg(&saved)
        .arg("--report")
        .arg(&page)
        .assert()
        .success();
    let record: Value = serde_json::from_str(&read(&saved)).unwrap();
    let table = &record["captions"];
    let n = record["results"]["n"].as_u64().unwrap() as usize;
    assert_eq!(table["ids"].as_array().unwrap().len(), n);
    assert_eq!(table["groups"]["length"].as_array().unwrap().len(), n);
    let numbers = table["systems"][0]["numbers"].as_array().unwrap();
    let names: Vec<&str> = numbers.iter().map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(&names[..2], ["distance", "influence"]);
    assert!(names.iter().any(|name| name.starts_with("cider")), "{names:?}");
    let distances = numbers[0]["values"].as_array().unwrap();
    let mean = distances.iter().map(|d| d.as_f64().unwrap()).sum::<f64>() / n as f64;
    let whole = record["results"]["fgd_paired"]["value"].as_f64().unwrap();
    assert!((mean - whole).abs() < 1e-5, "{mean} and {whole}");
    // A group's captions have the CIDEr that they have in the whole, so that the groups make the whole.
    let cider = |results: &Value| results["metrics"]["cider_d"]["value"].as_f64().unwrap();
    let parts = record["results"]["slices"][0]["parts"].as_array().unwrap();
    let sum = |results: &Value| results["n"].as_f64().unwrap() * cider(results);
    let together = parts.iter().map(|part| sum(&part["results"])).sum::<f64>() / n as f64;
    let whole = cider(&record["results"]);
    assert!(parts.len() > 1 && (together - whole).abs() < 1e-9, "{together} and {whole}");

    place.fgd().arg("report").arg(&saved).arg("--report").arg(&again).assert().success();
    assert_eq!(read(&page), read(&again));
    let html = read(&page);
    assert!(html.contains(PACKED) && html.contains("The worst") && !html.contains("site.css"));

    let site = place.path("site");
    place.fgd().arg("report").arg(&saved).arg("--report").arg(&site).assert().success();
    assert!(read(&site.join("index.html")).contains(PACKED));
}

#[test]
fn a_record_keeps_captions_only_where_that_was_asked_for() {
    let place = Place::new();
    let files = [captions("good.csv"), captions("references.csv")];
    assert_eq!(place.record(&files[0], &files[1], &[])["captions"], Value::Null);
    assert!(place.record(&files[0], &files[1], &["--keep-captions"])["captions"].is_object());
    let unpaired = place.record(&files[0], &files[1], &["--keep-captions", "--unpaired"]);
    assert_eq!(unpaired["captions"]["references"], Value::Null);
    assert_eq!(unpaired["captions"]["systems"][0]["numbers"][0]["name"], "influence");
}

#[test]
fn small_pictures_of_the_first_images_come_along() {
    let place = Place::new();
    let folder = place.path("images");
    std::fs::create_dir(&folder).unwrap();
    let record =
        place.record(&captions("good.csv"), &captions("references.csv"), &["--keep-captions"]);
    let ids = record["captions"]["ids"].as_array().unwrap();
    for id in ids.iter().take(5) {
        let name = id.as_str().unwrap().trim_end_matches(".jpg");
        image::RgbImage::new(40, 30).save(folder.join(format!("{name}.png"))).unwrap();
    }
    let images = folder.to_str().unwrap();
    let with = |thumbnails: &str| {
        let more = ["--keep-captions", "--images", images, "--thumbnails", thumbnails];
        let record = place.record(&captions("good.csv"), &captions("references.csv"), &more);
        record["captions"]["thumbnails"].as_object().map_or(0, |found| found.len())
    };
    assert_eq!((with("100000"), with("0")), (5, 0));

    // By default as many as there is room for; a site has them as files, large.
    image::RgbImage::new(1000, 500).save(folder.join("200002.png")).unwrap();
    let site = place.path("site");
    let mut command = place.score(&captions("good.csv"), &captions("references.csv"));
    command.arg("--images").arg(&folder).arg("--report").arg(&site).assert().success();
    let widths: Vec<u32> = (1..=5)
        .map(|n| image::open(site.join(format!("image-{n}.jpg"))).unwrap().width())
        .collect();
    assert_eq!(widths.iter().filter(|width| **width == 768).count(), 1, "{widths:?}");
    assert!(!site.join("image-6.jpg").exists());
}

#[test]
fn an_unwritable_report_is_found_before_the_work() {
    let place = Place::new();
    let output = place
        .score(&captions("good.csv"), &captions("references.csv"))
        .arg("--report")
        .arg(place.path("missing/page.html"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty() && stderr(&output).contains("make its folder first"));
}

#[test]
fn a_leaderboard_shows_captions_and_references_only_where_that_was_asked_for() {
    let place = Place::new();
    let html = |more: &[&str]| {
        let site = place.path("site");
        let _ = std::fs::remove_dir_all(&site);
        let command = place.score(&captions("good.csv"), &captions("references.csv"));
        let arguments: Vec<_> = command.get_args().skip(1).map(|a| a.to_owned()).collect();
        let mut board = place.fgd();
        json(
            board
                .arg("leaderboard")
                .arg(captions("poor.csv"))
                .args(arguments)
                .args(["--split", "public=0.5", "--format", "json", "--report"])
                .arg(&site)
                .args(more),
        );
        ["index.html", "system-good.html"].map(|name| read(&site.join(name)))
    };
    let hidden = std::fs::read_to_string(captions("references.csv")).unwrap();
    let reference = hidden.lines().nth(1).unwrap().split(',').nth(1).unwrap().trim_matches('"');
    for page in html(&[]) {
        assert!(!page.contains(PACKED) && !page.contains(reference));
    }
    for page in html(&["--keep-captions"]) {
        assert!(page.contains(PACKED));
    }
}
