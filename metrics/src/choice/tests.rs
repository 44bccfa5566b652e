use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::estimate::Estimate;

/// Unit vectors: each image has a point of its own, each row lies around it with its own spread.
fn around(points: &Array2<f64>, spreads: &[f64], seed: u64) -> Array2<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (images, dim) = points.dim();
    let mut rows = Array2::zeros((images * spreads.len(), dim));
    for image in 0..images {
        for (nth, spread) in spreads.iter().enumerate() {
            // The sum of uniform numbers is near enough to a normal one.
            let mut noise = || (0..6).map(|_| random.random::<f64>() - 0.5).sum::<f64>();
            let row: Vec<f64> = (0..dim).map(|j| points[[image, j]] + spread * noise()).collect();
            let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            for (j, value) in row.iter().enumerate() {
                rows[[image * spreads.len() + nth, j]] = (value / length) as f32;
            }
        }
    }
    rows
}

fn points(images: usize, dim: usize, seed: u64) -> Array2<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((images, dim), || random.random::<f64>() - 0.5)
}

/// By definition: the mean over all pairs, no algebra.
fn brute_force(rows: &Array2<f32>, own: std::ops::Range<usize>) -> usize {
    let distance = |a: usize, b: usize| -> f64 {
        rows.row(a)
            .iter()
            .zip(rows.row(b))
            .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
            .sum()
    };
    let mut best = (f64::INFINITY, own.start);
    for i in own.clone() {
        let risk = own.clone().map(|j| distance(i, j)).sum::<f64>() / own.len() as f64;
        if risk < best.0 - 1e-12 {
            best = (risk, i);
        }
    }
    best.1
}

#[test]
fn nearest_the_mean_is_least_risk_over_all_pairs() {
    let rows = around(&points(300, 24, 1), &[0.4; 16], 2);
    let grouped = Grouped::new(rows.view(), &[16; 300]).unwrap();
    let found = nearest_mean(&grouped, &vec![1.0; rows.nrows()]);
    for (image, found) in found.into_iter().enumerate() {
        assert_eq!(found, Some(brute_force(&rows, grouped.of(image))), "image {image}");
    }
}

#[test]
fn of_equally_near_captions_the_first_is_kept() {
    // Two captions are always equally far from their midpoint, and equal captions from anything.
    let mut rows = around(&points(200, 24, 3), &[0.4; 4], 4);
    for image in 0..100 {
        let copy = rows.row(4 * image + 1).to_owned();
        rows.row_mut(4 * image + 3).assign(&copy);
    }
    let halves = Grouped::new(rows.view(), &[2; 400]).unwrap();
    let chosen = nearest_mean(&halves, &[1.0; 800]);
    assert!(chosen.iter().enumerate().all(|(image, row)| *row == Some(2 * image)));
    let fours = Grouped::new(rows.view(), &[4; 200]).unwrap();
    let chosen = nearest_mean(&fours, &[1.0; 800]);
    assert!(chosen[..100].iter().all(|row| row.unwrap() % 4 != 3));
    let none = Grouped::new(rows.view(), &[0, 800]).unwrap();
    assert_eq!(nearest_mean(&none, &[1.0; 800])[0], None);
}

#[test]
fn what_does_not_add_up_is_refused() {
    let mut rows = Array2::zeros((3, 2));
    assert!(Grouped::new(rows.view(), &[1, 1]).is_err());
    rows[[1, 1]] = f32::NAN;
    assert!(Grouped::new(rows.view(), &[3]).is_err());
}

#[test]
fn agreement_is_the_mean_cosine_of_pairs() {
    let rows = ndarray::array![[1.0, 0.0], [0.0, 2.0], [0.6, 0.8], [1.0, 0.0]];
    let grouped = Grouped::new(rows.view(), &[3, 1]).unwrap();
    let found = agreement(&grouped);
    assert!((found[0].unwrap() - (0.0 + 0.6 + 0.8) / 3.0).abs() < 1e-6);
    assert_eq!(found[1], None);
}

#[test]
fn a_medoid_is_what_the_others_agree_on() {
    let texts = ["a red bus", "a red bus on a street", "two dogs", "a dog", "the only one"];
    let texts = texts.map(str::to_owned);
    let rows = Array2::from_shape_fn((5, 3), |(i, j)| ((i * 3 + j) as f32).sin());
    let grouped = Grouped::new(rows.view(), &[3, 1, 1]).unwrap();
    let chosen = medoid(&grouped, &texts, "rouge_l", |_| false).unwrap();
    assert!(chosen[0] != Some(2) && chosen[1..] == [Some(3), Some(4)], "{chosen:?}");
    for name in medoid_metrics() {
        assert!(medoid(&grouped, &texts, name, |_| false).is_ok(), "{name}");
    }
    let refused = medoid(&grouped, &texts, "fgd_set", |_| false).unwrap_err().to_string();
    assert!(refused.contains("fgd_paired"), "{refused}");
}

