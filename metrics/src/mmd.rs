//! Kernel distances: the squared maximum mean discrepancy, unbiased.
//!
//! MMD² = E k(x, x′) + E k(y, y′) − 2 E k(x, y), estimated by means over pairs of rows of different images
//! (Gretton et al. 2012, *A Kernel Two-Sample Test*, Lemma 6; for paired rows the pairs of one image are
//! dependent and left out as the diagonal is). It is unbiased, hence may be negative near equality, and it
//! needs no covariance: with few captions it says more than a Fréchet distance does.
//!
//! The standard error is that of the first-order (Hájek) projection of the U-statistic, from the sums by row of the kernel, less
//! what pairs of units add to the squares of these sums twice (`unit_pairs`): near equality the
//! projection vanishes, and all of the variance is that of pairs.

use ndarray::ArrayView2;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::MetricError;
use crate::estimate::{Estimate, Unavailable};
use crate::metric::{Definition, Evaluation, Group, Metric, Value};
use crate::pairwise::{Part, Rows, Tile, fold_tiles};
use crate::samples::{Sample, TwoSamples};
use crate::unit_pairs::{Pair, unit_pairs};

/// Rows among which [`median_distance`] takes all pairs.
const MEDIAN_ROWS: usize = 1_000;

/// MMD² under three kernels, in the table of metrics.
pub(crate) struct Mmd;

impl Metric for Mmd {
    fn group(&self) -> Option<Group> {
        Some(Group::new(
            "mmd",
            "Kernel distances: MMD² with an RBF and a cubic kernel, and the energy distance",
        ))
    }

    fn definitions(&self) -> &'static [Definition] {
        const {
            &[
                Definition::lower("mmd2_rbf", "MMD² (RBF, median of the references)"),
                Definition::lower("mmd2_cubic", "MMD² (cubic, γ = 1)"),
                Definition::lower("energy", "energy distance"),
            ]
        }
    }

    fn compute(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        // Of the references alone, so that systems share a kernel.
        let bandwidth = median_distance(sample.references, sample.seed);
        let rbf = (bandwidth > 0.0).then_some(Kernel::Rbf { bandwidth });
        let others = [Kernel::Cubic { gamma: 1.0 }, Kernel::Distance];
        let kernels: Vec<Kernel> = rbf.into_iter().chain(others).collect();
        let samples = sample.two_samples()?;
        let found = mmd2_all(&samples, &kernels)?.into_iter();
        // Two units have one kernel between them: their projections are equal whatever they are.
        let found = found.map(|found| samples.of_enough(found, 3));
        let without = rbf.is_none().then(|| Value::missing(Unavailable::NoBandwidth));
        Ok(Evaluation::of(without.into_iter().chain(found)))
    }
}

/// A kernel k(x, y).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kernel {
    /// exp(−‖x − y‖² / 2σ²).
    Rbf {
        /// σ, a distance; [`median_distance`] is the usual choice.
        bandwidth: f64,
    },
    /// (γ x·y + 1)³: the kernel of KID (Bińkowski et al. 2018) where γ = 1/d. On unit vectors that γ leaves
    /// a kernel that is nearly linear and sees little but the means; γ = 1 is meant for them.
    Cubic {
        /// γ, the factor of the inner product.
        gamma: f64,
    },
    /// −‖x − y‖, under which MMD² is the energy distance 2 E‖x − y‖ − E‖x − x′‖ − E‖y − y′‖ (Székely & Rizzo 2013; Sejdinovic
    /// et al. 2013), in units of a distance (not squared).
    Distance,
}

impl Kernel {
    fn at(self, tile: &Tile<'_, '_>, i: usize, j: usize) -> f64 {
        self.of(|| tile.product(i, j), || tile.squared_distance(i, j))
    }

    fn of(self, product: impl Fn() -> f64, squared_distance: impl Fn() -> f64) -> f64 {
        match self {
            Kernel::Rbf { bandwidth } => {
                (-squared_distance() / (2.0 * bandwidth * bandwidth)).exp()
            }
            Kernel::Cubic { gamma } => (gamma * product() + 1.0).powi(3),
            Kernel::Distance => -squared_distance().sqrt(),
        }
    }
}

/// Unbiased MMD² under one kernel. May be negative; lower is better.
///
/// # Errors
/// A bandwidth that is not a positive number, or sets in which no two rows are of different images.
pub fn mmd2(samples: &TwoSamples<'_>, kernel: Kernel) -> Result<Estimate, MetricError> {
    Ok(mmd2_all(samples, &[kernel])?.remove(0))
}

