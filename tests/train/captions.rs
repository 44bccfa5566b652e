//! Where captions come from, and which are left out.

use std::sync::Arc;

use fgd::jobs::Session;
use fgd::jobs::train::{self, Request};
use fgd::settings::Settings;

use crate::*;

#[test]
fn losses_are_told_by_where_captions_come_from() {
    let place = Place::new();
    let path = pictures(&place, "train.csv", 0, 6);
    pictures(&place, "validation.csv", 6, 8);
    features(&place).assert().success();
    // An id may go through as many hands as that of a score.
    let text = std::fs::read_to_string(&path)
        .unwrap()
        .replace("3.jpg", "https://x.org/COCO_val2014_3.JPG");
    let sourced = text.lines().enumerate().map(|(at, line)| match at {
        0 => format!("{line},source\n"),
        at if at % 3 == 0 => format!("{line},chosen by us\n"),
        _ => format!("{line},\n"),
    });
    std::fs::write(&path, sourced.collect::<String>()).unwrap();
    let output = train(&place, "run", &["--max-steps=2", "--batch-size=6"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = metrics(&place.path("run"));
    let step = lines.iter().find(|line| line["step"] == 1).unwrap();
    let by_source = step["train/loss_by_source"].as_object().unwrap();
    let losses: Vec<f64> = by_source.values().map(|loss| loss.as_f64().unwrap()).collect();
    assert_eq!(by_source.keys().collect::<Vec<_>>(), ["chosen by us", "real"]);
    // The step has every caption once, so that the loss lies between.
    let loss = step["train/loss"].as_f64().unwrap();
    assert!((loss - losses[0]) * (loss - losses[1]) < 0.0, "{step}");
    let record = std::fs::read_to_string(place.path("run/record.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    schema::assert_holds(&record);
    assert_eq!(record["results"]["curve"][0]["sources"], step["train/loss_by_source"]);
    let events = std::fs::read(place.path("run/tensorboard/events.out.tfevents.0000000000.fgd"));
    let tag = b"train/loss_by_source/chosen_by_us";
    assert!(events.unwrap().windows(tag.len()).any(|window| window == tag));
}

#[test]
fn features_that_are_missing_end_a_training_before_it_begins() {
    let place = Place::new();
    pictures(&place, "train.csv", 0, 4);
    pictures(&place, "validation.csv", 4, 6);
    features(&place).assert().success();
    // The list of images is that of all features; these are of another precision.
    let output = train(&place, "run", &["--max-steps=2", "--dtype=bf16"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("same --checkpoint and --dtype"), "{said}");
    assert!(!place.path("run/metrics.jsonl").exists(), "{said}");
}

#[test]
fn a_validation_that_cannot_judge_ends_a_training() {
    let place = Place::new();
    pictures(&place, "train.csv", 0, 4);
    pictures(&place, "validation.csv", 4, 6);
    features(&place).assert().success();
    // Its loss after a step that went too far was null in a record that nothing could read.
    let far = ["--max-steps=1", "--alpha=1e30", "--learning-rate=10"];
    let said = fail(train(&place, "far", &far));
    assert!(said.contains("step 1: the loss of the validation is not finite"), "{said}");
    assert!(!place.path("far/record.json").exists());

    // What is judged is not lost where judging fails, however seldom it is saved.
    let encoder = fixture("encoder/tiny-mean").display().to_string();
    let judged = |run: &str| {
        let more = ["--select-by", "fgd_paired", "--encoder", &encoder, "--evaluate-every=2"];
        let mut judged = train(&place, run, &[&more[..], &["--save-every=100"]].concat());
        judged.env("FGD_CACHE_DIR", place.path("cache"));
        judged
    };
    let taken = place.path("run/captions/step-2.csv");
    std::fs::create_dir_all(&taken).unwrap();
    assert!(fail(judged("run")).contains("step-2.csv"));
    std::fs::remove_dir(&taken).unwrap();
    let output = judged("run").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("going on after step 2"), "{said}");

    pictures(&place, "validation.csv", 5, 6);
    let said = fail(judged("one"));
    assert!(said.contains("has captions of one image"), "{said}");
}

#[test]
fn who_stops_a_run_does_not_wait_for_its_validation() {
    let place = Place::new();
    let captions = pictures(&place, "train.csv", 0, 4);
    let validation = Some(pictures(&place, "validation.csv", 4, 6));
    features(&place).assert().success();
    let mut request = Request {
        checkpoint: fixture("tiny-blip2/base").display().to_string(),
        features: place.path("features"),
        output: place.path("run"),
        captions,
        validation,
        ..Request::default()
    };
    request.order.max_steps = Some(2);
    let mut session = Session::new(Settings::from_env("fgd".into(), false));
    session.interrupt = Arc::new(|| true);
    let said = train::run(&request, &mut session).unwrap_err().to_string();
    assert!(said.contains("stopped after step 0 of 2; fgd train --resume"), "{said}");
    session.interrupt = Arc::new(|| false);
    assert!(train::run(&request, &mut session).is_ok());
}

#[test]
fn features_are_made_of_what_can_be_read() {
    let place = Place::new();
    pictures(&place, "train.csv", 0, 2);
    let said = |mut command: assert_cmd::Command| stderr(command.assert().failure().get_output());
    let mut none = features(&place);
    none.args(["--batch-size", "0"]);
    assert!(said(none).contains("the batch size is 0"));
    std::fs::write(place.path("features"), "a file").unwrap();
    assert!(said(features(&place)).contains("cannot be made a folder"));
    std::fs::remove_file(place.path("features")).unwrap();
    // Found before the first picture is looked at.
    std::fs::write(place.path("images/9.png"), "no picture").unwrap();
    let broken = said(features(&place));
    assert!(broken.contains("image 9") && broken.contains("--on-error skip"), "{broken}");
    assert!(!place.path("features").exists());
    let mut rest = features(&place);
    rest.args(["--on-error", "skip"]);
    let said = stderr(rest.assert().success().get_output());
    assert!(
        said.contains("features of 2 images") && said.contains("1 could not be read"),
        "{said}"
    );
}

#[test]
fn what_is_left_out_of_the_captions_has_a_reason() {
    let place = Place::new();
    let write = |name: &str, text: &str| std::fs::write(place.path(name), text).unwrap();
    write(
        "captions.csv",
        "image_id,caption,source\n1.jpg,a red car,\n1.jpg,A red  car,real\n1.jpg,a car in the street,\n2.jpg,blue sky,\n\
         2.jpg,a dog a dog a dog a dog a dog,\n2.jpg,the green table,\n2.jpg,sky,model\n\
         1.jpg,null,\n1.jpg,1.jpg,\n2.jpg,caption here,\n2.jpg,a cafÃ© table,\n",
    );
    write(
        "synthetic.csv",
        "image_id,caption\n1,a red car in the street\n1,a car\n1,cars\n3,snow\n",
    );
    write("validation.csv", "image_id,caption\n9,a man\n");
    write("model.csv", "image_id,caption\n1,a red car in the street\n2,blue sky\n");
    let curate = |more: &[&str]| {
        let mut curate = place.fgd();
        curate.arg("curate").arg(place.path("captions.csv"));
        curate.arg("--validation").arg(place.path("validation.csv"));
        curate.arg("-o").arg(place.path("out.csv")).arg("--dropped").arg(place.path("dropped.csv"));
        curate.args(more);
        curate
    };
    let synthetic = place.path("synthetic.csv").display().to_string();
    let page = place.path("page.html").display().to_string();
    let mut reported = curate(&["--synthetic", &synthetic, "--report", &page]);
    let said = stdout(reported.assert().success().get_output());
    assert!(said.contains("7 of 15 captions stay (1 model, 4 real, 2 synthetic), 8 go"), "{said}");
    assert!(
        said.contains("Why captions go") && said.contains("the image has it already"),
        "{said}"
    );
    assert!(std::fs::read_to_string(&page).unwrap().contains("Why captions go"));
    let read = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    assert!(
        read("out.csv").starts_with("image_id,caption,source\n1.jpg,a red car,real\n"),
        "{}",
        read("out.csv")
    );
    assert!(
        read("out.csv").contains("1.jpg,a red car in the street,synthetic\n"),
        "{}",
        read("out.csv")
    );
    let reasons = read("dropped.csv");
    for (row, reason) in [
        (",2,1.jpg,", "the image has it already"),
        (",5,2.jpg,", "a dog"),
        (",8,1.jpg,", "missing value"),
        (",9,1.jpg,", "the image's id"),
        (",10,2.jpg,", "holds the place of a caption"),
        (",11,2.jpg,", "another encoding"),
        (",3,1.jpg,cars,synthetic,", "more than 1 synthetic"),
        (",4,3,snow,synthetic,", "more than 1 synthetic"),
    ] {
        assert!(
            reasons.lines().any(|line| line.contains(row) && line.contains(reason)),
            "{row}: {reasons}"
        );
    }

    let record = json(curate(&["--synthetic", &synthetic]).args(["--format", "json"]));
    schema::assert_holds(&record);
    let rules = record["results"]["dropped"].as_array().unwrap().iter();
    let counts: Vec<u64> = rules.map(|rule| rule["captions"].as_u64().unwrap()).collect();
    assert_eq!(counts, [5, 1, 0, 2]);
    assert_eq!(record["inputs"].as_array().unwrap().len(), 3);

    // The one of four real captions that is least like the model's goes, and the best synthetic ones stay.
    let (model, encoder) =
        (place.path("model.csv").display().to_string(), fixture("encoder/tiny-mean"));
    let judged =
        ["--beside", &model, "--drop-percent", "25", "--encoder", encoder.to_str().unwrap()];
    curate(&judged).args(["--synthetic", &synthetic]).assert().success();
    let reasons = read("dropped.csv");
    assert_eq!(reasons.matches("is among the lowest 25%").count(), 2, "{reasons}");
    assert!(!reasons.contains("blue sky"), "{reasons}");
    assert!(read("out.csv").contains("a red car in the street,synthetic\n"), "{}", read("out.csv"));

    // Captions of images without features are not kept in silence.
    pictures(&place, "pictures.csv", 1, 2);
    features(&place).assert().success();
    let of_features = place.path("features").display().to_string();
    let record = json(curate(&["--features", &of_features]).args(["--format", "json"]));
    let mut findings = record["findings"].as_array().unwrap().iter();
    let without = findings.find(|finding| finding["kind"] == "without-features").unwrap();
    assert_eq!(without["id"], "2.jpg", "{without}");
    assert!(without["message"].as_str().unwrap().starts_with("3 captions that stay"), "{without}");

    // Of the captions of a row the harmful one goes.
    let listed = r#"[{"image_id": "1.jpg", "captions": ["a dog runs", "a a a a a"]}, {"image_id": "2.jpg", "captions": ["blue sky", null]}]"#;
    write("listed.json", listed);
    let mut of_lists = place.fgd();
    of_lists.arg("curate").arg(place.path("listed.json")).arg("-o").arg(place.path("out.csv"));
    of_lists.arg("--dropped").arg(place.path("dropped.csv")).assert().success();
    let (kept, reasons) = (read("out.csv"), read("dropped.csv"));
    assert!(kept.contains("a dog runs") && kept.contains("blue sky"), "{kept}");
    assert_eq!((kept.lines().count(), reasons.lines().count()), (3, 3), "{kept}{reasons}");
    assert!(reasons.contains("a a a a a"), "{reasons}");

    write("validation.csv", "image_id,caption\n0002.png,a man\n");
    let said = stderr(curate(&[]).assert().failure().code(2).get_output());
    assert!(said.contains("1 captions are of images that are to be learned too"), "{said}");
    // Ids match as in a score: those of one file are of different images, those of different files may be spelt in other ways.
    write(
        "captions.csv",
        "image_id,caption\na/1.jpg,a red car\nb/1.jpg,A red car\nIMG_2.jpg,snow\n",
    );
    write("synthetic.csv", "image_id,caption\nimg_2.png,Snow\n");
    write("validation.csv", "image_id,caption\n9,a man\n");
    curate(&["--synthetic", &synthetic]).assert().success();
    let kept = "image_id,caption,source\na/1.jpg,a red car,real\nb/1.jpg,A red car,real\nIMG_2.jpg,snow,real\n";
    assert_eq!(read("out.csv"), kept);
    assert!(read("dropped.csv").contains("the image has it already"), "{}", read("dropped.csv"));

    write("validation.csv", "image_id,caption,source\n9,a man,model\n");
    let said = stderr(curate(&[]).assert().failure().code(4).get_output());
    assert!(said.contains("real captions only"), "{said}");
}
