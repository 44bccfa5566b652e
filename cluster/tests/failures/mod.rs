//! What may happen to a cluster in the middle of a score: the same bits, or an error that says what to do, and then the same bits.

use std::fs;
use std::time::Duration;

use fgd_metrics::pair_sums::{GROUPS, place as hash};

use crate::processes::{Cluster, PAIRS, Place, until};

#[test]
fn a_killed_executor_costs_seconds_and_no_bits() {
    let place = Place::new();
    let [submission, references] = place.captions(PAIRS);
    let exact = place.exact(&submission, &references, &[]);
    let buckets = place.prepare("buckets", &submission, &references, &["--buckets", "40"]);
    let mut cluster = Cluster::start(&place, 2, &[]);
    let score = cluster.begin(&place, &buckets, &[]);
    until("a bucket is summed", || Place::summed(&buckets) > 0);
    cluster.kill_executor(0);
    assert!(Place::summed(&buckets) < 40, "too fast for this test");
    assert_eq!(score.record()["results"], exact["results"]);

    // All of them, and another in their place.
    Place::forget(&buckets);
    let score = cluster.begin(&place, &buckets, &[]);
    until("a bucket is summed", || Place::summed(&buckets) > 0);
    cluster.kill_executor(1);
    cluster.add_executor(&place, &[]);
    assert_eq!(score.record()["results"], exact["results"]);
}

/// The first executor that has embedded its part of a bucket stops, and is killed when the other one has too: what it had made is
/// gone, and known to the scheduler as made.
#[test]
fn sums_that_are_lost_after_the_last_caption_was_embedded_are_made_again() {
    let place = Place::new();
    // One bucket of two files, a long and a short one.
    let of_one_group =
        (0..).map(|i| format!("image-{i}")).filter(|id| hash(id).is_multiple_of(GROUPS as u64));
    let ids: Vec<String> = of_one_group.take(18_000).collect();
    let [submission, references] = place.captions_of(&ids);
    let exact = place.exact(&submission, &references, &[]);
    let buckets = place.prepare("buckets", &submission, &references, &["--buckets", "20"]);
    let mut cluster = Cluster::start(&place, 2, &["--tasks", "1"]);
    let score = cluster.begin(&place, &buckets, &[]);
    let made = |executor| cluster.left_by(executor).next().is_some();
    until("an executor has sums", || made(0) || made(1));
    let first = usize::from(made(1));
    // It reports them.
    std::thread::sleep(Duration::from_millis(300));
    cluster.signal_executor(first, "STOP");
    until("the other one has sums too", || made(1 - first));
    cluster.kill_executor(first);
    assert_eq!(score.record()["results"], exact["results"]);
}

#[test]
fn a_lost_scheduler_and_a_killed_score_go_on_where_they_were() {
    let place = Place::new();
    let [submission, references] = place.captions(PAIRS);
    let exact = place.exact(&submission, &references, &[]);
    let buckets = place.prepare("buckets", &submission, &references, &["--buckets", "40"]);
    let mut cluster = Cluster::start(&place, 2, &[]);
    let mut score = cluster.begin(&place, &buckets, &[]);
    until("a bucket is summed", || Place::summed(&buckets) > 0);
    score.kill();
    let kept = Place::summed(&buckets);
    let score = cluster.begin(&place, &buckets, &[]);
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
    let score = cluster.begin(&place, &buckets, &[]);
    until("a bucket is summed", || Place::summed(&buckets) > 0);
    cluster.signal_executor(0, "STOP");
    std::thread::sleep(Duration::from_secs(8));
    cluster.signal_executor(0, "CONT");
    assert_eq!(score.record()["results"], exact["results"]);
}

/// Needs a file system of its own for the folder of the executor, in a name space of mounts.
#[test]
fn a_full_disk_ends_the_score_by_name_and_another_executor_ends_the_work() {
    let place = Place::new();
    let small = place.path("small");
    fs::create_dir(&small).unwrap();
    // Sums of a bucket take 53 KB.
    let mounted = ["unshare", "--map-root-user", "--mount", "sh", "-c"];
    let mount =
        format!("mount -t tmpfs -o size=400k none '{}' && exec \"$0\" \"$@\"", small.display());
    if !place.can(&mounted, "true") {
        eprintln!("SKIPPED: this user may not mount a small file system in a name space");
        return;
    }
    let [submission, references] = place.captions(3_000);
    let exact = place.exact(&submission, &references, &[]);
    let buckets = place.prepare("buckets", &submission, &references, &["--buckets", "40"]);
    let mut cluster = Cluster::start(&place, 0, &[]);
    let mut within = mounted.to_vec();
    within.push(&mount);
    cluster.add_executor_within(&place, &within, &small);
    let said = cluster.begin(&place, &buckets, &["--attempts", "2"]).fails();
    assert!(said.contains("No space left") && said.contains("what was summed is kept"), "{said}");
    let kept = Place::summed(&buckets);
    assert!(kept > 0 && kept < 40, "{kept} buckets");

    cluster.kill_executor(0);
    cluster.add_executor(&place, &[]);
    let (record, said) = cluster.begin(&place, &buckets, &[]).finish();
    assert_eq!(record["results"], exact["results"]);
    assert!(said.contains("pairs were summed before"), "{said}");
}

#[test]
fn what_would_change_the_bits_is_refused() {
    let place = Place::new();
    let [submission, references] = place.captions(100);
    let buckets = place.prepare("buckets", &submission, &references, &[]);
    let cluster = Cluster::start(&place, 1, &["--max-length", "16"]);
    let said = cluster.begin(&place, &buckets, &[]).fails();
    assert!(said.contains("max_length 16 and not"), "{said}");
    let said = cluster.begin(&place, &place.path("nowhere"), &[]).fails();
    assert!(said.contains("holds no pairs.json"), "{said}");
    fs::remove_file(buckets.join("pairs.json")).unwrap();
    assert!(cluster.begin(&place, &buckets, &[]).fails().contains("holds no pairs.json"));
}