/// [`mmd2`] under several kernels from one pass over the inner products, which are nearly all of the work.
///
/// O((n + m)² d) operations, O(kernels · (n + m)) memory.
///
/// # Errors
/// As [`mmd2`].
pub fn mmd2_all(
    samples: &TwoSamples<'_>,
    kernels: &[Kernel],
) -> Result<Vec<Estimate>, MetricError> {
    for kernel in kernels {
        if let Kernel::Rbf { bandwidth } = kernel
            && !(bandwidth.is_finite() && *bandwidth > 0.0)
        {
            return Err(MetricError::InvalidSetting(format!(
                "RBF kernel: the bandwidth must be a positive number, not {bandwidth}"
            )));
        }
    }
    let (x, y) = (Rows::new(samples.candidates()), Rows::new(samples.references()));
    let (in_x, in_y) = (samples.units().of(0), samples.units().of(1));
    let within_x = Sums::within(&x, in_x, kernels);
    let within_y = Sums::within(&y, in_y, kernels);
    let across = Sums::across(&x, &y, in_x, in_y, kernels);

    let (per_x, per_y) = (
        rows_per_image(samples.units().count(), in_x),
        rows_per_image(samples.units().count(), in_y),
    );
    let pairs_xx: Vec<f64> = in_x.iter().map(|&i| (x.len() - per_x[i]) as f64).collect();
    let pairs_yy: Vec<f64> = in_y.iter().map(|&i| (y.len() - per_y[i]) as f64).collect();
    let pairs_xy: Vec<f64> = in_x.iter().map(|&i| (y.len() - per_y[i]) as f64).collect();
    let pairs_yx: Vec<f64> = in_y.iter().map(|&i| (x.len() - per_x[i]) as f64).collect();
    if [&pairs_xx, &pairs_yy, &pairs_xy].iter().any(|pairs| pairs.iter().sum::<f64>() == 0.0) {
        return Err(MetricError::TooFew {
            what: "images or clusters with captions on both sides",
            n: 1,
            needed: 2,
        });
    }

    let pairs = unit_pairs(samples.units());
    Ok((0..kernels.len())
        .map(|k| {
            let xx = Mean::new(&within_x.rows[k], &pairs_xx);
            let yy = Mean::new(&within_y.rows[k], &pairs_yy);
            let xy = Mean::new(&across.rows[k], &pairs_xy);
            let yx = Mean::new(&across.columns[k], &pairs_yx);
            let value = xx.value + yy.value - 2.0 * xy.value;
            let together =
                Together { samples, kernel: kernels[k], xx: &xx, yy: &yy, xy: &xy, yx: &yx };
            let both: Vec<f64> = pairs.par_iter().map(|pair| together.of(pair)).collect();
            let of_pairs = both.iter().map(|both| both * both).sum();
            samples.estimate(value, &xx.contributions(&xy), &yy.contributions(&yx), of_pairs)
        })
        .collect())
}

/// A mean over pairs, from the sum and the number of the pairs of every row.
struct Mean<'a> {
    sums: &'a [f64],
    pairs: &'a [f64],
    total: f64,
    value: f64,
}

impl<'a> Mean<'a> {
    fn new(sums: &'a [f64], pairs: &'a [f64]) -> Self {
        let total = pairs.iter().sum();
        Mean { sums, pairs, total, value: sums.iter().sum::<f64>() / total }
    }

    /// What row `i` adds to the mean when its weight grows: its sum less what its pairs would give on average.
    fn of_row(&self, i: usize) -> f64 {
        (self.sums[i] - self.value * self.pairs[i]) / self.total
    }

    /// The mean over the pairs of row `i`.
    fn at(&self, i: usize) -> f64 {
        if self.pairs[i] > 0.0 { self.sums[i] / self.pairs[i] } else { self.value }
    }

    /// First-order contributions of the rows of a set to MMD². A pair within the set has two rows of it
    /// and a pair across has one but counts twice: the factor is 2 for both.
    fn contributions(&self, across: &Mean<'_>) -> Vec<f64> {
        (0..self.sums.len()).map(|i| 2.0 * (self.of_row(i) - across.of_row(i))).collect()
    }
}

/// What two units make of MMD² together, beyond what each makes alone: their pairs of rows, of a kernel that is centred at the means.
struct Together<'a, 's> {
    samples: &'a TwoSamples<'s>,
    kernel: Kernel,
    xx: &'a Mean<'a>,
    yy: &'a Mean<'a>,
    xy: &'a Mean<'a>,
    yx: &'a Mean<'a>,
}

