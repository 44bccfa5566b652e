//! Fine-tuning through the real binary: features, a whole run, runs that are killed, and what is refused.

mod program;
mod schema;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use program::{Place, fixture, json, stderr, stdout};

const SCENES: [(&str, [u8; 3]); 6] = [
    ("a red car in the street", [220, 30, 30]),
    ("blue sky", [60, 120, 230]),
    ("the green table", [40, 180, 60]),
    ("two people holding food", [210, 180, 140]),
    ("a dog sitting next to a tree", [120, 80, 40]),
    ("a man and a woman", [230, 210, 200]),
];

/// Pictures `from..to` in their scene's colour, and a file with two captions of each.
fn pictures(place: &Place, name: &str, from: u32, to: u32) -> PathBuf {
    let images = place.path("images");
    std::fs::create_dir_all(&images).unwrap();
    let mut rows = String::from("image_id,caption\n");
    for at in from..to {
        let (caption, [r, g, b]) = SCENES[at as usize % SCENES.len()];
        let noise = |x: u32, y: u32| ((x * 7 + y * 13 + at * 31) % 29) as u8;
        let image = image::RgbImage::from_fn(24, 18, |x, y| {
            image::Rgb([r, g, b].map(|c: u8| c.saturating_sub(noise(x, y))))
        });
        image.save(images.join(format!("{at:03}.png"))).unwrap();
        // Ids match like those of captions: folder, extension and zeros do not count.
        rows.push_str(&format!("{at}.jpg,{caption}\n{at}.jpg,{caption} with a building\n"));
    }
    let path = place.path(name);
    std::fs::write(&path, rows).unwrap();
    path
}

fn features(place: &Place) -> assert_cmd::Command {
    let mut command = place.fgd();
    command.arg("features").arg("--checkpoint").arg(fixture("tiny-blip2/base"));
    command.arg("--images").arg(place.path("images")).arg("-o").arg(place.path("features"));
    command
}

const SETTINGS: [&str; 16] = [
    "--rank",
    "4",
    "--alpha",
    "8",
    "--batch-size",
    "4",
    "--accumulation",
    "2",
    "--epochs",
    "3",
    "--learning-rate",
    "2e-2",
    "--t5-dropout",
    "0.1",
    "--dropout",
    "0.1",
];

/// `fgd train` as a process that can be killed.
fn train(place: &Place, run: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fgd"));
    command.arg("train").arg("--checkpoint").arg(fixture("tiny-blip2/base"));
    command.arg("--features").arg(place.path("features"));
    command.arg("--captions").arg(place.path("train.csv"));
    command.arg("--validation").arg(place.path("validation.csv"));
    let said = |flag: &str| more.iter().any(|more| more.split('=').next() == Some(flag));
    for pair in SETTINGS.chunks(2).filter(|pair| !said(pair[0])) {
        command.args(pair);
    }
    command.arg("-o").arg(place.path(run)).args(more);
    command.env("HF_HUB_OFFLINE", "1").stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn fail(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "it went through");
    String::from_utf8(output.stderr).unwrap()
}

