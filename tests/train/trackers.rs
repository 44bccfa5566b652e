//! A run that tells others how it goes.

use crate::*;

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
