//! How long the moments, the distances and their statistics take: `cargo bench -p fgd-metrics`.
//!
//! The same jobs in numpy, scipy and torch: `benches/peers/distance_peers.py` and `statistics_peers.py`; the decompositions
//! beside faer: `benches/faer`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fgd_metrics::compare::{Resampling, paired_difference};
use fgd_metrics::frechet::{fgd_set, from_moments};
use fgd_metrics::moments::Moments;
use fgd_metrics::paired::{Pairs, fgd_paired};
use fgd_metrics::samples::Sample;
use fgd_metrics::statistics::set_statistics;
use fgd_metrics::sufficient::Statistics;
use ndarray::{Array2, ArrayView2};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Dimensions of gte-small.
const D: usize = 384;
/// Candidates and references of the competition.
const CANDIDATES: usize = 3_771;
const REFERENCES: usize = 21_367;

/// Unit vectors with a common direction and columns of unequal spread.
fn embeddings(n: usize, d: usize, seed: u64) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = Array2::from_shape_fn((n, d), |(_, j)| {
        (0.3 + rng.random_range(-1.0..1.0_f32)) / (1.0 + j as f32 / 32.0)
    });
    for mut row in rows.outer_iter_mut() {
        let norm = row.dot(&row).sqrt();
        row /= norm;
    }
    rows
}

fn moments(criterion: &mut Criterion) {
    let some = embeddings(4_000, D, 5);
    let single = Array2::from_shape_fn((100_000, D), |(i, j)| some[[i % 4_000, j]]);
    let double = single.mapv(f64::from);
    let mut group = criterion.benchmark_group("moments");
    group.sample_size(10);
    group.throughput(Throughput::Elements(single.nrows() as u64));
    group.bench_function("100,000 × 384 f32", |b| {
        b.iter(|| Moments::from_rows(black_box(single.view())));
    });
    group.bench_function("100,000 × 384 f64", |b| {
        b.iter(|| Moments::from_rows(black_box(double.view())));
    });
    group.finish();
}

fn distance(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("distance of two covariances");
    group.sample_size(20);
    group.throughput(Throughput::Elements(1));
    for d in [D, 1_024] {
        let [a, b] = [1, 2].map(|seed| Moments::from_rows(embeddings(4 * d, d, seed).view()));
        group.bench_function(BenchmarkId::from_parameter(d), |bencher| {
            bencher.iter(|| from_moments(black_box(&a), black_box(&b)));
        });
    }
    group.finish();
}

fn statistics(criterion: &mut Criterion) {
    let candidates = embeddings(CANDIDATES, D, 1);
    let mut group = criterion.benchmark_group("set distance of 3,771 candidates");
    group.sample_size(10);
    for m in [CANDIDATES, REFERENCES] {
        let references = embeddings(m, D, 6);
        let (a, b) = (candidates.view(), references.view());
        let image_of: Vec<usize> = (0..m).map(|j| j % CANDIDATES).collect();
        group.throughput(Throughput::Elements((CANDIDATES + m) as u64));
        group.bench_function(BenchmarkId::new("alone", m), |bencher| {
            bencher.iter(|| fgd_set(black_box(a), black_box(b)));
        });
        for (name, sampling) in [("independent", None), ("paired", Some(image_of.as_slice()))] {
            let id = BenchmarkId::new(format!("with its statistics, {name}"), m);
            group.bench_function(id, |bencher| {
                let sample = Sample::of_embeddings(a, b, sampling);
                bencher.iter(|| set_statistics(black_box(&sample)));
            });
        }
    }
    group.finish();
}

fn bootstrap(criterion: &mut Criterion) {
    let [a, b, references] = [1, 2, 3].map(|seed| embeddings(CANDIDATES, D, seed));
    let image_of: Vec<usize> = (0..CANDIDATES).collect();
    let resampling = Resampling { replicates: 1_000, randomisations: 9_999, seed: 1 };
    let per_image = |candidates: ArrayView2<f32>| {
        let pairs = Pairs { candidates, references: references.view(), image_of: &image_of };
        Statistics::mean(fgd_paired(&pairs).expect("valid pairs").per_image)
    };
    let mut group = criterion.benchmark_group("difference of two systems");
    group.sample_size(10);
    group.throughput(Throughput::Elements(resampling.replicates as u64));
    group.bench_function("1,000 replicates of the paired distance", |bencher| {
        bencher.iter(|| {
            let (a, b) = (black_box(a.view()), black_box(b.view()));
            paired_difference(&per_image(a), &per_image(b), &resampling)
        });
    });
    group.finish();
}

criterion_group!(benches, moments, distance, statistics, bootstrap);
criterion_main!(benches);
