//! Three nights of a real suite with what is planted in them, and kill -9 in every step.

use serde_json::{Value, json};

use crate::program::captions;
use crate::suite::{Nightly, finding, verdicts};

/// Two checkpoints and an adapter on pictures, two submissions on captions, an encoder and a captioner benchmark.
const SUITE: &str = r#"
name = "fixtures"
encoder = "encoder"
threads = 2
metrics = ["cider"]

[[data]]
name = "pictures"
references = "pictures.csv"
images = "images"

[[data]]
name = "captions"
references = "references.csv"

[[system]]
name = "base"
data = "pictures"
checkpoint = "base"
captioning.generation.max_new_tokens = 4

[[system]]
name = "merged"
data = "pictures"
checkpoint = "merged"
captioning.generation.max_new_tokens = 4

[[system]]
name = "tuned"
data = "pictures"
checkpoint = "base"
adapter = "adapter"
captioning.generation.max_new_tokens = 4

[[system]]
name = "good"
data = "captions"
submission = "good.csv"

[[system]]
name = "other"
data = "captions"
submission = "other.csv"

[[benchmark]]
name = "encoder"
[benchmark.encoder]
items = 64
encoding = { encoder = "encoder" }
load = { duration = 0.1, seed = 1 }

[[benchmark]]
name = "captioner"
[benchmark.captioner]
checkpoint = "base"
items = 1
max_new_tokens = 2
load = { duration = 0.1 }

[gates]
metrics = ["fgd_paired", "cider"]
"#;

#[test]
fn images_that_a_list_names_are_seen_to_change() {
    let text = "name = \"listed\"\nencoder = \"encoder\"\n\
                [[data]]\nname = \"pictures\"\nreferences = \"pictures.csv\"\nimages = \"images/list.csv\"\n\
                [[system]]\nname = \"base\"\ndata = \"pictures\"\ncheckpoint = \"base\"\n\
                captioning.generation.max_new_tokens = 4\n";
    let suite = Nightly::new(text);
    let rows: String = (0..6).map(|index| format!("p{index},p{index}.png\n")).collect();
    std::fs::write(suite.path("images/list.csv"), format!("image_id,path\n{rows}")).unwrap();
    let was_made = |stderr: &str| !stderr.contains("caption base: done before");
    assert!(was_made(&suite.run().2));
    assert!(!was_made(&suite.run().2));
    let other = image::RgbImage::from_fn(30, 20, |x, y| image::Rgb([x as u8 * 8, y as u8, 200]));
    other.save(suite.path("images/p3.png")).unwrap();
    let (_, _, stderr) = suite.run();
    assert!(was_made(&stderr), "{stderr}");
}

/// The steps of the suite, in order.
const STEPS: [&str; 12] = [
    "caption base",
    "score base",
    "caption merged",
    "score merged",
    "caption tuned",
    "score tuned",
    "score good",
    "score other",
    "leaderboard pictures",
    "leaderboard captions",
    "bench encoder",
    "bench captioner",
];

/// The rows of a night as rows of an earlier one, with another value.
fn earlier(row: &Value, day: usize, value: f64) -> Value {
    let mut row = row.clone();
    row["started"] = json!(format!("2020-01-{day:02}T02:00:00Z"));
    row["value"] = json!(value);
    row
}

