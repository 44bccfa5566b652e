//! `fgd nightly` through the program: three nights of a real suite on fixtures with what is planted in them, kill -9 in
//! every step, and everything that can be wrong around a night.

#![cfg(unix)]

mod program;

use program::{Place, captions, fixture};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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
arguments = ["--max-new-tokens", "4"]

[[system]]
name = "merged"
data = "pictures"
checkpoint = "merged"
arguments = ["--max-new-tokens", "4"]

[[system]]
name = "tuned"
data = "pictures"
checkpoint = "base"
adapter = "adapter"
arguments = ["--max-new-tokens", "4"]

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
target = "encoder"
scenario = "single"
arguments = ["--encoder", "encoder", "--items", "64", "--duration", "0.1", "--seed", "1"]

[[benchmark]]
name = "captioner"
target = "captioner"
scenario = "single"
arguments = ["--checkpoint", "base", "--items", "1", "--max-new-tokens", "2", "--duration", "0.1"]

[gates]
metrics = ["fgd_paired", "cider"]
"#;

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

struct Nightly {
    place: Place,
}

impl Nightly {
    fn new(suite: &str) -> Self {
        let place = Place::new();
        let links = [
            ("encoder", "encoder/tiny-mean"),
            ("base", "tiny-blip2/base"),
            ("merged", "tiny-blip2/merged"),
            ("adapter", "tiny-blip2/adapter"),
        ];
        for (name, target) in links {
            std::os::unix::fs::symlink(fixture(target), place.path(name)).unwrap();
        }
        std::fs::create_dir(place.path("images")).unwrap();
        let mut references = "image_id,caption\n".to_owned();
        let words = [
            "a red cat",
            "two dogs on grass",
            "the sea",
            "a sign",
            "a man and a bus",
            "snow",
        ];
        for (index, words) in words.iter().enumerate() {
            let name = format!("images/p{index}.png");
            std::fs::copy(fixture("captioner/images/rgb.png"), place.path(&name)).unwrap();
            references += &format!("p{index},{words} in picture {index}\n");
        }
        std::fs::write(place.path("pictures.csv"), references).unwrap();
        for name in ["references.csv", "good.csv", "other.csv"] {
            std::fs::copy(captions(name), place.path(name)).unwrap();
        }
        std::fs::write(place.path("suite.toml"), suite).unwrap();
        Self { place }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path(name)
    }

    fn suite(&self) -> PathBuf {
        self.path("suite.toml")
    }

    /// Exit code, the record where there is one, and what was said.
    fn nightly(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = self.place.fgd();
        command
            .arg("nightly")
            .arg(arguments[0])
            .arg(self.suite())
            .args(&arguments[1..]);
        let output = command.output().unwrap();
        (
            output.status.code().unwrap(),
            program::stdout(&output),
            program::stderr(&output),
        )
    }

    fn run(&self) -> (i32, Value, String) {
        let (code, stdout, stderr) = self.nightly(&["run", "--format", "json"]);
        let record = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{code} {stderr}"));
        (code, record, stderr)
    }

    /// A run whose end is not waited for; its stderr comes line by line.
    fn start(&self) -> (Child, impl Iterator<Item = String>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fgd"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FGD_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .args(["nightly", "run"])
            .arg(self.suite())
            .env("FGD_CACHE_DIR", self.path("cache"))
            .env("HF_HUB_OFFLINE", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        (child, lines.map_while(Result::ok))
    }

    fn rows(&self) -> Vec<Value> {
        let file = self.path("export.jsonl");
        let (code, _, stderr) = self.nightly(&["export", "-o", file.to_str().unwrap()]);
        assert_eq!(code, 0, "{stderr}");
        let text = std::fs::read_to_string(file).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn import(&self, rows: &[Value]) {
        let file = self.path("import.jsonl");
        let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
        std::fs::write(&file, lines.join("\n")).unwrap();
        let (code, _, stderr) = self.nightly(&["import", file.to_str().unwrap()]);
        assert_eq!(code, 0, "{stderr}");
    }
}

fn finding<'a>(record: &'a Value, system: &str, metric: &str) -> &'a Value {
    let all = record["results"]["findings"].as_array().unwrap();
    let found = all
        .iter()
        .find(|f| f["system"] == system && f["metric"] == metric);
    found.unwrap_or_else(|| panic!("no finding on {system} {metric} in {all:#?}"))
}

