//! Buckets in an object store. It is moto, a store on loopback; without a Python that has it (`pip install 'moto[server]'`,
//! `FGD_TEST_PYTHON`), nothing is tested and a line says so.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::processes::{Cluster, Place, Process};

struct Store {
    _process: Process,
    words: PathBuf,
}

impl Store {
    /// A store that holds a folder, known to all processes of the place that are started from now on; `None` without moto.
    fn start(place: &mut Place, folder: &Path) -> Option<Self> {
        let python = std::env::var("FGD_TEST_PYTHON").unwrap_or("python3".into());
        let has_moto = Command::new(&python).args(["-c", "import moto.server, boto3"]).output();
        if !has_moto.is_ok_and(|output| output.status.success()) {
            eprintln!(
                "SKIPPED: {python} has no moto; `pip install 'moto[server]'`, FGD_TEST_PYTHON"
            );
            return None;
        }
        let words = place.path("words");
        fs::write(&words, "sound").unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects/store.py");
        let mut command = Command::new(python);
        command.arg(script).arg(folder).arg(&words);
        let log = fs::File::create(place.path("store.log")).unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut process = Process::start(&mut command);
        let mut port = String::new();
        BufReader::new(process.stdout()).read_line(&mut port).unwrap();
        for (name, value) in [
            ("AWS_ENDPOINT", &*format!("http://127.0.0.1:{}", port.trim())),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ] {
            place.set(name, value);
        }
        Some(Self { _process: process, words })
    }

    /// How requests fare from now on.
    fn say(&self, word: &str) {
        fs::write(&self.words, word).unwrap();
    }
}

#[test]
fn a_store_that_fails_now_and_then_changes_no_bits() {
    let mut place = Place::new();
    let [submission, references] = place.captions(2_000);
    let exact = place.exact(&submission, &references, &[]);
    let buckets = place.prepare("buckets", &submission, &references, &["--buckets", "20"]);
    let Some(store) = Store::start(&mut place, &buckets) else { return };
    let cluster = Cluster::start(&place, 2, &[]);
    let address = Path::new("s3://captions/buckets");

    store.say("denied");
    let said = cluster.begin(&place, address, &["--attempts", "2"]).fails();
    assert!(said.contains("pairs.json: cannot be read") && said.contains("403"), "{said}");

    store.say("flaky");
    let (record, said) = cluster.begin(&place, address, &[]).finish();
    assert_eq!(record["results"], exact["results"]);
    assert!(!said.contains("summed before"), "{said}");

    // All sums lie in the store.
    store.say("sound");
    let (record, said) = cluster.begin(&place, address, &[]).finish();
    assert_eq!(record["results"], exact["results"]);
    assert!(said.contains("2000 of 2000 pairs were summed before"), "{said}");
}