#[test]
fn three_nights_name_what_was_planted_and_what_is_accepted_is_held() {
    let suite = Nightly::new(SUITE);

    // The first night has nothing to be held against.
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("suite fixtures: caption base · score base"), "{stderr}");
    assert_eq!(record["kind"], "nightly");
    let first = verdicts(&record, "insufficient_history");
    assert_eq!(first.len(), record["results"]["findings"].as_array().unwrap().len());
    for system in ["base", "merged", "tuned", "good", "other"] {
        assert!(first.contains(&(system, "fgd_paired")), "{first:?}");
    }
    assert!(
        first.contains(&("encoder", "throughput")) && first.contains(&("captioner", "throughput"))
    );

    // The second night: one submission has become poor. Captions of checkpoints are not made again.
    std::fs::copy(captions("poor.csv"), suite.path("good.csv")).unwrap();
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 3, "{stderr}");
    assert_eq!(record["results"]["verdict"], "regressed");
    let planted = finding(&record, "good", "cider");
    assert_eq!(planted["verdict"], "regressed", "{planted}");
    assert!(planted["p_holm"].as_f64().unwrap() < 0.05, "{planted}");
    for (system, _) in verdicts(&record, "regressed") {
        assert_eq!(system, "good", "{record:#}");
    }
    for system in ["base", "merged", "tuned", "other"] {
        assert_eq!(finding(&record, system, "fgd_paired")["verdict"], "unchanged");
    }
    assert!(stderr.contains("caption base: done before"), "{stderr}");

    // The third night: a benchmark that was a thousand times as fast, and a score that was another one with the same
    // inputs, by a history that says so.
    let rows = suite.rows();
    let mut past = Vec::new();
    let mut fast = 0.0;
    for row in rows.iter().filter(|row| row["system"] == "encoder" && row["metric"] == "throughput")
    {
        fast = 1000.0 * row["value"].as_f64().unwrap();
        let mut now = row.clone();
        now["value"] = json!(fast);
        past.push(now);
        past.extend((1..=10).map(|day| earlier(row, day, fast * (1.0 + 0.002 * day as f64))));
    }
    let drifted = |row: &&Value| row["system"] == "other" && row["metric"] == "fgd_paired";
    for row in rows.iter().filter(drifted) {
        let mut then = row.clone();
        then["value"] = json!(row["value"].as_f64().unwrap() + 1e-4);
        past.push(then);
    }
    suite.import(&past);
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 3, "{stderr}");
    let slow = finding(&record, "encoder", "throughput");
    assert_eq!(slow["verdict"], "regressed", "{slow}");
    assert!(slow["first"].as_f64().is_some(), "it was not measured again: {slow}");
    assert!(stderr.contains("bench encoder again: done"), "{stderr}");
    let drift = finding(&record, "other", "fgd_paired");
    assert_eq!(drift["verdict"], "regressed", "{drift}");
    assert!(drift["reason"].as_str().unwrap().starts_with("score drift"), "{drift}");
    assert_eq!(finding(&record, "good", "cider")["verdict"], "regressed");
    assert_eq!(finding(&record, "base", "fgd_paired")["verdict"], "unchanged");

    // The site leads to the records, and shows every series.
    let page = |name: &str| {
        let text = std::fs::read_to_string(suite.path("nightly/site").join(name)).unwrap();
        text.replace("&#x2f;", "/")
    };
    let index = page("index.html");
    assert!(index.contains("REGRESSED"), "{index}");
    let history = page("history-encoder.html");
    assert!(history.contains("<svg") && history.contains("throughput"));
    let links = index.split("href=\"").skip(1);
    let links: Vec<&str> = links.map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(links.iter().any(|link| link.starts_with("records/")), "{links:?}");
    for link in links.iter().filter(|link| !link.starts_with("#") && !link.starts_with("data:")) {
        let file = suite.path("nightly/site").join(link);
        assert!(file.is_file(), "{link} leads nowhere");
    }

    // What is accepted is held from now on.
    let (code, _, stderr) = suite.nightly(&["accept", "--note", "meant"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("encoder throughput: accepted"), "{stderr}");
    let (code, record, stderr) = suite.run();
    // So short a benchmark may be slow tonight, but it is held against its new level.
    let regressed = verdicts(&record, "regressed");
    assert!(regressed.iter().all(|found| *found == ("encoder", "throughput")), "{regressed:?}");
    assert!(code == if regressed.is_empty() { 0 } else { 3 }, "{code} {stderr}");
    let level = finding(&record, "encoder", "throughput")["level"].as_f64().unwrap();
    assert!(level < 0.1 * fast, "{level} and {fast}");
    assert_eq!(finding(&record, "good", "cider")["verdict"], "unchanged");
    assert_eq!(finding(&record, "other", "fgd_paired")["verdict"], "unchanged");
    let (code, _, stderr) = suite.nightly(&["accept", "--system", "good"]);
    assert_eq!(code, 2, "nothing of it stands as a regression any more: {stderr}");
    let (code, stdout, _) = suite.nightly(&["report", "--format", "md"]);
    assert!(code == 0 && stdout.contains("other"), "{stdout}");
}

/// Keeps every core busy, twice over, until it is dropped.
struct Load(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Load {
    fn new() -> Self {
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        for _ in 0..2 * cores {
            let stop = stop.clone();
            std::thread::spawn(move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(stop)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn a_night_survives_kill_9_in_each_of_its_steps() {
    let _load = Load::new();
    let killed = Nightly::new(SUITE);
    for step in STEPS {
        let (mut child, mut lines) = killed.start();
        let begun = format!("{step} …");
        let said: Vec<String> = lines.by_ref().take_while(|line| *line != begun).collect();
        assert!(child.try_wait().unwrap().is_none(), "{step} was never begun: {said:#?}");
        // Somewhere within the step, or after its end: both must do.
        std::thread::sleep(std::time::Duration::from_millis(30));
        let step_process = killed.worker();
        child.kill().unwrap();
        child.wait().unwrap();
        // The step dies with its night, whoever goes on with it.
        if let Some(pid) = step_process {
            killed.assert_gone(pid);
        }
        // Nothing that is finished is begun again.
        let at = STEPS.iter().position(|known| *known == step).unwrap();
        for finished in STEPS[..at.saturating_sub(1)].iter() {
            assert!(!said.contains(&format!("{finished} …")), "{finished} again before {step}");
        }
    }
    // And once between the last step and the end, where verdicts, history and report are written.
    let (mut child, mut lines) = killed.start();
    assert!(lines.any(|line| line.starts_with("bench captioner: done")));
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, record, stderr) = killed.run();
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("its lock is taken over") || stderr.contains("going on"), "{stderr}");

    let whole = Nightly::new(SUITE);
    let (_, unbroken, _) = whole.run();
    for system in ["base", "merged", "tuned", "good", "other"] {
        for metric in ["fgd_paired", "fgd_set", "mean_cosine", "cider"] {
            let value = |record: &Value| finding(record, system, metric)["value"].clone();
            assert_eq!(value(&record), value(&unbroken), "{system} {metric}");
        }
    }
    // The night stands in the history once.
    let mut nights: Vec<String> =
        killed.rows().iter().map(|row| row["started"].as_str().unwrap().to_owned()).collect();
    nights.dedup();
    assert_eq!(nights.len(), 1, "{nights:?}");
    assert!(!killed.path("nightly/lock.json").exists());
}
