//! Influence and bias against their definitions: derivatives of the distance, and the mean over many samples.

use fgd_metrics::MetricError;
use fgd_metrics::decomposition::decompose;
use fgd_metrics::estimate::Unavailable;
use fgd_metrics::frechet::from_moments;
use fgd_metrics::infinity::fgd_infinity;
use fgd_metrics::influence::set_influence;
use fgd_metrics::linalg::Nalgebra;
use fgd_metrics::moments::Moments;
use fgd_metrics::paired::{Pairs, fgd_paired};
use fgd_metrics::samples::Sample;
use fgd_metrics::statistics::{SetStatistics, set_statistics};
use fgd_metrics::transport::Transport;
use fgd_metrics::units::Units;
use ndarray::{Array2, ArrayView2, Axis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Nearly Gaussian rows of correlated columns with unequal spread about a common mean.
fn sample(rng: &mut ChaCha8Rng, n: usize, d: usize, tilt: f32) -> Array2<f32> {
    let normal = |rng: &mut ChaCha8Rng| (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
    let mut rows = Array2::from_shape_fn((n, d), |(_, j)| normal(rng) / (1.0 + j as f32));
    for mut row in rows.outer_iter_mut() {
        for j in 1..d {
            row[j] += tilt * row[j - 1];
        }
        row += 0.1 * tilt;
    }
    rows
}

/// Moments of rows with weights (1 + ε) on one of them, as a distribution (ddof 0).
fn reweighted(rows: ArrayView2<f32>, heavier: usize, by: f64) -> Moments {
    let n = rows.nrows() as f64;
    let weight = |i: usize| (if i == heavier { 1.0 - by + by * n } else { 1.0 - by }) / n;
    let rows = rows.mapv(f64::from);
    let weights: ndarray::Array1<f64> = (0..rows.nrows()).map(weight).collect();
    let mean = weights.dot(&rows);
    let centred = &rows - &mean;
    let covariance = (&centred * &weights.view().insert_axis(Axis(1))).t().dot(&centred);
    Moments::from_mean_covariance(rows.nrows() as u64, mean, covariance, 1).expect("a covariance")
}

fn statistics(x: &Array2<f32>, y: &Array2<f32>, image_of: Option<&[usize]>) -> SetStatistics {
    set_statistics(&Sample::of_embeddings(x.view(), y.view(), image_of)).expect("valid sets")
}

#[test]
fn influence_is_the_derivative_of_the_distance() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (x, y) = (sample(&mut rng, 40, 4, 0.1), sample(&mut rng, 50, 4, 0.5));
    let unmoved = |rows: ArrayView2<f32>| reweighted(rows, 0, 0.0);
    let (mx, my) = (unmoved(x.view()), unmoved(y.view()));
    let transport = Transport::between_moments(&mx, &my, &Nalgebra).expect("moments");
    let influence = set_influence(&transport, x.view(), y.view());
    let step = 1e-5;
    let slope = |f: &dyn Fn(f64) -> f64| (f(step) - f(-step)) / (2.0 * step);
    let distance = |a: &Moments, b: &Moments| from_moments(a, b).expect("moments").value;
    for i in [0, 7, 39] {
        let first = slope(&|by| distance(&reweighted(x.view(), i, by), &my));
        assert!((first - influence.candidates[i]).abs() < 1e-6, "{first}");
        let second = slope(&|by| distance(&mx, &reweighted(y.view(), i, by)));
        assert!((second - influence.references[i]).abs() < 1e-6, "{second}");
    }
    assert!(influence.candidates.iter().sum::<f64>().abs() < 1e-12);
}

/// Mean and spread of the distance over samples against what one large sample's formulas predict.
#[test]
fn bias_and_error_predict_what_many_samples_do() {
    let (n, d, draws) = (60, 4, 1_500);
    for paired in [false, true] {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut draw = |n: usize| {
            let x = sample(&mut rng, n, d, 0.1);
            let noise = sample(&mut rng, n, d, 0.5);
            let shared = if paired { 0.8 } else { 0.0 };
            (x.clone(), x * shared + noise * (1.0_f32 - shared * 0.5))
        };
        let (x, y) = draw(200_000);
        let truth = Transport::between(x.view(), y.view()).expect("sets").distance().value;
        let image_of: Vec<usize> = (0..n).collect();
        let sampling = paired.then_some(image_of.as_slice());
        let (mut values, mut corrected, mut variance) = (vec![], vec![], 0.0);
        for _ in 0..draws {
            let (x, y) = draw(n);
            let s = statistics(&x, &y, sampling);
            values.push(s.distance.value);
            let found = s.inference.expect("more rows than dimensions").corrected;
            corrected.push(found.value);
            variance += found.se.powi(2) / draws as f64;
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (bias, left) = (mean(&values) - truth, mean(&corrected) - truth);
        assert!(left.abs() < 0.15 * bias, "paired {paired}: {left} of {bias}");
        let centre = mean(&corrected);
        let spread =
            corrected.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / (draws - 1) as f64;
        let ratio = (variance / spread).sqrt();
        assert!((0.9..1.4).contains(&ratio), "paired {paired}: error {ratio} of the spread");
    }
}

#[test]
fn fewer_rows_than_dimensions_have_a_reason_in_place_of_an_interval() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let (x, y) = (sample(&mut rng, 6, 9, 0.1), sample(&mut rng, 12, 9, 0.4));
    let s = statistics(&x, &y, None);
    assert_eq!(s.inference, Err(Unavailable::RankDeficient { n: 6, d: 9 }));
    assert!(s.distance.value > 0.0 && s.influence.candidates.iter().all(|v| v.is_finite()));
}

#[test]
fn rows_of_zeros_are_refused_in_both_modes() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let (x, mut y) = (sample(&mut rng, 40, 3, 0.1), sample(&mut rng, 40, 3, 0.4));
    y.row_mut(7).fill(0.0);
    let image_of: Vec<usize> = (0..40).collect();
    for image_of in [None, Some(image_of.as_slice())] {
        let found = set_statistics(&Sample::of_embeddings(x.view(), y.view(), image_of));
        assert_eq!(found, Err(MetricError::ZeroVector { what: "references", row: 7 }));
    }
}

