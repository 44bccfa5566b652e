//! The cluster as real processes on loopback: the same bits as one process, whatever is killed. `script/cluster-test` builds `fgd`
//! and says where it is.

mod failures;
mod objects;
mod processes;

use std::fs;

use processes::{Cluster, Place};

#[test]
fn any_number_of_executors_gives_the_bits_of_one_process() {
    let place = Place::new();
    let [submission, references] = place.captions(600);
    let exact = place.exact(&submission, &references, &["--slice", "part"]);
    let shuffled = place.shuffled(&submission);
    let cases = [(2, &submission, "20"), (1, &shuffled, "40"), (3, &shuffled, "20")];
    for (executors, submission, buckets) in cases {
        let folder = format!("buckets-{executors}");
        let more = ["--slice", "part", "--buckets", buckets];
        let buckets = place.prepare(&folder, submission, &references, &more);
        let cluster = Cluster::start(&place, executors, &[]);
        let record = cluster.begin(&place, &buckets, &[]).record();
        assert_eq!(record["results"], exact["results"], "{executors} executors");
        assert_eq!(record["comparability"], exact["comparability"]);
        assert_eq!(record["settings"], exact["settings"]);
        let status = cluster.status(&place);
        assert_eq!(status.lines().next(), Some(&*format!("{executors} executors")));
    }
}

#[test]
fn a_sample_speaks_for_its_population() {
    let place = Place::new();
    let [submission, references] = place.captions(300);
    let population = ["--population", "1000"];
    let exact = place.exact(&submission, &references, &population);
    let buckets = place.prepare("buckets", &submission, &references, &[]);
    let cluster = Cluster::start(&place, 1, &[]);
    let record = cluster.begin(&place, &buckets, &population).record();
    assert_eq!(record["results"], exact["results"]);
    assert_eq!(record["settings"], exact["settings"]);
}

#[test]
fn several_submissions_have_the_record_that_each_has_alone() {
    let place = Place::new();
    let [submission, references] = place.captions(300);
    // Other captions for the same images.
    let text = fs::read_to_string(&submission).unwrap();
    let other = place.path("other.csv");
    fs::write(&other, text.replace(" a", " the").replace("s ", " ")).unwrap();
    let by_part = ["--slice", "part"];
    let exact = [&submission, &other].map(|file| place.exact(file, &references, &by_part));
    let both = ["--slice", "part", other.to_str().unwrap()];
    let buckets = place.prepare("buckets", &submission, &references, &both);
    let cluster = Cluster::start(&place, 2, &[]);
    assert!(cluster.begin(&place, &buckets, &[]).fails().contains("say with -o"));
    let records = place.path("records");
    cluster.begin(&place, &buckets, &["-o", records.to_str().unwrap()]).end();
    for (exact, name) in exact.iter().zip(["000-good.json", "001-other.json"]) {
        let record = fs::read(records.join(name)).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        for part in ["results", "inputs", "comparability", "settings"] {
            assert_eq!(record[part], exact[part], "{name} {part}");
        }
    }
}

/// All of 127.0.0.0/8 is loopback on Linux only.
#[cfg(target_os = "linux")]
#[test]
fn with_a_key_processes_hear_nobody_who_lacks_it() {
    let place = Place::new();
    let [submission, references] = place.captions(300);
    let exact = place.exact(&submission, &references, &[]);
    let buckets = place.prepare("buckets", &submission, &references, &[]);
    let [key, other] = ["key", "other-key"].map(|name| place.key(name));
    let cluster = Cluster::start_with(&place, 2, &[], Some(&key));
    for key in [&[][..], &["--key".as_ref(), other.as_os_str()]] {
        let said = cluster.begin_with(&place, &buckets, key).fails();
        assert!(said.contains("failed 1 times"), "{said}");
    }
    assert_eq!(Place::summed(&buckets), 0);
    let record = cluster.begin(&place, &buckets, &[]).record();
    assert_eq!(record["results"], exact["results"]);
}