impl Together<'_, '_> {
    /// Scaled as [`Pair`] says.
    fn of(&self, &([i, j], scale): &Pair) -> f64 {
        let units = self.samples.units();
        let (x, y) = (self.samples.candidates(), self.samples.references());
        let sum = |[a, b]: [ArrayView2<f32>; 2], [of_a, of_b]: [&Mean; 2], rows: [&[usize]; 2]| {
            let pairs = rows[0].iter().flat_map(|&r| rows[1].iter().map(move |&s| (r, s)));
            let centred = |(r, s): (usize, usize)| {
                let both = || {
                    a.row(r).into_iter().zip(b.row(s)).map(|(&u, &v)| (f64::from(u), f64::from(v)))
                };
                let product = || both().map(|(u, v)| u * v).sum();
                let squared = || both().map(|(u, v)| (u - v).powi(2)).sum();
                self.kernel.of(product, squared) - of_a.at(r) - of_b.at(s) + of_a.value
            };
            pairs.map(centred).sum::<f64>() / of_a.total
        };
        let rows = |side: usize| [units.rows(side, i), units.rows(side, j)];
        let ([xi, xj], [yi, yj]) = (rows(0), rows(1));
        let within = sum([x, x], [self.xx; 2], [xi, xj]) + sum([y, y], [self.yy; 2], [yi, yj]);
        let across =
            sum([x, y], [self.xy, self.yx], [xi, yj]) + sum([x, y], [self.xy, self.yx], [xj, yi]);
        2.0 * scale * (within - across)
    }
}

/// Sums of each kernel over the pairs of different images, by row of the first and of the second set.
struct Sums {
    rows: Vec<Vec<f64>>,
    columns: Vec<Vec<f64>>,
}

impl Sums {
    fn across<'a>(
        x: &Rows<'a>,
        y: &Rows<'a>,
        in_x: &[usize],
        in_y: &[usize],
        kernels: &[Kernel],
    ) -> Self {
        Self::over(x, y, Part::Full, kernels, |i, j| in_x[i] != in_y[j])
    }

    fn within(x: &Rows<'_>, images: &[usize], kernels: &[Kernel]) -> Self {
        let mut sums =
            Self::over(x, x, Part::UpperTiles, kernels, |i, j| j > i && images[i] != images[j]);
        for (rows, columns) in sums.rows.iter_mut().zip(&sums.columns) {
            rows.iter_mut().zip(columns).for_each(|(row, column)| *row += column);
        }
        sums
    }

    fn over<'a>(
        x: &Rows<'a>,
        y: &Rows<'a>,
        part: Part,
        kernels: &[Kernel],
        counts: impl Fn(usize, usize) -> bool + Sync,
    ) -> Self {
        let zeros = |n: usize| vec![vec![0.0; n]; kernels.len()];
        let mut sums = Sums { rows: zeros(x.len()), columns: zeros(y.len()) };
        fold_tiles(
            x,
            y,
            part,
            |rows| (zeros(rows.len()), zeros(y.len())),
            |(by_row, by_column), tile| {
                for (k, kernel) in kernels.iter().enumerate() {
                    for i in tile.rows.clone() {
                        let mut sum = 0.0;
                        for j in tile.columns.clone().filter(|&j| counts(i, j)) {
                            let value = kernel.at(tile, i, j);
                            sum += value;
                            by_column[k][j] += value;
                        }
                        by_row[k][i - tile.rows.start] += sum;
                    }
                }
            },
            |rows, (by_row, by_column)| {
                for k in 0..kernels.len() {
                    sums.rows[k][rows.clone()].copy_from_slice(&by_row[k]);
                    sums.columns[k]
                        .iter_mut()
                        .zip(&by_column[k])
                        .for_each(|(sum, part)| *sum += part);
                }
            },
        );
        sums
    }
}

fn rows_per_image(images: usize, image_of_row: &[usize]) -> Vec<usize> {
    let mut rows = vec![0; images];
    image_of_row.iter().for_each(|&image| rows[image] += 1);
    rows
}

/// Median Euclidean distance between the rows of a set: the bandwidth of an RBF kernel that sees neither everything nor nothing
/// as alike (Gretton et al. 2012, section 8). MMD² of systems can be ranked under one bandwidth only: that of their references.
///
/// Over all pairs of 1,000 rows drawn without replacement from the seed, or of all rows where there are fewer.
pub fn median_distance(set: ArrayView2<'_, f32>, seed: u64) -> f64 {
    let n = set.nrows();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut chosen = index::sample(&mut rng, n, n.min(MEDIAN_ROWS)).into_vec();
    chosen.sort_unstable();
    let rows: Vec<Vec<f64>> =
        (chosen.iter()).map(|&i| set.row(i).iter().map(|&v| f64::from(v)).collect()).collect();
    let mut distances: Vec<f64> = (0..rows.len())
        .flat_map(|i| (0..i).map(move |j| (i, j)))
        .map(|(i, j)| rows[i].iter().zip(&rows[j]).map(|(a, b)| (a - b).powi(2)).sum())
        .collect();
    if distances.is_empty() {
        return 0.0;
    }
    let middle = distances.len() / 2;
    let odd = distances.len() % 2 == 1;
    let (below, &mut upper, _) = distances.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = if odd { upper } else { below.iter().copied().fold(0.0, f64::max) };
    (lower.sqrt() + upper.sqrt()) / 2.0
}

#[cfg(test)]
mod tests;
