//! How long the moments, the distance and its statistics take: `cargo run --release -p fgd-metrics --example speed`.
//!
//! Prints the smallest wall and processor time of several rounds. On a busy machine read the processor time with
//! `RAYON_NUM_THREADS=1`; beside numpy, run `fixtures/metrics/speed_numpy.py` in turns with this.

use std::hint::black_box;
use std::time::{Duration, Instant};

use fgd_metrics::frechet::{fgd_set, from_moments};
use fgd_metrics::moments::Moments;
use fgd_metrics::statistics::set_statistics;
use fgd_metrics::transport::Sampling;
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const D: usize = 384;

fn main() {
    let some = embeddings(4_000, 5);
    let many = Array2::from_shape_fn((100_000, D), |(i, j)| some[[i % 4_000, j]]);
    report("moments of 100,000", 5, || Moments::from_rows(many.view()));
    drop(many);
    let (x, y) = (embeddings(3_771, 1), embeddings(3_771, 2));
    let (mx, my) = (Moments::from_rows(x.view()), Moments::from_rows(y.view()));
    report("distance of two moments", 9, || from_moments(&mx, &my));
    report("distance of two sets of 3,771", 5, || {
        fgd_set(x.view(), y.view())
    });
    let few = (embeddings(200, 3), embeddings(200, 4));
    let references = embeddings(21_367, 6);
    report("distance of 3,771 × 21,367", 5, || {
        fgd_set(x.view(), references.view())
    });
    report("the same with its statistics", 5, || {
        set_statistics(x.view(), references.view(), Sampling::Independent)
    });
    let image_of: Vec<usize> = (0..references.nrows()).map(|j| j % x.nrows()).collect();
    report("the same, paired", 5, || {
        let sampling = Sampling::Paired {
            image_of: &image_of,
        };
        set_statistics(x.view(), references.view(), sampling)
    });
    report("distance of two sets of 200", 9, || {
        fgd_set(few.0.view(), few.1.view())
    });
}

/// Unit vectors with a common direction and columns of unequal spread.
fn embeddings(n: usize, seed: u64) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = Array2::from_shape_fn((n, D), |(_, j)| {
        (0.3 + rng.random_range(-1.0..1.0_f32)) / (1.0 + j as f32 / 32.0)
    });
    for mut row in rows.outer_iter_mut() {
        let norm = row.dot(&row).sqrt();
        row /= norm;
    }
    rows
}

fn report<T>(what: &str, rounds: usize, mut job: impl FnMut() -> T) {
    let mut best = (Duration::MAX, None);
    for _ in 0..rounds {
        let (wall, busy) = (Instant::now(), processor_time());
        black_box(job());
        best.0 = best.0.min(wall.elapsed());
        let used = busy
            .zip(processor_time())
            .map(|(before, after)| after - before);
        best.1 = [best.1, used].into_iter().flatten().min();
    }
    let busy = best
        .1
        .map_or_else(String::new, |time| format!(", processor {time:.1?}"));
    println!("{what}: wall {:.1?}{busy}", best.0);
}

/// Time all threads of this process spent running, where Linux tells.
fn processor_time() -> Option<Duration> {
    let mut total = 0;
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let schedule = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        total += schedule.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(total))
}
