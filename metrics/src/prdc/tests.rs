use ndarray::{Array2, ArrayView1};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::paired::Pairs;

fn rows(n: usize, seed: u64, centre: f32) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((n, 3), || rng.random_range(-1.0..1.0) + centre)
}

fn distance(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
}

/// The definition on the rows that are kept, one pair at a time.
fn naive(
    x: &Array2<f32>,
    y: &Array2<f32>,
    keep_x: &[usize],
    keep_y: &[usize],
    k: usize,
) -> [f64; 4] {
    let radius = |set: &Array2<f32>, keep: &[usize], row: usize| {
        let mut others: Vec<f64> = keep
            .iter()
            .filter(|&&j| j != row)
            .map(|&j| distance(set.row(row), set.row(j)))
            .collect();
        others.sort_by(f64::total_cmp);
        others[k - 1]
    };
    let (n, m) = (keep_x.len() as f64, keep_y.len() as f64);
    let balls = |i: usize| {
        keep_y.iter().filter(|&&j| distance(x.row(i), y.row(j)) < radius(y, keep_y, j)).count()
    };
    let recalled =
        |j: usize| keep_x.iter().any(|&i| distance(x.row(i), y.row(j)) < radius(x, keep_x, i));
    let covered =
        |j: usize| keep_x.iter().any(|&i| distance(x.row(i), y.row(j)) < radius(y, keep_y, j));
    [
        keep_x.iter().filter(|&&i| balls(i) > 0).count() as f64 / n,
        keep_y.iter().filter(|&&j| recalled(j)).count() as f64 / m,
        keep_x.iter().map(|&i| balls(i)).sum::<usize>() as f64 / (k as f64 * n),
        keep_y.iter().filter(|&&j| covered(j)).count() as f64 / m,
    ]
}

/// Leaving a group out in the two passes is leaving its rows out.
#[test]
fn jackknife_is_that_of_the_definition() {
    let (x, y) = (rows(50, 1, 0.3), rows(100, 2, 0.0));
    let image_of: Vec<usize> = (0..100).map(|j| j % 50).collect();
    let pairs = Pairs { candidates: x.view(), references: y.view(), image_of: &image_of };
    let found = prdc(&TwoSamples::by_image(&pairs).unwrap(), 3).unwrap();
    let groups = group_of_label(50);
    let expected = |metric: usize| {
        jackknife(GROUPS, |left_out| {
            let keep_x: Vec<usize> = (0..50).filter(|&i| Some(groups[i]) != left_out).collect();
            let keep_y: Vec<usize> =
                (0..100).filter(|&j| Some(groups[image_of[j]]) != left_out).collect();
            naive(&x, &y, &keep_x, &keep_y, 3)[metric]
        })
    };
    for (metric, found) in
        [found.precision, found.recall, found.density, found.coverage].into_iter().enumerate()
    {
        let expected = expected(metric);
        assert!((found.value - expected.value).abs() < 1e-12, "{metric}: {found:?} {expected:?}");
        assert!((found.se - expected.se).abs() < 1e-12, "{metric}: {found:?} {expected:?}");
        assert!(found.se > 0.0);
    }
}

/// Of three clusters there are three groups, and of two degrees of freedom ± 4.3 standard errors; of one there is nothing.
#[test]
fn fewer_clusters_than_groups_are_as_many_groups() {
    let (x, y) = (rows(60, 1, 0.3), rows(60, 2, 0.0));
    let of = |clusters: usize| {
        let labels: Vec<usize> = (0..60).map(|row| row % clusters).collect();
        let units = crate::units::Units::of_labels(&labels, &labels);
        let sample =
            Sample { units: Some(&units), ..Sample::of_embeddings(x.view(), y.view(), None) };
        prdc(&sample.two_samples().unwrap(), 3)
    };
    let Estimate { value, se, ci95 } = of(3).unwrap().density;
    assert!(((ci95[1] - value) / se - 4.302_652_7).abs() < 1e-6);
    assert!(matches!(of(1), Err(MetricError::TooFew { n: 1, needed: 2, .. })));
}

#[test]
fn a_set_covers_itself() {
    let x = rows(60, 3, 0.0);
    let samples = TwoSamples::independent(x.view(), x.view()).unwrap();
    let found = prdc(&samples, 5).unwrap();
    assert_eq!([found.precision.value, found.recall.value, found.coverage.value], [1.0; 3]);
}

#[test]
fn constant_captions_recall_nothing() {
    let (x, y) = (Array2::<f32>::zeros((60, 3)), rows(60, 3, 0.0));
    let samples = TwoSamples::independent(x.view(), y.view()).unwrap();
    assert_eq!(prdc(&samples, 5).unwrap().recall.value, 0.0);
}

#[test]
fn threads_do_not_change_a_bit() {
    let (x, y) = (rows(300, 1, 0.3), rows(200, 2, 0.0));
    let samples = TwoSamples::independent(x.view(), y.view()).unwrap();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| prdc(&samples, 5).unwrap())
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn too_few_rows_are_refused() {
    let (x, y) = (rows(30, 1, 0.3), rows(9, 2, 0.0));
    let samples = TwoSamples::independent(x.view(), y.view()).unwrap();
    assert!(matches!(prdc(&samples, 4), Err(MetricError::TooFew { what: "references", .. })));
    assert!(matches!(prdc(&samples, 0), Err(MetricError::InvalidSetting(_))));
}
