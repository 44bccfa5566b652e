//! The start-up files of `deploy`, as they are: their command lines, variables and mounts, in containers of namespaces with networks of
//! their own, come up, find each other and score.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::processes::{Place, fgd, fixture};

/// Names of what a container is made of.
const NAMESPACES: &[&str] = &[
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--uts",
    "--pid",
    "--fork",
    "--kill-child",
];

#[test]
fn compose_brings_up_a_cluster_that_scores() {
    runs("compose");
}

#[test]
fn kubernetes_pods_are_a_cluster_that_scores() {
    runs("kubernetes");
}

#[test]
fn systemd_units_are_a_cluster_that_scores() {
    runs("systemd");
}

fn runs(kind: &str) {
    let python = std::env::var("FGD_TEST_PYTHON").unwrap_or("python3".into());
    let has_yaml = Command::new(&python).args(["-c", "import yaml"]).output();
    let bridge = [NAMESPACES, &["ip", "link", "add", "bridge", "type"]].concat();
    let place = Place::new();
    if !has_yaml.is_ok_and(|output| output.status.success()) || !place.can(&bridge, "bridge") {
        eprintln!("SKIPPED: needs name spaces with networks of their own, and {python} with yaml");
        return;
    }
    let [submission, references] = place.captions(300);
    let exact = place.exact(&submission, &references, &[]);
    place.prepare("buckets", &submission, &references, &["--buckets", "20"]);
    fs::rename(place.key("key"), place.path("cluster.pem")).unwrap();
    for folder in ["bin", "models/tiny"] {
        fs::create_dir_all(place.path(folder)).unwrap();
    }
    let copy = |from: &Path, to: &str| fs::copy(from, place.path(to)).unwrap();
    copy(&fgd(), "bin/fgd");
    copy(env!("CARGO_BIN_EXE_fgd-cluster").as_ref(), "bin/fgd-cluster");
    let encoder = Command::new("cp")
        .arg("-rT")
        .arg(fixture("encoder/tiny-mean"))
        .arg(place.path("models/tiny"))
        .status();
    assert!(encoder.unwrap().success());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deployment/containers.py");
    let mut command = Command::new(NAMESPACES[0]);
    command.args(&NAMESPACES[1..]).arg(python).arg(script).arg(kind).arg(place.path(""));
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(output.status.success(), "{said}");
    let record = fs::read(place.path("record.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["results"], exact["results"]);
}