/// The lines without what a clock says.
fn metrics(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let timeless = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let fields = line.as_object_mut().unwrap();
        fields.remove("train/tokens_per_second");
        fields.remove("time");
        line
    };
    text.lines().map(timeless).collect()
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_as_one_that_was_not() {
    let place = Place::new();
    pictures(&place, "train.csv", 0, 24);
    pictures(&place, "validation.csv", 24, 30);
    let said = stderr(features(&place).assert().success().get_output());
    assert!(said.contains("features of 30 images") && said.contains("(0 were there"), "{said}");
    let said = stderr(features(&place).assert().success().get_output());
    assert!(said.contains("(30 were there"), "{said}");

    let output = train(&place, "whole", &["--threads", "1", "--keep-every", "7"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("48 captions of 24 images") && said.contains("GFLOP"), "{said}");
    assert!(said.contains("the first step took") && said.contains("validation loss"), "{said}");
    let whole = place.path("whole");
    let record: Value =
        serde_json::from_slice(&std::fs::read(whole.join("record.json")).unwrap()).unwrap();
    schema::assert_holds(&record);
    let results = &record["results"];
    // 12 batches: 6 steps an epoch.
    assert_eq!((&results["steps"], &results["modules"]), (&18.into(), &21.into()));
    let losses: Vec<f64> = results["validation"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["loss"].as_f64().unwrap())
        .collect();
    assert_eq!(losses.len(), 4);
    assert!(losses[3] < losses[0] - 1.0, "it learned nothing: {losses:?}");
    assert!(whole.join("step-7/adapter_config.json").exists());
    assert!(whole.join("step-14/adapter_model.safetensors").exists());

    // Captions choose, by the paired test; the loss falls so far that they become others.
    let encoder = fixture("encoder/tiny-mean");
    let mut judged = train(&place, "judged", &["--select-by", "fgd_paired", "--encoder"]);
    let output = judged.arg(&encoder).env("FGD_CACHE_DIR", place.path("cache")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("fgd_paired"), "{said}");
    let read = std::fs::read(place.path("judged/record.json")).unwrap();
    let record: Value = serde_json::from_slice(&read).unwrap();
    schema::assert_holds(&record);
    let validations = record["results"]["validation"].as_array().unwrap();
    assert_eq!(validations.len(), 4);
    let paired = |at: usize| validations[at]["fgd_paired"]["value"].as_f64().unwrap();
    let best = record["results"]["best_step"].as_u64().unwrap();
    let at = validations.iter().position(|v| v["step"] == best).unwrap();
    assert!(
        at == 0 || (paired(at) < paired(0) && validations[at]["p_value"].as_f64().unwrap() < 0.05)
    );
    assert!(place.path("judged/captions/step-0.csv").exists());
    assert_eq!(record["results"]["examples"].as_array().unwrap().len(), 6);

    // Killed at moments that fall before, within and behind steps, with another number of threads.
    let mut kills = 0;
    for attempt in 0.. {
        let mut child =
            train(&place, "killed", &["--threads", "2"]).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(40 + 37 * (attempt % 12)));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        if kills == 20 {
            let mut resumed = place.fgd();
            resumed.arg("train").arg("--resume").arg(place.path("killed"));
            resumed.assert().success();
            break;
        }
    }
    let killed = place.path("killed");
    assert_eq!(metrics(&killed), metrics(&whole), "after {kills} kills");
    for file in [
        "last/adapter_model.safetensors",
        "last/state.safetensors",
        "best/adapter_model.safetensors",
    ] {
        let read = |run: &Path| std::fs::read(run.join(file)).unwrap();
        assert!(read(&killed) == read(&whole), "{file} differs after {kills} kills");
    }
    // Nothing is left to do, and that is said again.
    train(&place, "killed", &[]).output().unwrap();
    assert_eq!(metrics(&killed), metrics(&whole));

    // The adapter is one that captioning takes.
    let adapter = whole.join("best");
    let mut caption = place.fgd();
    caption.arg("caption").arg("--checkpoint").arg(fixture("tiny-blip2/base"));
    caption.arg("--adapter").arg(&adapter).arg("--images").arg(place.path("images"));
    caption
        .arg("--features-cache")
        .arg(place.path("features"))
        .arg("-o")
        .arg(place.path("out.csv"));
    let record = json(caption.args(["--format", "json"]));
    assert_eq!(record["results"]["cached_features"], 30);

    // And so does the merged checkpoint.
    let mut merge = place.fgd();
    merge.arg("merge-adapter").arg("--checkpoint").arg(fixture("tiny-blip2/base"));
    merge.arg("--adapter").arg(&adapter).arg("-o").arg(place.path("merged"));
    let said = stderr(merge.assert().success().get_output());
    assert!(said.contains("21 matrices changed"), "{said}");
    merge.assert().failure();
    let mut caption = place.fgd();
    caption.arg("caption").arg("--checkpoint").arg(place.path("merged"));
    caption.arg("--images").arg(place.path("images")).arg("-o").arg(place.path("merged.csv"));
    caption.assert().success();
    let read = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(read("merged.csv"), read("out.csv"));

    let said = fail(train(&place, "killed", &["--weight-decay", "0.1"]));
    assert!(said.contains("is of a run with other captions"), "{said}");
}