/// Mean distance of the chosen rows to the references.
fn worth(rows: &[Option<usize>], distances: &[f64]) -> f64 {
    rows.iter().map(|row| distances[row.unwrap()]).sum::<f64>() / rows.len() as f64
}

#[test]
fn learned_weights_use_equal_systems_and_distrust_bad_ones() {
    const IMAGES: usize = 800;
    let points = points(IMAGES, 24, 5);
    let references = around(&points, &[0.2], 6);
    let references = Grouped::new(references.view(), &[1; IMAGES]).unwrap();
    for (spreads, gains) in [([0.3, 0.3, 0.3, 0.3], true), ([0.2, 1.5, 1.5, 1.5], false)] {
        let rows = around(&points, &spreads, 7);
        let grouped = Grouped::new(rows.view(), &[4; IMAGES]).unwrap();
        let system_of: Vec<usize> = (0..rows.nrows()).map(|row| row % 4).collect();
        let learned = weights::learn(&grouped, &system_of, 4, &references);
        assert!((learned.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let distances = distances(&grouped, &references);
        let single = |system: usize| {
            worth(&(0..IMAGES).map(|i| Some(4 * i + system)).collect::<Vec<_>>(), &distances)
        };
        let best = (0..4).map(single).fold(f64::INFINITY, f64::min);
        let found = worth(&learned.rows, &distances);
        assert!(found <= best + 1e-3, "{spreads:?}: {found} against {best}");
        assert_eq!(found < 0.97 * best, gains, "{spreads:?}: {found} against {best}, {learned:?}");
        let plain = worth(&nearest_mean(&grouped, &vec![1.0; rows.nrows()]), &distances);
        assert_eq!(plain < best, gains, "the plain mean is drawn to bad systems");
    }
}

#[test]
fn images_without_references_are_chosen_for_and_not_learned_from() {
    let points = points(60, 8, 8);
    let rows = around(&points, &[0.1, 0.9], 9);
    let grouped = Grouped::new(rows.view(), &[2; 60]).unwrap();
    let all = around(&points, &[0.1], 10);
    let some: Array2<f32> = all.select(ndarray::Axis(0), &(0..40).collect::<Vec<_>>());
    let counts: Vec<usize> = (0..60).map(|image| usize::from(image < 40)).collect();
    let references = Grouped::new(some.view(), &counts).unwrap();
    let system_of: Vec<usize> = (0..120).map(|row| row % 2).collect();
    let learned = weights::learn(&grouped, &system_of, 2, &references);
    assert_eq!(learned.weights, [1.0, 0.0]);
    assert!(learned.rows.iter().enumerate().all(|(image, row)| *row == Some(2 * image)));
}

/// Two systems that are nearly one: which of them is the better is chance, and folds must not take turns in being wrong. What the
/// weights lose against the better one stays within its error.
#[test]
fn of_two_nearly_equal_systems_nothing_is_lost_beyond_chance() {
    const IMAGES: usize = 600;
    let points = points(IMAGES, 16, 11);
    let references = around(&points, &[0.3], 12);
    let references = Grouped::new(references.view(), &[1; IMAGES]).unwrap();
    for seed in 0..10 {
        let mut rows = around(&points, &[0.3, 0.3, 2.0], 20 + seed);
        for image in (0..IMAGES).filter(|image| image % 8 != 0) {
            let same = rows.row(3 * image).to_owned();
            rows.row_mut(3 * image + 1).assign(&same);
        }
        let grouped = Grouped::new(rows.view(), &[3; IMAGES]).unwrap();
        let system_of: Vec<usize> = (0..rows.nrows()).map(|row| row % 3).collect();
        let learned = weights::learn(&grouped, &system_of, 3, &references);
        let distances = distances(&grouped, &references);
        let alone = |system| {
            worth(&(0..IMAGES).map(|i| Some(3 * i + system)).collect::<Vec<_>>(), &distances)
        };
        let best = if alone(0) <= alone(1) { 0 } else { 1 };
        let losses = (0..IMAGES)
            .map(|image| distances[learned.rows[image].unwrap()] - distances[3 * image + best]);
        let loss = Estimate::of_mean(&losses.collect::<Vec<_>>()).unwrap();
        assert!(loss.ci95[0] <= 0.0, "seed {seed}: {loss:?}");
    }
}
