use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

#[test]
fn orthogonal_captions_count_one_each() {
    let score = vendi_score((2.0 * Array2::<f32>::eye(5)).view()).unwrap();
    assert!((score.value - 5.0).abs() < 1e-12);
}

#[test]
fn one_caption_repeated_is_one() {
    let rows = Array2::from_shape_fn((30, 4), |(_, j)| j as f32 + 1.0);
    let score = vendi_score(rows.view()).unwrap();
    assert!((score.value - 1.0).abs() < 1e-9 && score.se < 1e-6, "{score:?}");
}

/// The delta-method error against the spread of the score over fresh samples.
#[test]
fn standard_error_is_the_spread_over_samples() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let scores: Vec<Estimate> = (0..300)
        .map(|_| {
            Array2::from_shape_fn((400, 5), |(_, j)| {
                rng.random_range(-1.0..1.5f32) / (j + 1) as f32
            })
        })
        .map(|rows| vendi_score(rows.view()).unwrap())
        .collect();
    let n = scores.len() as f64;
    let mean = scores.iter().map(|s| s.value).sum::<f64>() / n;
    let spread = (scores.iter().map(|s| (s.value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let claimed = scores.iter().map(|s| s.se).sum::<f64>() / n;
    assert!((claimed / spread - 1.0).abs() < 0.15, "{claimed} {spread}");
}

#[test]
fn a_row_of_zeros_is_refused() {
    let mut rows = Array2::<f32>::ones((4, 3));
    rows.row_mut(2).fill(0.0);
    assert_eq!(
        vendi_score(rows.view()),
        Err(MetricError::ZeroVector { what: "embeddings", row: 2 })
    );
}