#[test]
fn what_can_not_be_trained_is_refused_before_the_work() {
    let place = Place::new();
    pictures(&place, "train.csv", 0, 12);
    pictures(&place, "validation.csv", 12, 16);
    let said = fail(train(&place, "run", &[]));
    assert!(said.contains("fgd features --images"), "{said}");
    features(&place).assert().success();

    for (more, expected) in [
        (&["--dtype", "q8"][..], "f32 or bf16"),
        (&["--rank", "0"], "rank 0"),
        (&["--dropout", "1"], "dropout 1"),
        (&["--targets", "query"], "qformer"),
        (&["--targets", "nowhere"], "no layer"),
        (&["--learning-rate=-1"], "learning rate"),
        (&["--batch-size", "0"], "batch size"),
        (&["--epochs", "0"], "epochs"),
        (&["--save-every", "0"], "at least 1"),
        (&["--dtype", "bf16"], "--dtype"),
        (&["--device", "tpu"], "give cpu or cuda:N"),
    ] {
        let said = fail(train(&place, "run", more));
        assert!(said.contains(expected), "{more:?}: {said}");
        assert_eq!(
            said.trim().lines().filter(|line| line.starts_with("error")).count(),
            1,
            "{said}"
        );
    }

    let write = |name: &str, text: &str| std::fs::write(place.path(name), text).unwrap();
    let again = std::fs::read_to_string(place.path("train.csv")).unwrap();
    // The same picture under another name is the same image.
    std::fs::copy(place.path("images/003.png"), place.path("images/900.png")).unwrap();
    features(&place).assert().success();
    write("validation.csv", "image_id,caption\n900,a man\n");
    let said = fail(train(&place, "run", &[]));
    assert!(said.contains("1 images of the validation") && said.contains("900"), "{said}");
    write("validation.csv", "image_id,caption\n13,a man\n");
    write("train.csv", &format!("{again}77777,a dog\n"));
    let said = fail(train(&place, "run", &[]));
    assert!(said.contains("1 of 25") && said.contains("77777"), "{said}");
    write("train.csv", &format!("{again}5,\n"));
    assert!(fail(train(&place, "run", &[])).contains("row 25"));
    write("train.csv", &format!("{again}5,a dog a dog a dog a dog a dog a dog\n"));
    let said = fail(train(&place, "run", &[]));
    assert!(said.contains("row 25") && said.contains("--lenient"), "{said}");
    let mut lenient = train(&place, "run", &["--lenient", "--max-steps", "1"]);
    assert!(lenient.output().unwrap().status.success());
    let mut nothing = place.fgd();
    nothing.arg("train").arg("--resume").arg(place.path("nowhere"));
    let said = stderr(nothing.assert().failure().code(2).get_output());
    assert!(said.contains("give the directory of a run"), "{said}");
}

#[test]
fn presets_stand_behind_flags_and_name_what_is_wrong() {
    let place = Place::new();
    pictures(&place, "train.csv", 0, 6);
    pictures(&place, "validation.csv", 6, 8);
    features(&place).assert().success();
    let presets = place.path("train.toml");
    let init = || {
        let mut init = place.fgd();
        init.arg("train").arg("init").arg(&presets);
        init
    };
    init().assert().success();
    init().assert().failure().code(2);
    let write = |text: &str| std::fs::write(&presets, text).unwrap();
    let path = |name: &str| place.path(name).display().to_string();
    let run = |more: &[&str]| {
        let mut run = place.fgd();
        run.arg("train").arg("--config").arg(&presets).arg("-o").arg(place.path("run")).args(more);
        run
    };
    let whole = format!(
        "checkpoint = {:?}\nfeatures = {:?}\ncaptions = {:?}\n[order]\nbatch_size = 3\nmax_steps = 2\n[learning.lora]\nr = 4\nalpha = 8\n",
        fixture("tiny-blip2/base"),
        path("features"),
        path("train.csv"),
    );
    write(&whole);
    run(&["--max-steps", "1"]).env("FGD_ALPHA", "2").assert().success();
    let request: Value =
        serde_json::from_slice(&std::fs::read(place.path("run/request.json")).unwrap()).unwrap();
    let order = &request["order"];
    assert_eq!((&order["batch_size"], &order["max_steps"]), (&3.into(), &1.into()));
    let lora = &request["learning"]["lora"];
    assert_eq!(
        (&lora["r"], &lora["alpha"], &lora["dropout"]),
        (&4.into(), &2.0.into(), &0.05.into())
    );

    for (text, said) in [
        ("[learning.lora]\nrnak = 4\n", "train.toml:2:1: unknown key `rnak`"),
        ("\n[lerning]\n", "train.toml:2:2: unknown key `lerning`: did you mean `learning`?"),
        ("dtype = \"bf61\"", "train.toml:1:9: unknown value `bf61`: did you mean `bf16`?"),
        ("[order]\nepochs = \"many\"", "train.toml:2:10: "),
    ] {
        write(text);
        let found = stderr(run(&[]).assert().failure().code(2).get_output());
        assert!(found.contains(said), "{text}: {found}");
    }
    write("");
    assert!(stderr(run(&[]).assert().failure().code(2).get_output()).contains("give --checkpoint"));

    // The card of what came of it.
    let mut card = place.fgd();
    card.args(["export", "model-card"]).arg(place.path("run/record.json"));
    let card = program::stdout(card.assert().success().get_output());
    assert!(card.contains("base_model: \"base\"") && card.contains("library_name: peft"), "{card}");
}

