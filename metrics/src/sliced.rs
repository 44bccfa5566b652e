//! Sliced 2-Wasserstein distance: optimal transport between two sets, one direction at a time.
//!
//! SW₂² = the mean over unit directions θ of W₂²(θ·x, θ·y) (Rabin et al. 2011; Bonneel et al. 2015), and W₂²
//! on a line is the integral of the squared difference of the quantile functions, which two sorts give for sets
//! of any sizes. Unlike the Fréchet distance it sees more than means and covariances.

use std::f64::consts::TAU;
use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::MetricError;
use crate::estimate::Estimate;
use crate::metric::{Definition, Evaluation, Group, Metric, NOT_NEGATIVE};
use crate::samples::{Sample, TwoSamples};

/// Directions whose potentials are alive at once, folded in order.
const BATCH: usize = 32;
/// Rows that are projected at a time.
const BLOCK: usize = 512;

/// Random directions in the table of metrics.
const DIRECTIONS: usize = 128;

/// The sliced distance, in the table of metrics.
pub(crate) struct SlicedWasserstein;

impl Metric for SlicedWasserstein {
    fn group(&self) -> Option<Group> {
        Some(Group::new("sliced", "Sliced 2-Wasserstein distance, squared"))
    }

    fn definitions(&self) -> &'static [Definition] {
        const { &[Definition::lower("sliced_w2", "sliced 2-Wasserstein²").within(NOT_NEGATIVE)] }
    }

    fn compute(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        let samples = sample.two_samples()?;
        let found = sliced_wasserstein2(&samples, DIRECTIONS, sample.seed)?;
        Ok(Evaluation::of([samples.of_enough(found, 2)]))
    }
}

/// Squared sliced 2-Wasserstein distance over `directions` seeded directions. Not negative; lower is better.
///
/// Multiply by d to compare with a squared distance in the space itself: a direction sees 1/d of a shift.
///
/// The standard error has two parts, added in squares: the choice of directions (their spread over √L), and
/// the sample. A caption's influence on W₂² is the Kantorovich potential at its projection, the solution of the
/// dual problem (del Barrio & Loubes 2019, arXiv:1705.01299), averaged over directions. The value is biased up by
/// O(1/n), and near equality, where the potentials vanish, that bias is most of it: compare sets of one size.
///
/// # Errors
/// Fewer than two directions.
pub fn sliced_wasserstein2(
    samples: &TwoSamples<'_>,
    directions: usize,
    seed: u64,
) -> Result<Estimate, MetricError> {
    if directions < 2 {
        return Err(MetricError::InvalidSetting(
            "sliced Wasserstein distance: at least 2 directions are needed".to_owned(),
        ));
    }
    let (x, y) = (samples.candidates(), samples.references());
    let mut distances = Vec::with_capacity(directions);
    let mut potentials = (vec![0.0; x.nrows()], vec![0.0; y.nrows()]);
    for start in (0..directions).step_by(BATCH) {
        let streams = start..directions.min(start + BATCH);
        let axes = unit_directions(x.ncols(), seed, streams.clone());
        let (along_x, along_y) = (project(x, &axes), project(y, &axes));
        let slices: Vec<Slice> = (0..streams.len())
            .into_par_iter()
            .map(|at| Slice::new(&along_x.column(at).to_vec(), &along_y.column(at).to_vec()))
            .collect();
        for slice in slices {
            distances.push(slice.distance);
            add(&mut potentials.0, &slice.of_x);
            add(&mut potentials.1, &slice.of_y);
        }
    }
    let l = directions as f64;
    let value = distances.iter().sum::<f64>() / l;
    let spread = distances.iter().map(|v| (v - value).powi(2)).sum::<f64>() / (l - 1.0);
    let (n, m) = (x.nrows() as f64, y.nrows() as f64);
    potentials.0.iter_mut().for_each(|p| *p /= l * n);
    potentials.1.iter_mut().for_each(|p| *p /= l * m);
    let sampling = samples.standard_error(&potentials.0, &potentials.1, 0.0);
    let se = (sampling * sampling + spread / l).sqrt();
    Ok(samples.student(value, se).cut_at_0())
}

fn add(sums: &mut [f64], terms: &[f64]) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
}

/// Directions drawn uniformly from the unit sphere, in columns, each by a random stream of its own.
fn unit_directions(d: usize, seed: u64, streams: Range<usize>) -> Array2<f64> {
    let mut axes = Array2::zeros((d, streams.len()));
    for (mut axis, stream) in axes.axis_iter_mut(Axis(1)).zip(streams) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream as u64);
        axis.mapv_inplace(|_| standard_normal(&mut rng));
        axis /= axis.dot(&axis).sqrt();
    }
    axes
}

/// Box & Muller (1958).
fn standard_normal(rng: &mut impl Rng) -> f64 {
    let (radius, angle): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
}

/// Coordinates of the rows along the axes, `[n, axes]`.
fn project(rows: ArrayView2<'_, f32>, axes: &Array2<f64>) -> Array2<f64> {
    let mut along = Array2::zeros((rows.nrows(), axes.ncols()));
    (rows.axis_chunks_iter(Axis(0), BLOCK).into_par_iter())
        .zip(along.axis_chunks_iter_mut(Axis(0), BLOCK))
        .for_each(|(rows, mut along)| along.assign(&rows.mapv(f64::from).dot(axes)));
    along
}

/// Optimal transport between two sets of numbers under the squared distance.
struct Slice {
    distance: f64,
    /// Kantorovich potential at every number of the first set, in the order given.
    of_x: Vec<f64>,
    /// The same for the second set.
    of_y: Vec<f64>,
}

impl Slice {
    /// Walks along both quantile functions at once. The cells it passes are a monotone staircase, on which
    /// the potentials satisfy φ(x) + ψ(y) = (x − y)²: each step determines one more of them.
    fn new(x: &[f64], y: &[f64]) -> Self {
        let (by_x, by_y) = (order(x), order(y));
        let (n, m) = (x.len(), y.len());
        let cost = |i: usize, j: usize| (x[by_x[i]] - y[by_y[j]]).powi(2);
        let (mut of_x, mut of_y) = (vec![0.0; n], vec![0.0; m]);
        of_y[by_y[0]] = cost(0, 0);
        let (mut i, mut j, mut done, mut distance) = (0, 0, 0, 0.0);
        // In units of 1/nm, where both sets' steps are whole numbers.
        let total = n * m;
        loop {
            let (end_x, end_y) = ((i + 1) * m, (j + 1) * n);
            let reached = end_x.min(end_y);
            distance += cost(i, j) * (reached - done) as f64;
            done = reached;
            if done == total {
                break;
            }
            if end_x <= end_y {
                i += 1;
                of_x[by_x[i]] = cost(i, j) - of_y[by_y[j]];
            }
            if end_y <= end_x {
                j += 1;
                of_y[by_y[j]] = cost(i, j) - of_x[by_x[i]];
            }
        }
        Slice { distance: distance / total as f64, of_x, of_y }
    }
}

/// Indices in ascending order of the values.
fn order(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    order
}

#[cfg(test)]
mod tests;
