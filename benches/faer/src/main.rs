//! The Fréchet distance by `fgd-metrics`' own decompositions and by those of faer, in turns on the same covariances:
//!
//!     cargo run --release --manifest-path benches/faer/Cargo.toml [-- ROUNDS]
//!
//! Both take ‖μ₁ − μ₂‖² + tr Σ₁ + tr Σ₂ − 2 ‖L₁ᵀ L₂‖₊, the nuclear norm of the product of the covariances' factors: for faer
//! that is two Cholesky decompositions, a product and singular values. Printed are medians in milliseconds.

use std::hint::black_box;
use std::time::Instant;

use faer::{Mat, Side};
use fgd_metrics::frechet::from_moments;
use fgd_metrics::moments::Moments;
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// gte-small's dimensions, and those of a large encoder.
const DIMENSIONS: [usize; 2] = [384, 1_024];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds: usize = std::env::args()
        .nth(1)
        .map_or(Ok(15), |rounds| rounds.parse())?;
    println!("  d    fgd-metrics    faer");
    for d in DIMENSIONS {
        let [a, b] = [1, 2].map(|seed| Moments::from_rows(embeddings(4 * d, d, seed).view()));
        let covariances = [matrix(&a)?, matrix(&b)?];
        let mut times = [vec![], vec![]];
        for _ in 0..rounds {
            let start = Instant::now();
            let ours = black_box(from_moments(black_box(&a), black_box(&b))?).value;
            times[0].push(start.elapsed());
            let start = Instant::now();
            let theirs = black_box(by_faer([&a, &b], black_box(&covariances))?);
            times[1].push(start.elapsed());
            if (ours - theirs).abs() > 1e-9 {
                return Err(format!("{ours} is not faer's {theirs}").into());
            }
        }
        let [ours, theirs] = times.map(|mut times| {
            times.sort();
            times[times.len() / 2].as_secs_f64() * 1e3
        });
        println!("{d:5}  {ours:8.1} ms  {theirs:8.1} ms");
    }
    Ok(())
}

/// Unit vectors `[n, d]` with a common direction and columns of unequal spread.
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

/// The covariance (ddof 1) as faer's matrix; made beforehand, so that nobody's conversion is timed.
fn matrix(moments: &Moments) -> Result<Mat<f64>, fgd_metrics::MetricError> {
    let covariance = moments.covariance(1)?;
    let d = moments.dim();
    Ok(Mat::from_fn(d, d, |i, j| covariance[[i, j]]))
}

fn by_faer(
    moments: [&Moments; 2],
    covariances: &[Mat<f64>; 2],
) -> Result<f64, Box<dyn std::error::Error>> {
    let [a, b] = covariances;
    let factor = |matrix: &Mat<f64>| {
        matrix
            .llt(Side::Lower)
            .map_err(|error| format!("{error:?}"))
    };
    let (left, right) = (factor(a)?, factor(b)?);
    let product = left.L().transpose() * right.L();
    let singular = product
        .singular_values()
        .map_err(|error| format!("{error:?}"))?;
    let trace = |matrix: &Mat<f64>| (0..matrix.nrows()).map(|i| matrix[(i, i)]).sum::<f64>();
    let shift = &moments[0].mean() - &moments[1].mean();
    Ok(shift.dot(&shift) + trace(a) + trace(b) - 2.0 * singular.iter().sum::<f64>())
}