fn verdicts<'a>(record: &'a Value, verdict: &str) -> Vec<(&'a str, &'a str)> {
    let all = record["results"]["findings"].as_array().unwrap();
    let text = |f: &'a Value, key: &str| f[key].as_str().unwrap();
    all.iter()
        .filter(|f| f["verdict"] == verdict)
        .map(|f| (text(f, "system"), text(f, "metric")))
        .collect()
}

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
    assert!(
        stderr.contains("suite fixtures: caption base · score base"),
        "{stderr}"
    );
    assert_eq!(record["kind"], "nightly");
    let first = verdicts(&record, "insufficient_history");
    assert_eq!(
        first.len(),
        record["results"]["findings"].as_array().unwrap().len()
    );
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
        assert_eq!(
            finding(&record, system, "fgd_paired")["verdict"],
            "unchanged"
        );
    }
    assert!(stderr.contains("caption base: done before"), "{stderr}");

    // The third night: a benchmark that was a thousand times as fast, and a score that was another one with the same
    // inputs, by a history that says so.
    let rows = suite.rows();
    let mut past = Vec::new();
    let mut fast = 0.0;
    for row in rows
        .iter()
        .filter(|row| row["system"] == "encoder" && row["metric"] == "throughput")
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
    assert!(
        slow["first"].as_f64().is_some(),
        "it was not measured again: {slow}"
    );
    assert!(stderr.contains("bench encoder again: done"), "{stderr}");
    let drift = finding(&record, "other", "fgd_paired");
    assert_eq!(drift["verdict"], "regressed", "{drift}");
    assert!(
        drift["reason"].as_str().unwrap().starts_with("score drift"),
        "{drift}"
    );
    assert_eq!(finding(&record, "good", "cider")["verdict"], "regressed");
    assert_eq!(
        finding(&record, "base", "fgd_paired")["verdict"],
        "unchanged"
    );

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
    assert!(
        links.iter().any(|link| link.starts_with("records/")),
        "{links:?}"
    );
    for link in links
        .iter()
        .filter(|link| !link.starts_with("#") && !link.starts_with("data:"))
    {
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
    assert!(
        regressed
            .iter()
            .all(|found| *found == ("encoder", "throughput")),
        "{regressed:?}"
    );
    assert!(
        code == if regressed.is_empty() { 0 } else { 3 },
        "{code} {stderr}"
    );
    let level = finding(&record, "encoder", "throughput")["level"]
        .as_f64()
        .unwrap();
    assert!(level < 0.1 * fast, "{level} and {fast}");
    assert_eq!(finding(&record, "good", "cider")["verdict"], "unchanged");
    assert_eq!(
        finding(&record, "other", "fgd_paired")["verdict"],
        "unchanged"
    );
    let (code, _, stderr) = suite.nightly(&["accept", "--system", "good"]);
    assert_eq!(
        code, 2,
        "nothing of it stands as a regression any more: {stderr}"
    );
    let (code, stdout, _) = suite.nightly(&["report", "--format", "md"]);
    assert!(code == 0 && stdout.contains("other"), "{stdout}");
}

