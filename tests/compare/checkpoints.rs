//! `fgd compare` with checkpoints: captioned on the way, resumed, with shared features and thumbnails.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::schema;
use crate::systems::{encoder, fgd, fixture, run};

const IMAGES: usize = 5;

/// Images of noise with references and another system's captions.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(place.path("images")).unwrap();
        let mut references = String::from("image_id,caption\n");
        let mut other = references.clone();
        for index in 0..IMAGES {
            let mut state = index as u32 + 1;
            let image = image::RgbImage::from_fn(300, 200, |_, _| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                image::Rgb([(state >> 24) as u8, (state >> 16) as u8, index as u8])
            });
            let name = format!("images/00{index}.png");
            image.save(place.path(&name)).unwrap();
            references += &format!("{index}.jpg,a picture of noise number {index}\n");
            other += &format!("{index}.jpg,noise {index} and nothing else\n");
        }
        std::fs::write(place.path("references.csv"), references).unwrap();
        std::fs::write(place.path("other.csv"), other).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The base, an adapter on it, and a file of captions.
    fn compare(&self, more: &[&str]) -> (i32, String, String) {
        self.compare_adapter(&fixture("tiny-blip2/adapter"), more)
    }

    fn compare_adapter(&self, adapter: &str, more: &[&str]) -> (i32, String, String) {
        let base = fixture("tiny-blip2/base");
        let systems = [
            format!("base={base}"),
            format!("tuned={base}+{adapter}"),
            format!("other={}", self.text("other.csv")),
        ];
        let mut arguments = vec!["compare".to_owned()];
        arguments.extend(systems);
        for (flag, value) in [
            ("--images", self.text("images")),
            ("--references", self.text("references.csv")),
            ("--encoder", encoder()),
            ("--report", self.text("out")),
            ("--max-new-tokens", "12".into()),
            ("--batch-size", "2".into()),
            ("--format", "json".into()),
        ] {
            arguments.extend([flag.to_owned(), value]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&[&arguments[..], more].concat())
    }

    fn record(&self, more: &[&str]) -> Value {
        let (code, stdout, stderr) = self.compare(more);
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str(&stdout).unwrap()
    }
}

#[test]
fn checkpoints_are_captioned_on_the_way_and_the_features_are_computed_once() {
    let place = Place::new();
    let found = place.record(&[]);
    schema::assert_holds(&found);
    let systems = &found["results"]["systems"];
    assert_eq!(found["results"]["n"], IMAGES);
    assert_eq!(systems[0]["checkpoint"]["adapter"], Value::Null);
    assert_eq!(systems[1]["checkpoint"]["adapter"][0], "adapter");
    assert_eq!(systems[0]["captioning"]["cached_features"], 0);
    assert_eq!(systems[1]["captioning"]["cached_features"], IMAGES);
    assert!(systems[1]["captioning"]["images_per_second"]["value"].as_f64() > Some(0.0));
    assert_eq!(systems[2].get("captioning"), None);
    assert_eq!(found["settings"]["generation"]["max_new_tokens"], 12);

    // The captions are those of `fgd caption`, by the references' ids.
    let alone = place.path("alone.csv");
    fgd(&["caption", "--max-new-tokens", "12", "--batch-size", "2"])
        .args(["--checkpoint", &fixture("tiny-blip2/base")])
        .args(["--images", &place.text("images")])
        .arg("-o")
        .arg(&alone)
        .assert()
        .success();
    let captions = |path: &Path| -> Vec<String> {
        let mut reader = csv::Reader::from_path(path).unwrap();
        reader.records().map(|row| row.unwrap()[1].to_owned()).collect()
    };
    let kept = place.path("out.work/base.csv");
    assert_eq!(captions(&kept), captions(&alone));

    // Thumbnails stand beside the captions, in the record and on the page.
    let contrasts = found["results"]["contrasts"].as_array().unwrap();
    assert_eq!(contrasts.len(), IMAGES);
    let thumbnail = contrasts[0]["thumbnail_jpeg"].as_str().unwrap();
    let page =
        std::fs::read_to_string(place.path("out/index.html")).unwrap().replace("&#x2f;", "/");
    assert!(page.contains(&format!("data:image/jpeg;base64,{}", &thumbnail[..40])));
    assert!(page.contains("Captioning speed"));
}

#[test]
fn a_second_run_goes_on_where_the_first_one_ended() {
    let place = Place::new();
    let first = place.record(&[]);
    // All but the first batch of one checkpoint is lost.
    let journal = place.path("out.work/tuned.csv.journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let kept: Vec<&str> = text.lines().take(2).collect();
    std::fs::write(&journal, kept.join("\n") + "\n").unwrap();
    let second = place.record(&[]);
    let systems = |record: &Value| record["results"]["systems"].clone();
    let (first, second) = (systems(&first), systems(&second));
    assert_eq!(second[1]["captioning"]["resumed"], 2);
    // Nothing was left to do for the other, so its speed is still that of the first run.
    assert_eq!(second[0]["captioning"], first[0]["captioning"]);
    for system in 0..3 {
        assert_eq!(second[system]["scores"], first[system]["scores"]);
    }
    // Other settings are refused by name and begin anew when told to.
    let (code, _, stderr) = place.compare(&["--num-beams", "2"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("num_beams") && stderr.contains("--restart"), "{stderr}");
    place.record(&["--num-beams", "2", "--restart"]);
}

#[test]
fn what_checkpoints_lack_is_said_before_they_run() {
    let place = Place::new();
    std::fs::remove_file(place.path("images/003.png")).unwrap();
    let (code, _, stderr) = place.compare(&[]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("1 of 5 images") && stderr.contains("\"3.jpg\""), "{stderr}");
    assert!(!place.path("out.work/base.csv").exists());

    std::fs::write(place.path("other.csv"), "image_id,caption\n0.jpg,\n").unwrap();
    let (code, _, stderr) = place.compare(&[]);
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("other.csv (5)"), "{stderr}");
    assert!(!place.path("out.work").exists());
}

#[test]
fn an_adapter_that_does_not_fit_is_refused_before_the_first_caption() {
    let place = Place::new();
    let adapter = place.path("adapter");
    std::fs::create_dir(&adapter).unwrap();
    let original = PathBuf::from(fixture("tiny-blip2/adapter"));
    let copy = |name: &str| std::fs::read(original.join(name)).unwrap();
    let config = String::from_utf8(copy("adapter_config.json")).unwrap();
    let tensors = copy("adapter_model.safetensors");
    for (config, tensors, expected) in [
        (config.replace("\"r\": 8", "\"r\": 4"), &tensors[..], "configured rank 4"),
        (config.replace("\"use_dora\": false", "\"use_dora\": true"), &tensors[..], "use_dora"),
        (config.clone(), &tensors[..tensors.len() / 2], "truncated or corrupt"),
    ] {
        std::fs::write(adapter.join("adapter_config.json"), config).unwrap();
        std::fs::write(adapter.join("adapter_model.safetensors"), tensors).unwrap();
        let (code, _, stderr) = place.compare_adapter(adapter.to_str().unwrap(), &[]);
        assert!(code != 0 && stderr.contains(expected), "{stderr}");
        assert!(!place.path("out.work/base.csv").exists());
        assert!(!stderr.contains("captioning with"), "{stderr}");
    }
}