/// A `python3` of this content, in front of the others.
#[cfg(unix)]
fn python(place: &Place, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let bin = place.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::write(bin.join("python3"), format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(bin.join("python3"), std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default())
}

#[cfg(unix)]
#[test]
fn a_tracker_hears_every_line_and_its_death_is_a_warning() {
    let place = Place::new();
    pictures(&place, "train.csv", 0, 12);
    pictures(&place, "validation.csv", 12, 14);
    features(&place).assert().success();
    let run = |name: &str, python: &str, more: &[&str]| {
        let mut run = train(&place, name, &["--wandb", "captions", "--max-steps=3"]);
        let output = run.args(more).env("PATH", python).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        said
    };
    let listening = python(&place, &format!("cat > {}", place.path("heard").display()));
    let said = run("run", &listening, &[]);
    assert!(!said.contains("warning: wandb"), "{said}");
    let heard = std::fs::read_to_string(place.path("heard")).unwrap();
    let heard: Vec<Value> = heard.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&heard[0]["project"], &heard[0]["name"]), (&"captions".into(), &"run".into()));
    assert_eq!(heard[0]["config"]["learning"]["lora"]["r"], 4);
    let losses = heard.iter().filter(|line| line["train/loss"].is_number());
    let steps: Vec<i64> = losses.map(|line| line["train/global_step"].as_i64().unwrap()).collect();
    assert_eq!(steps, [1, 2, 3]);
    assert!(heard.iter().any(|line| line["eval/loss"].is_number()));
    assert_eq!(heard.last().unwrap()["end"], 0);

    let missing = python(&place, "echo \"No module named 'wandb'\" >&2; exit 1");
    // Nobody listens there either.
    let said = run("dead", &missing, &["--mlflow", "http://127.0.0.1:1"]);
    assert!(
        said.contains("warning: wandb: its python3 has ended: No module named 'wandb'"),
        "{said}"
    );
    assert!(said.contains("warning: mlflow: http://127.0.0.1:1: experiments/search"), "{said}");
    assert_eq!(metrics(&place.path("dead")), metrics(&place.path("run")));
}

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

#[test]
fn losses_are_told_by_where_captions_come_from() {
    let place = Place::new();
    let path = pictures(&place, "train.csv", 0, 6);
    pictures(&place, "validation.csv", 6, 8);
    features(&place).assert().success();
    let text = std::fs::read_to_string(&path).unwrap();
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
fn what_is_left_out_of_the_captions_has_a_reason() {
    let place = Place::new();
    let write = |name: &str, text: &str| std::fs::write(place.path(name), text).unwrap();
    write(
        "captions.csv",
        "image_id,caption,source\n1.jpg,a red car,\n1.jpg,A red  car,real\n1.jpg,a car in the street,\n2.jpg,blue sky,\n\
         2.jpg,a dog a dog a dog a dog a dog,\n2.jpg,the green table,\n2.jpg,sky,model\n",
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
    assert!(said.contains("7 of 11 captions stay (1 model, 4 real, 2 synthetic), 4 go"), "{said}");
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
    assert_eq!(counts, [1, 1, 0, 2]);
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

    write("validation.csv", "image_id,caption\n0002.png,a man\n");
    let said = stderr(curate(&[]).assert().failure().code(2).get_output());
    assert!(said.contains("1 captions are of images that are to be learned too"), "{said}");
    write("validation.csv", "image_id,caption,source\n9,a man,model\n");
    let said = stderr(curate(&[]).assert().failure().code(4).get_output());
    assert!(said.contains("real captions only"), "{said}");
}