#[test]
fn a_night_survives_kill_9_in_each_of_its_steps() {
    let killed = Nightly::new(SUITE);
    for step in STEPS {
        let (mut child, mut lines) = killed.start();
        let begun = format!("{step} …");
        let said: Vec<String> = lines.by_ref().take_while(|line| *line != begun).collect();
        assert!(
            child.try_wait().unwrap().is_none(),
            "{step} was never begun: {said:#?}"
        );
        // Somewhere within the step, or after its end: both must do.
        std::thread::sleep(std::time::Duration::from_millis(30));
        child.kill().unwrap();
        child.wait().unwrap();
        // Nothing that is finished is begun again.
        let at = STEPS.iter().position(|known| *known == step).unwrap();
        for finished in STEPS[..at.saturating_sub(1)].iter() {
            assert!(
                !said.contains(&format!("{finished} …")),
                "{finished} again before {step}"
            );
        }
    }
    // And once between the last step and the end, where verdicts, history and report are written.
    let (mut child, mut lines) = killed.start();
    assert!(lines.any(|line| line.starts_with("bench captioner: done")));
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, record, stderr) = killed.run();
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stderr.contains("its lock is taken over") || stderr.contains("going on"),
        "{stderr}"
    );

    let whole = Nightly::new(SUITE);
    let (_, unbroken, _) = whole.run();
    for system in ["base", "merged", "tuned", "good", "other"] {
        for metric in ["fgd_paired", "fgd_set", "mean_cosine", "cider"] {
            let value = |record: &Value| finding(record, system, metric)["value"].clone();
            assert_eq!(value(&record), value(&unbroken), "{system} {metric}");
        }
    }
    // The night stands in the history once.
    let mut nights: Vec<String> = killed
        .rows()
        .iter()
        .map(|row| row["started"].as_str().unwrap().to_owned())
        .collect();
    nights.dedup();
    assert_eq!(nights.len(), 1, "{nights:?}");
    assert!(!killed.path("nightly/lock.json").exists());
}

/// A suite of one submission, with further lines.
fn small(more: &str) -> String {
    format!(
        "name = \"small\"\nencoder = \"encoder\"\n[[data]]\nname = \"captions\"\nreferences = \"references.csv\"\n\
         [[system]]\nname = \"good\"\nsubmission = \"good.csv\"\n{more}"
    )
}

#[test]
fn two_runs_do_not_meet_and_the_second_says_who_runs() {
    let suite = Nightly::new(&small(""));
    let (mut child, mut lines) = suite.start();
    assert!(lines.any(|line| line == "score good …"));
    let (code, _, stderr) = suite.nightly(&["run"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains(&format!("process {}", child.id())),
        "{stderr}"
    );
    lines.for_each(drop);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_system_that_fails_stands_as_failed_and_stops_no_other() {
    let broken = "[[system]]\nname = \"gone\"\nsubmission = \"gone.csv\"\n\
                  [[system]]\nname = \"no model\"\ndata = \"pictures\"\ncheckpoint = \"nowhere\"\n\
                  [[data]]\nname = \"pictures\"\nreferences = \"pictures.csv\"\nimages = \"images\"\n";
    let text = small(broken).replace(
        "name = \"good\"\n",
        "name = \"good\"\ndata = \"captions\"\n",
    );
    let text = text.replace(
        "name = \"gone\"\n",
        "name = \"gone\"\ndata = \"captions\"\n",
    );
    let suite = Nightly::new(&format!("{text}[gates]\nfail_on_invalid = true\n"));
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 5, "{stderr}");
    let mut invalid = verdicts(&record, "invalid");
    invalid.sort_unstable();
    assert_eq!(
        invalid,
        [("gone", "fgd_paired"), ("no model", "fgd_paired")]
    );
    assert_eq!(
        finding(&record, "good", "fgd_paired")["verdict"],
        "insufficient_history"
    );
    let failed: Vec<Value> = suite
        .rows()
        .into_iter()
        .filter(|row| row["outcome"] == "failed")
        .collect();
    assert_eq!(failed.len(), 2);
    assert!(failed.iter().all(|row| row["value"].is_null()));
}

#[test]
fn time_that_is_over_ends_the_night_cleanly() {
    let suite = Nightly::new(&format!("budget = \"0.001s\"\n{}", small("")));
    let (code, record, stderr) = suite.run();
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(record["results"]["steps"][0]["outcome"], "not_run");
    assert_eq!(verdicts(&record, "invalid"), [("good", "fgd_paired")]);
    assert!(
        finding(&record, "good", "fgd_paired")["reason"]
            .as_str()
            .unwrap()
            .contains("budget")
    );
}

#[test]
fn changed_data_is_not_scored() {
    let text = small("").replace(
        "references = \"references.csv\"\n",
        &format!(
            "references = \"references.csv\"\nreferences_sha256 = \"{}\"\n",
            "0".repeat(64)
        ),
    );
    let (_, record, _) = Nightly::new(&text).run();
    let reason = finding(&record, "good", "fgd_paired")["reason"]
        .as_str()
        .unwrap();
    assert!(
        reason.contains("references of data set `captions` have changed"),
        "{reason}"
    );
}

#[test]
fn gates_are_those_of_compare() {
    let (code, record, stderr) =
        Nightly::new(&small("[gates]\nconditions = [\"good.fgd_paired<=0\"]\n")).run();
    assert_eq!(code, 3, "{stderr}");
    assert_eq!(record["results"]["gates"][0]["passed"], false);
    assert_eq!(record["results"]["verdict"], "regressed");
}

#[test]
fn somebody_is_told_by_a_command() {
    let notify = "[[notify]]\non = \"always\"\ncommand = [\"sh\", \"-c\", \"cat > $FGD_TEST_TOLD\"]\n\
                  [[notify]]\nwebhook = \"FGD_TEST_NOT_SET\"\non = \"always\"\n";
    let suite = Nightly::new(&small(notify));
    let told = suite.path("told.json");
    let mut command = suite.place.fgd();
    let output = command
        .args(["nightly", "run"])
        .arg(suite.suite())
        .env("FGD_TEST_TOLD", &told)
        .output()
        .unwrap();
    let stderr = program::stderr(&output);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("FGD_TEST_NOT_SET is not set"), "{stderr}");
    let message: Value = serde_json::from_str(&std::fs::read_to_string(told).unwrap()).unwrap();
    assert_eq!(message["suite"], "small");
    assert_eq!(message["verdict"], "insufficient_history");
}