#[test]
fn a_population_is_no_smaller_than_its_sample() {
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let (x, y) = (sample(&mut rng, 40, 3, 0.1), sample(&mut rng, 30, 3, 0.4));
    let of = |population: f64| {
        let sets = Sample::of_embeddings(x.view(), y.view(), None);
        set_statistics(&Sample { population: Some(population), ..sets })
    };
    let message = |found: Result<SetStatistics, MetricError>| found.unwrap_err().to_string();
    assert!(message(of(39.0)).contains("already has 40"));
    assert!(message(of(100.0)).contains("the same share"));
}

#[test]
fn extrapolation_undoes_the_bias_and_repeats_itself() {
    let d = 24;
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let (x, y) = (sample(&mut rng, 300, d, 0.1), sample(&mut rng, 300, d, 0.3));
    let (big_x, big_y) = (sample(&mut rng, 60_000, d, 0.1), sample(&mut rng, 60_000, d, 0.3));
    let truth = Transport::between(big_x.view(), big_y.view()).expect("sets").distance().value;
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| fgd_infinity(x.view(), y.view(), &Units::independent(300, 300), 7, 12))
            .expect("sets")
    };
    let infinity = run(1);
    assert_eq!(infinity, run(3));
    assert_eq!(infinity.points.len(), 12);
    assert_eq!((infinity.points[0].n, infinity.points[11].n), (300, 75));
    let raw = infinity.points[0].value;
    assert!(infinity.slope > 0.0 && infinity.r2 > 0.5, "{infinity:?}");
    assert!((infinity.intercept - truth).abs() < 0.5 * (raw - truth), "{infinity:?} {truth}");
}

#[test]
fn paired_error_is_the_error_of_a_mean() {
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    let (x, y) = (sample(&mut rng, 500, 3, 0.2), sample(&mut rng, 500, 3, 0.2));
    let image_of: Vec<usize> = (0..500).collect();
    let paired =
        fgd_paired(&Pairs { candidates: x.view(), references: y.view(), image_of: &image_of })
            .expect("valid pairs");
    let spread = paired.per_image.iter().map(|v| (v - paired.value).powi(2)).sum::<f64>();
    let estimate = paired.estimate().expect("500 images");
    assert!((estimate.se - (spread / 499.0 / 500.0).sqrt()).abs() < 1e-12);
    // scipy.stats.t.ppf(.975, 499)
    let half = estimate.ci95[1] - paired.value;
    assert!((half / estimate.se - 1.964_729_391).abs() < 1e-8);
}

#[test]
fn the_decomposition_is_that_of_the_pairs() {
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let x = sample(&mut rng, 60, 5, 0.2);
    let one: Vec<usize> = (0..60).collect();
    let two: Vec<usize> = (0..120).map(|row| row / 2).collect();
    let uneven: Vec<usize> = (0..60).chain([3; 60]).collect();
    for image_of in [&one, &two, &uneven] {
        let y = sample(&mut rng, image_of.len(), 5, 0.6);
        let found = statistics(&x, &y, Some(image_of)).decomposition.expect("paired");
        let pairs = Pairs { candidates: x.view(), references: y.view(), image_of };
        let parts = decompose(&pairs).expect("valid pairs");
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(
            close(found.mean_shift, parts.mean_shift) && close(found.covariance, parts.covariance)
        );
        assert!(close(found.misalignment, parts.misalignment), "{found:?} {parts:?}");
        let sum = found.mean_shift + found.covariance + found.misalignment;
        assert!(close(sum, fgd_paired(&pairs).expect("valid pairs").value));
    }
}
