use ndarray::{Array2, array};

use super::*;

#[test]
fn equal_sizes_are_matched_in_order() {
    let (x, y) = ([3.0, -1.0, 0.5], [0.0, 4.0, -2.0]);
    // Sorted: −1, 0.5, 3 against −2, 0, 4.
    let slice = Slice::new(&x, &y);
    assert!((slice.distance - (1.0 + 0.25 + 1.0) / 3.0).abs() < 1e-15);
}

/// Sets of 3 and 2 are the same distributions as sets of 6 with every number written out.
#[test]
fn unequal_sizes_are_matched_by_quantile() {
    let (x, y) = ([3.0, -1.0, 0.5], [1.0, -2.0]);
    let repeat = |values: &[f64], times: usize| {
        values.iter().flat_map(|&v| vec![v; times]).collect::<Vec<_>>()
    };
    let written_out = Slice::new(&repeat(&x, 2), &repeat(&y, 3));
    assert!((Slice::new(&x, &y).distance - written_out.distance).abs() < 1e-15);
}

/// Strong duality: the potentials are feasible and their means add up to the distance.
#[test]
fn potentials_solve_the_dual() {
    for m in [5, 7, 10] {
        let x: Vec<f64> = (0..5).map(|i| f64::from(i * i % 11) * 0.7).collect();
        let y: Vec<f64> = (0..m).map(|i| f64::from(i * 7 % 13) - 2.0).collect();
        let slice = Slice::new(&x, &y);
        let dual =
            slice.of_x.iter().sum::<f64>() / 5.0 + slice.of_y.iter().sum::<f64>() / f64::from(m);
        assert!((dual - slice.distance).abs() < 1e-12, "{dual} {}", slice.distance);
        for (x, of_x) in x.iter().zip(&slice.of_x) {
            for (y, of_y) in y.iter().zip(&slice.of_y) {
                assert!(of_x + of_y <= (x - y).powi(2) + 1e-12);
            }
        }
    }
}

/// A shift by v has distance (θ·v)² in direction θ: |v|²/d on average, and no sampling error at all.
#[test]
fn a_shift_is_seen_from_every_direction() {
    let x = Array2::from_shape_fn((40, 3), |(i, j)| ((i * 7 + j * 5) % 11) as f32);
    let y = &x + &array![3.0f32, 0.0, 0.0];
    let image_of: Vec<usize> = (0..40).collect();
    let pairs =
        crate::paired::Pairs { candidates: x.view(), references: y.view(), image_of: &image_of };
    let samples = TwoSamples::by_image(&pairs).unwrap();
    let found = sliced_wasserstein2(&samples, 2_000, 1).unwrap();
    assert!((found.value - 3.0).abs() < 4.0 * found.se, "{found:?}");
    // (θ·v)² has standard deviation |v|² √(4/45) = 2.68 in three dimensions.
    assert!((found.se - 2.68 / 2_000f64.sqrt()).abs() < 0.1 * found.se, "{found:?}");
}

/// Along one and the same set of directions, the claimed error against the spread over fresh samples.
#[test]
fn standard_error_is_the_spread_over_samples() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut rows = |n: usize, stretch: f32| {
        Array2::from_shape_simple_fn((n, 2), || stretch * rng.random_range(-1.0..1.0f32))
    };
    let found: Vec<Estimate> = (0..250)
        .map(|_| (rows(150, 1.0), rows(210, 2.0)))
        .map(|(x, y)| {
            sliced_wasserstein2(&TwoSamples::independent(x.view(), y.view()).unwrap(), 400, 1)
                .unwrap()
        })
        .collect();
    let n = found.len() as f64;
    let mean = found.iter().map(|f| f.value).sum::<f64>() / n;
    let spread = (found.iter().map(|f| (f.value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let claimed = found.iter().map(|f| f.se).sum::<f64>() / n;
    assert!((claimed / spread - 1.0).abs() < 0.15, "{claimed} {spread}");
}

#[test]
fn threads_do_not_change_a_bit() {
    let x = Array2::from_shape_fn((90, 4), |(i, j)| ((i * 7 + j * 5) % 23) as f32);
    let y = Array2::from_shape_fn((70, 4), |(i, j)| ((i * 3 + j * 8) % 19) as f32);
    let samples = TwoSamples::independent(x.view(), y.view()).unwrap();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| sliced_wasserstein2(&samples, 50, 3).unwrap())
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn one_direction_has_no_spread() {
    let x = Array2::<f32>::eye(3);
    let samples = TwoSamples::independent(x.view(), x.view()).unwrap();
    assert!(matches!(sliced_wasserstein2(&samples, 1, 0), Err(MetricError::InvalidSetting(_))));
}