#[test]
fn what_is_wrong_around_a_night_is_said_before_it_begins() {
    let suite = Nightly::new(&small("[gates]\nalpah = 0.1\n"));
    let (code, _, stderr) = suite.nightly(&["run"]);
    assert_eq!(code, 2);
    assert!(
        stderr.contains("suite.toml:10:1: unknown key `alpah`: did you mean `alpha`?"),
        "{stderr}"
    );

    std::fs::write(suite.path("file"), "").unwrap();
    std::fs::write(
        suite.suite(),
        format!("report = \"file/site\"\n{}", small("")),
    )
    .unwrap();
    let (code, _, stderr) = suite.nightly(&["run"]);
    assert!(code == 1 && stderr.contains("file/site"), "{code} {stderr}");

    std::fs::write(suite.suite(), small("[history]\nfile = \"good.csv\"\n")).unwrap();
    let before = std::fs::read(suite.path("good.csv")).unwrap();
    let (code, _, stderr) = suite.nightly(&["run"]);
    assert!(
        code == 1 && stderr.contains("is not an SQLite file"),
        "{code} {stderr}"
    );
    assert_eq!(std::fs::read(suite.path("good.csv")).unwrap(), before);

    std::fs::write(
        suite.suite(),
        small("[history]\npostgres = \"FGD_TEST_NOT_SET\"\n"),
    )
    .unwrap();
    let (code, _, stderr) = suite.nightly(&["run"]);
    assert!(
        code == 1 && stderr.contains("FGD_TEST_NOT_SET is not set"),
        "{code} {stderr}"
    );

    let (code, _, stderr) = suite.nightly(&["report"]);
    assert_eq!(code, 1, "{stderr}");
    let missing = suite
        .place
        .fgd()
        .args(["nightly", "run", "none.toml"])
        .output()
        .unwrap();
    assert!(program::stderr(&missing).contains("fgd nightly init"));
}

#[test]
fn init_writes_an_example_and_leaves_what_is_there() {
    let place = Place::new();
    let file = place.path("my.toml");
    place
        .fgd()
        .args(["nightly", "init"])
        .arg(&file)
        .assert()
        .success();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("[[benchmark]]"));
    std::fs::write(&file, "mine").unwrap();
    place
        .fgd()
        .args(["nightly", "init"])
        .arg(&file)
        .assert()
        .code(2);
    assert_eq!(std::fs::read_to_string(Path::new(&file)).unwrap(), "mine");
}

#[test]
fn old_records_go_and_the_history_stays() {
    let suite = Nightly::new(&small("[retention]\nnights = 1\n"));
    suite.run();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    suite.run();
    let kept = std::fs::read_dir(suite.path("nightly/nights"))
        .unwrap()
        .count();
    assert_eq!(kept, 1);
    let nights: std::collections::BTreeSet<String> = suite
        .rows()
        .iter()
        .map(|row| row["started"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(nights.len(), 2);
}
