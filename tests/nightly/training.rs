//! A system that is trained in the night that scores it.

use crate::program::fixture;
use crate::suite::{Nightly, finding, verdicts};

const SUITE: &str = r#"
name = "training"
encoder = "encoder"

[[data]]
name = "pictures"
references = "pictures.csv"
images = "images"

[[system]]
name = "base"
checkpoint = "base"
captioning.generation.max_new_tokens = 6

[[system]]
name = "trained"
checkpoint = "base"
captioning.generation.max_new_tokens = 6
[system.train]
features = "features"
captions = "learn.csv"
validation = "dev.csv"
lenient = true
learning = { lora = { r = 4, alpha = 8.0, dropout = 0.0 }, optimizer = { learning_rate = 2e-2 } }
order = { batch_size = 2, accumulation = 1, epochs = 12.0 }
"#;

#[test]
fn an_adapter_is_scored_in_the_night_that_trains_it() {
    let suite = Nightly::new(SUITE);
    // Pictures with a grey of their own, of which the data set has copies under other names.
    std::fs::create_dir(suite.path("learned")).unwrap();
    let mut rows = [String::from("image_id,caption\n"), String::from("image_id,caption\n")];
    for at in 0..8_u8 {
        let image = image::RgbImage::from_pixel(16, 16, image::Rgb([30 * at, 90, 200 - 20 * at]));
        image.save(suite.path(&format!("learned/l{at}.png"))).unwrap();
        rows[usize::from(at >= 6)] += &format!("l{at},a red car in the street\n");
    }
    std::fs::write(suite.path("learn.csv"), &rows[0]).unwrap();
    std::fs::write(suite.path("dev.csv"), &rows[1]).unwrap();

    // Without features the system fails by name, and the others go on.
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 5, "{stderr}");
    assert!(record["results"]["failures"].to_string().contains("trained"), "{record}");

    let mut features = suite.place.fgd();
    features.arg("features").arg("--checkpoint").arg(fixture("tiny-blip2/base"));
    features.arg("--images").arg(suite.path("learned")).arg("-o").arg(suite.path("features"));
    features.assert().success();
    let (_, lines, _) = suite.nightly(&["run", "--dry-run"]);
    assert!(lines.contains("train trained"), "{lines}");
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("train trained: done in"), "{stderr}");
    assert!(verdicts(&record, "insufficient_history").contains(&("trained", "fgd_paired")));
    let value = |system| finding(&record, system, "fgd_paired")["value"].as_f64().unwrap();
    assert!(value("trained") != value("base"), "the adapter changed no caption");
    let trained = std::fs::read_dir(suite.path("nightly/training")).unwrap().flatten();
    let runs: Vec<_> = trained.map(|entry| entry.path()).collect();
    assert!(runs[0].join("best/adapter_model.safetensors").exists() && runs.len() == 1);

    // Nothing changed: nothing is trained, and nothing moves.
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("train trained: done before"), "{stderr}");
    let verdict = &finding(&record, "trained", "fgd_paired")["verdict"];
    assert!(verdict == "unchanged" || verdict == "insufficient_history", "{verdict}");

    // Another caption to learn: another adapter.
    std::fs::write(suite.path("learn.csv"), rows[0].replace("red", "blue")).unwrap();
    let (_, _, stderr) = suite.run();
    assert!(stderr.contains("train trained: done in"), "{stderr}");
}
