use ndarray::{Array2, array};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::paired::Pairs;

const KERNELS: [Kernel; 3] =
    [Kernel::Rbf { bandwidth: 1.0 }, Kernel::Cubic { gamma: 1.0 }, Kernel::Distance];

fn rows(rng: &mut ChaCha8Rng, n: usize, centre: f32) -> Array2<f32> {
    Array2::from_shape_simple_fn((n, 3), || rng.random_range(-1.0..1.0f32) + centre)
}

/// Mean claimed standard error over the spread of the values, for each kernel.
fn calibration(mut draw: impl FnMut(&mut ChaCha8Rng) -> Vec<Estimate>) -> Vec<f64> {
    const DRAWS: usize = 250;
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let draws: Vec<Vec<Estimate>> = (0..DRAWS).map(|_| draw(&mut rng)).collect();
    (0..KERNELS.len())
        .map(|k| {
            let mean = draws.iter().map(|d| d[k].value).sum::<f64>() / DRAWS as f64;
            let squares: f64 = draws.iter().map(|d| (d[k].value - mean).powi(2)).sum();
            let claimed = draws.iter().map(|d| d[k].se).sum::<f64>() / DRAWS as f64;
            claimed / (squares / (DRAWS - 1) as f64).sqrt()
        })
        .collect()
}

#[test]
fn standard_error_is_the_spread_over_samples() {
    // Equal sets too, where all of the variance is that of pairs.
    for apart in [0.6, 0.0] {
        let ratios = calibration(|rng| {
            let (x, y) = (rows(rng, 80, apart), rows(rng, 120, 0.0));
            mmd2_all(&TwoSamples::independent(x.view(), y.view()).unwrap(), &KERNELS).unwrap()
        });
        assert!(ratios.iter().all(|r| (r - 1.0).abs() < 0.15), "{apart}: {ratios:?}");
    }
}

/// Candidates that follow their references vary less apart than independent ones.
#[test]
fn standard_error_of_paired_rows_is_that_of_images() {
    let (mut paired, mut as_if_independent) = (0.0, 0.0);
    let ratios = calibration(|rng| {
        let y = rows(rng, 160, 0.0);
        let image_of: Vec<usize> = (0..160).map(|j| j % 80).collect();
        let x = Array2::from_shape_fn((80, 3), |(i, c)| {
            0.8 * y[[i, c]] + rng.random_range(0.2..0.8f32)
        });
        let pairs = Pairs { candidates: x.view(), references: y.view(), image_of: &image_of };
        let independent = TwoSamples::independent(x.view(), y.view()).unwrap();
        as_if_independent += mmd2(&independent, Kernel::Distance).unwrap().se;
        let found = mmd2_all(&TwoSamples::by_image(&pairs).unwrap(), &KERNELS).unwrap();
        paired += found[2].se;
        found
    });
    assert!(ratios.iter().all(|r| (r - 1.0).abs() < 0.15), "{ratios:?}");
    assert!(paired < 0.8 * as_if_independent, "{paired} {as_if_independent}");
}

/// By symmetry two images have one projection: their spread of nothing is no certainty.
#[test]
fn two_images_tell_no_spread() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (x, y) = (rows(&mut rng, 3, 0.3), rows(&mut rng, 3, 0.0));
    let of = |n: usize| {
        let [x, y] = [&x, &y].map(|rows| rows.slice(ndarray::s![..n, ..]));
        let image_of: Vec<usize> = (0..n).collect();
        Mmd.evaluate(&Sample::of_embeddings(x, y, Some(&image_of))).unwrap().values
    };
    let few = crate::estimate::Unavailable::TooFew { n: 2, needed: 3 };
    assert!(of(2).iter().all(|value| value.estimate.is_none()));
    assert!(of(2).iter().all(|value| value.reason.as_ref() == Some(&few)));
    // Two degrees of freedom.
    let found = of(3)[2].estimate.unwrap();
    assert!(((found.ci95[1] - found.value) / found.se - 4.302_652_7).abs() < 1e-6);
}

#[test]
fn median_distance_is_between_the_middle_pairs() {
    // Distances 1, 2, 3, 4, 6, 7 on a line: the median is 3.5.
    let set = array![[0.0f32], [1.0], [3.0], [7.0]];
    assert_eq!(median_distance(set.view(), 0), 3.5);
}

#[test]
fn threads_do_not_change_a_bit() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (x, y) = (rows(&mut rng, 300, 0.3), rows(&mut rng, 500, 0.0));
    let samples = TwoSamples::independent(x.view(), y.view()).unwrap();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| mmd2_all(&samples, &KERNELS).unwrap())
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn what_has_no_value_is_refused() {
    let x = array![[0.0f32, 1.0], [1.0, 0.0]];
    let samples = TwoSamples::independent(x.view(), x.view()).unwrap();
    for bandwidth in [0.0, -1.0, f64::NAN] {
        let found = mmd2(&samples, Kernel::Rbf { bandwidth });
        assert!(matches!(found, Err(MetricError::InvalidSetting(_))));
    }
    let other = array![[0.0f32, 1.0, 2.0], [1.0, 0.0, 2.0]];
    assert!(matches!(
        TwoSamples::independent(x.view(), other.view()),
        Err(MetricError::DimensionMismatch { left: 2, right: 3 })
    ));
    let broken = array![[0.0f32, f32::NAN], [1.0, 0.0]];
    assert_eq!(
        TwoSamples::independent(x.view(), broken.view()).unwrap_err(),
        MetricError::NotFinite { what: "references" }
    );
}

/// Of nine references eight are alike: the median distance is 0, and only the kernel that takes its width from it has no value.
#[test]
fn references_that_are_alike_leave_the_other_kernels_their_values() {
    let x = rows(&mut ChaCha8Rng::seed_from_u64(3), 9, 0.0);
    let mut y = Array2::zeros((9, 3));
    y.row_mut(0).fill(1.0);
    let images: Vec<usize> = (0..9).collect();
    let sample = Sample::of_embeddings(x.view(), y.view(), Some(&images));
    let found = Mmd.evaluate(&sample).unwrap();
    let [rbf, cubic, energy] = &found.values[..] else { panic!("{found:?}") };
    assert_eq!((rbf.value, rbf.reason.clone()), (None, Some(Unavailable::NoBandwidth)));
    for other in [cubic, energy] {
        assert!(other.value.is_some() && other.estimate.is_some(), "{other:?}");
    }
}
