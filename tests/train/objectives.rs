//! What is learned beside the captions as they are: drawn ones by their meaning, and chosen ones.

use crate::*;

#[test]
fn drawn_captions_are_learned_by_their_meaning_the_same_way_every_time() {
    let place = Place::new();
    pictures(&place, "train.csv", 0, 12);
    pictures(&place, "validation.csv", 12, 18);
    features(&place).assert().success();
    assert!(
        train(&place, "ce", &["--dropout=0", "--t5-dropout=0"]).output().unwrap().status.success()
    );
    let begin = place.path("ce/best").display().to_string();
    let encoder = fixture("encoder/tiny-mean").display().to_string();
    let run = |name: &str, more: &[&str]| {
        let mut run = train(
            &place,
            name,
            &["--objective", "scst", "--max-steps=3", "--max-new-tokens", "12"],
        );
        run.args(["--adapter", &begin, "--encoder", &encoder, "--evaluate-every", "2"]).args(more);
        run.env("FGD_CACHE_DIR", place.path("cache"));
        run
    };
    for (name, threads) in [("drawn", "1"), ("again", "2")] {
        let output = run(name, &["--threads", threads]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let lines = metrics(&place.path("drawn"));
    assert_eq!(lines, metrics(&place.path("again")));
    let rewards: Vec<f64> = lines.iter().filter_map(|line| line["train/reward"].as_f64()).collect();
    assert!(rewards.len() <= 3 && !rewards.is_empty());
    assert!(rewards.iter().all(|reward| (-2.0..=0.0).contains(reward)), "{rewards:?}");
    let judged: Vec<&Value> =
        lines.iter().filter(|line| line["eval/is_poorer"].is_boolean()).collect();
    assert!(!judged.is_empty() && judged.iter().all(|line| line["eval/distinct_words"].is_u64()));
    // The record has what the end goes by.
    let record = std::fs::read(place.path("drawn/record.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    schema::assert_holds(&record);
    let kept = record["results"]["validation"].as_array().unwrap();
    let kept: Vec<_> = kept.iter().filter(|point| point["is_poorer"].is_boolean()).collect();
    assert_eq!(kept.len(), judged.len());
    for (kept, judged) in kept.iter().zip(&judged) {
        assert_eq!(kept["is_poorer"], judged["eval/is_poorer"]);
        assert_eq!(kept["distinct_words"], judged["eval/distinct_words"]);
    }
    let read =
        |run: &str| std::fs::read(place.path(run).join("last/adapter_model.safetensors")).unwrap();
    assert!(read("drawn") == read("again") && read("drawn") != read("ce"));

    let said = fail(run("wrong", &["--samples", "1"]));
    assert!(said.contains("at least 2 samples"), "{said}");
    let said = fail(run("wrong", &["--select-by", "loss"]));
    assert!(said.contains("give --select-by fgd_paired"), "{said}");
}

#[test]
fn captions_chosen_by_meaning_are_learned_beside_real_ones() {
    let place = Place::new();
    pictures(&place, "train.csv", 0, 12);
    pictures(&place, "validation.csv", 12, 18);
    features(&place).assert().success();
    // One for each image, a second one too many, and one that repeats what a person wrote.
    let two = |at: usize| {
        let (caption, _) = SCENES[at % SCENES.len()];
        format!("{at},a photo of {caption}\n{at},{caption} there\n")
    };
    let chosen: String = (0..12).map(two).collect();
    let chosen = format!("image,text\n0,A red car in the street\n{chosen}");
    std::fs::write(place.path("chosen.csv"), chosen).unwrap();
    let synthetic = place.path("chosen.csv").display().to_string();
    let distil = ["--objective", "distill", "--max-synthetic", "0.5", "--max-steps=2"];
    let given = ["--synthetic", &synthetic, "--id-column=image_id", "--caption-column=caption"];
    let said = fail(train(&place, "run", &[&distil[..], &given].concat()));
    assert!(said.contains("chosen.csv"), "columns are those of every file: {said}");

    let run = |name: &str| train(&place, name, &[&distil[..], &given[..2]].concat());
    let output = run("run").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("36 of 49 captions, real and synthetic, are learned"), "{said}");
    let read = |name: &str| std::fs::read_to_string(place.path("run").join(name)).unwrap();
    assert_eq!(read("mixed.csv").matches(",synthetic\n").count(), 12);
    assert_eq!(read("dropped.csv").matches(",surplus,").count(), 12);
    let record: Value = serde_json::from_str(&read("record.json")).unwrap();
    schema::assert_holds(&record);
    assert_eq!(record["results"]["sources"], serde_json::json!({"real": 24, "synthetic": 12}));
    let inputs = record["inputs"].as_array().unwrap().iter();
    let roles: Vec<&str> = inputs.map(|input| input["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["captions", "validation", "real", "synthetic"]);

    // Whoever goes on with other captions is refused, and finds the run as it was.
    let before = read("mixed.csv");
    std::fs::write(&synthetic, "image,text\n1,a boat at sea\n").unwrap();
    let said = fail(run("run"));
    assert!(said.contains("mixed.csv: was mixed from other captions"), "{said}");
    assert_eq!(read("mixed.csv"), before);
    assert!(!place.path("run/mixed.again.csv").exists());

    let said = fail(train(&place, "wrong", &distil));
    assert!(said.contains("fgd caption --samples 16 --select mbr"), "{said}");
    let said = fail(train(&place, "wrong", &given[..2]));
    assert!(said.contains("give --objective distill too"), "{said}");
    // Judged by what no model has written.
    let text = std::fs::read_to_string(place.path("validation.csv")).unwrap();
    let text = text
        .replace("image_id,caption", "image_id,caption,source")
        .replace(".jpg,blue sky\n", ".jpg,blue sky,model\n");
    std::fs::write(place.path("validation.csv"), text).unwrap();
    let said = fail(run("wrong"));
    assert!(said.contains("real captions only"), "{said}");
}

#[test]
fn drawing_raises_the_reward_on_images_that_nothing_has_seen() {
    let place = Place::new();
    pictures(&place, "train.csv", 0, 24);
    pictures(&place, "validation.csv", 24, 30);
    let unseen = pictures(&place, "unseen.csv", 30, 126);
    features(&place).assert().success();
    let list: String = (30..126).map(|at| format!("{at}.jpg,images/{at:03}.png\n")).collect();
    std::fs::write(place.path("list.csv"), format!("image_id,path\n{list}")).unwrap();
    let encoder = fixture("encoder/tiny-mean").display().to_string();
    let run = |name: &str, more: &[&str]| {
        let mut run = train(&place, name, &[more, &["--accumulation=1", "--dropout=0"]].concat());
        run.args(["--targets", "q,k,v,o,wi_0,wi_1,wo", "--evaluate-every", "1000"]);
        let output = run.env("FGD_CACHE_DIR", place.path("cache")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    // One caption drawn of each unseen image, whose paired distance is −2 times its reward.
    let drawn = |adapter: &str| {
        let path = place.path(&format!("{}.csv", adapter.replace('/', "-")));
        let mut caption = place.fgd();
        caption.arg("caption").arg("--checkpoint").arg(fixture("tiny-blip2/base"));
        caption.arg("--adapter").arg(place.path(adapter));
        caption.arg("--images").arg(place.path("list.csv")).arg("-o").arg(&path);
        caption.args(["--temperature", "1", "--top-k", "0", "--seed", "3"]);
        caption.args(["--max-new-tokens", "20"]).assert().success();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(",\n", ",nothing\n")).unwrap();
        path
    };
    run("ce", &["--batch-size=12", "--epochs=6", "--t5-dropout=0"]);
    let begin = place.path("ce/last").display().to_string();
    let scst = ["--objective=scst", "--batch-size=24", "--max-steps=25", "--epochs=100"];
    let settings = ["--learning-rate=5e-3", "--max-new-tokens=20", "--ce-weight=0.1"];
    let from = ["--t5-dropout=0", "--adapter", &begin, "--encoder", &encoder];
    run("scst", &[&scst[..], &settings, &from].concat());
    let mut compare = place.fgd();
    compare.arg("compare").arg(drawn("ce/last")).arg(drawn("scst/last"));
    compare.arg("--references").arg(unseen).args(["--encoder", &encoder, "--format", "json"]);
    let results = &json(&mut compare)["results"];
    let differences = results["differences"].as_array().unwrap().iter();
    let paired = differences.filter(|d| d["metric"] == "fgd_paired").collect::<Vec<_>>();
    let (gain, p) = (&paired[0]["estimate"]["value"], &paired[0]["p_value"]);
    assert!(gain.as_f64().unwrap() < 0.0 && p.as_f64().unwrap() < 0.05, "{}", paired[0]);
}
