//! The cluster as real processes on loopback: the same bits as one process, whatever is killed. `script/cluster-test` builds `fgd`
//! and says where it is.

mod processes;

use std::fs;
use std::time::Duration;

use processes::{Cluster, Place, until};

/// Enough for several buckets to be summed before the last.
const PAIRS: usize = 30_000;

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
        let record = cluster.score(&buckets);
        assert_eq!(record["results"], exact["results"], "{executors} executors");
        assert_eq!(record["comparability"], exact["comparability"]);
        assert_eq!(record["settings"], exact["settings"]);
        assert_eq!(cluster.status().lines().next(), Some(&*format!("{executors} executors")));
    }
}

#[test]
fn a_killed_executor_costs_seconds_and_no_bits() {
    let place = Place::new();
    let [submission, references] = place.captions(PAIRS);
    let exact = place.exact(&submission, &references, &[]);
    let buckets = place.prepare("buckets", &submission, &references, &["--buckets", "40"]);
    let mut cluster = Cluster::start(&place, 2, &[]);
    let score = cluster.begin(&buckets, &[]);
    until("a bucket is summed", || Place::summed(&buckets) > 0);
    cluster.kill_executor(0);
    assert!(Place::summed(&buckets) < 40, "too fast for this test");
    assert_eq!(score.record()["results"], exact["results"]);

    // All of them, and another in their place.
    Place::forget(&buckets);
    let score = cluster.begin(&buckets, &[]);
    until("a bucket is summed", || Place::summed(&buckets) > 0);
    cluster.kill_executor(1);
    cluster.add_executor(&place, &[]);
    assert_eq!(score.record()["results"], exact["results"]);
}

#[test]
fn a_lost_scheduler_and_a_killed_score_go_on_where_they_were() {
    let place = Place::new();
    let [submission, references] = place.captions(PAIRS);
    let exact = place.exact(&submission, &references, &[]);
    let buckets = place.prepare("buckets", &submission, &references, &["--buckets", "40"]);
    let mut cluster = Cluster::start(&place, 2, &[]);
    let mut score = cluster.begin(&buckets, &[]);
    until("a bucket is summed", || Place::summed(&buckets) > 0);
    score.kill();
    let kept = Place::summed(&buckets);
    let score = cluster.begin(&buckets, &[]);
    until("more are summed", || Place::summed(&buckets) > kept);
    cluster.restart_scheduler(&place);
    let (record, said) = score.finish();
    assert_eq!(record["results"], exact["results"]);
    assert!(said.contains("pairs were summed before"), "{said}");
    assert!(said.contains("retries") || said.contains("is made again"), "{said}");
}

#[test]
fn a_stopped_executor_is_done_without() {
    let place = Place::new();
    let [submission, references] = place.captions(PAIRS);
    let exact = place.exact(&submission, &references, &[]);
    let buckets = place.prepare("buckets", &submission, &references, &["--buckets", "40"]);
    let cluster = Cluster::start(&place, 2, &[]);
    let score = cluster.begin(&buckets, &[]);
    until("a bucket is summed", || Place::summed(&buckets) > 0);
    cluster.signal_executor(0, "STOP");
    std::thread::sleep(Duration::from_secs(8));
    cluster.signal_executor(0, "CONT");
    assert_eq!(score.record()["results"], exact["results"]);
}

#[test]
fn what_would_change_the_bits_is_refused() {
    let place = Place::new();
    let [submission, references] = place.captions(100);
    let buckets = place.prepare("buckets", &submission, &references, &[]);
    let cluster = Cluster::start(&place, 1, &["--max-length", "16"]);
    let said = cluster.begin(&buckets, &[]).fails();
    assert!(said.contains("max_length 16 and not"), "{said}");
    let said = cluster.begin(&place.path("nowhere"), &[]).fails();
    assert!(said.contains("holds no pairs.json"), "{said}");
    fs::remove_file(buckets.join("pairs.json")).unwrap();
    assert!(cluster.begin(&buckets, &[]).fails().contains("holds no pairs.json"));
}
