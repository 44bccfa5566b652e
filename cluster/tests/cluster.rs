//! The cluster as real processes on loopback: the same bits as one process, whatever is killed. `script/cluster-test` builds `fgd`
//! and says where it is.

mod deployment;
mod failures;
mod leaderboards;
mod objects;
mod processes;

use std::time::{Duration, Instant};

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
        // Nobody waits for who says nothing.
        let (_silent, begin) = (cluster.connection(), Instant::now());
        let status = cluster.status(&place);
        assert!(begin.elapsed() < Duration::from_secs(5));
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
