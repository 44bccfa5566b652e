//! Which of several captions of an image to keep, without looking at the image: the choices that need only the captions.
//!
//! [`nearest_mean`] is minimum Bayes risk (Kumar & Byrne 2004, N04-1022) for the paired distance: the caption whose mean squared
//! distance to all candidates is least is the one nearest their mean, since Σⱼ wⱼ‖eᵢ − eⱼ‖² = ‖eᵢ − m‖² + const. So it is exact at a
//! cost linear in the number of candidates (compare arXiv:2402.04251). [`medoid`] is the same for any metric of the table, one
//! candidate against the others. [`weights`] learns how much each of several systems is to be listened to.

mod medoid;
pub mod weights;

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::MetricError;

pub use medoid::{medoid, medoid_metrics};

/// Costs are equal where they differ by less than this share of a squared length: two captions are always equally far from their
/// midpoint, and rounding must not choose between them.
const TIE: f64 = 1e-12;

/// Embeddings of captions, image by image.
#[derive(Debug, Clone)]
pub struct Grouped<'a> {
    rows: ArrayView2<'a, f32>,
    /// Where each image's rows begin, and where the last one's end.
    starts: Vec<usize>,
}

impl<'a> Grouped<'a> {
    /// `counts[i]` of the rows belong to image `i`, in order.
    ///
    /// # Errors
    /// Counts that do not add up to the number of rows; rows that are not finite.
    pub fn new(rows: ArrayView2<'a, f32>, counts: &[usize]) -> Result<Self, MetricError> {
        let mut starts = vec![0];
        starts.extend(counts.iter().scan(0, |end, count| {
            *end += count;
            Some(*end)
        }));
        if starts.last() != Some(&rows.nrows()) {
            let (found, told) = (rows.nrows(), starts.last().copied().unwrap_or_default());
            return Err(MetricError::InvalidPairs(format!(
                "{found} captions, but the images have {told}"
            )));
        }
        if rows.iter().any(|value| !value.is_finite()) {
            return Err(MetricError::NotFinite { what: "candidates" });
        }
        Ok(Self { rows, starts })
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.starts.len() - 1
    }

    /// The rows of an image.
    pub fn of(&self, image: usize) -> Range<usize> {
        self.starts[image]..self.starts[image + 1]
    }

    /// Mean of an image's rows by the weights of all rows; of all alike where no weight is above 0.
    fn mean(&self, image: usize, weights: &[f64]) -> Vec<f64> {
        let rows = self.of(image);
        let total: f64 = weights[rows.clone()].iter().sum();
        let mut mean = vec![0.0; self.rows.ncols()];
        for row in rows.clone() {
            let share = if total > 0.0 { weights[row] / total } else { 1.0 / rows.len() as f64 };
            for (mean, value) in mean.iter_mut().zip(self.rows.row(row)) {
                *mean += share * f64::from(*value);
            }
        }
        mean
    }
}

/// The row of each image that is nearest the weighted mean of its rows; of equally near ones the first. `None` for an image
/// without rows.
///
/// `weights` has an entry per row, none below 0; equal ones are plain minimum Bayes risk.
///
/// ```
/// use fgd_metrics::choice::{Grouped, nearest_mean};
/// use ndarray::array;
///
/// let captions = array![[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]];
/// let one_image = Grouped::new(captions.view(), &[4])?;
/// assert_eq!(nearest_mean(&one_image, &[1.0; 4]), [Some(1)]);
/// assert_eq!(nearest_mean(&one_image, &[0.0, 0.0, 0.0, 2.0]), [Some(3)]);
/// # Ok::<(), fgd_metrics::MetricError>(())
/// ```
pub fn nearest_mean(candidates: &Grouped, weights: &[f64]) -> Vec<Option<usize>> {
    let choose = |image: usize| {
        let rows = candidates.of(image);
        let mean = candidates.mean(image, weights);
        let costs: Vec<f64> =
            rows.clone().map(|row| squared(candidates.rows.row(row), &mean)).collect();
        let longest =
            rows.clone().map(|row| squared(candidates.rows.row(row), &[])).fold(0.0, f64::max);
        first_least(&costs, TIE * longest).map(|at| rows.start + at)
    };
    (0..candidates.images()).into_par_iter().map(choose).collect()
}

/// For each candidate the mean squared distance to the references of its image: what it would score. NaN for an image without
/// references. Choosing the least is the oracle, a bound that no choice without references passes.
pub fn distances(candidates: &Grouped, references: &Grouped) -> Vec<f64> {
    let of_image = |image: usize| -> Vec<f64> {
        let own = references.of(image);
        let mean_distance = |row: usize| {
            let sum: f64 = (own.clone())
                .map(|reference| {
                    let pair =
                        candidates.rows.row(row).into_iter().zip(references.rows.row(reference));
                    pair.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>()
                })
                .sum();
            sum / own.len() as f64
        };
        candidates.of(image).map(mean_distance).collect()
    };
    let images = (0..candidates.images()).into_par_iter().map(of_image);
    images.collect::<Vec<_>>().concat()
}

/// The row of each image with the least of `costs`; of equal ones the first. `None` where no cost is a number.
pub fn least(candidates: &Grouped, costs: &[f64]) -> Vec<Option<usize>> {
    let choose = |image: usize| {
        let rows = candidates.of(image);
        first_least(&costs[rows.clone()], 0.0).map(|at| rows.start + at)
    };
    (0..candidates.images()).map(choose).collect()
}

/// Mean cosine of two different candidates of each image: how much they agree. `None` for an image with fewer than two.
pub fn agreement(candidates: &Grouped) -> Vec<Option<f64>> {
    let of_image = |image: usize| {
        let rows = candidates.of(image);
        let n = rows.len() as f64;
        // Σᵢ≠ⱼ uᵢ·uⱼ = ‖Σ u‖² − Σ‖u‖² of the unit vectors u.
        let mut sum = vec![0.0; candidates.rows.ncols()];
        let mut units = 0.0;
        for row in rows.clone() {
            let length = squared(candidates.rows.row(row), &[]).sqrt();
            if length > 0.0 {
                units += 1.0;
                for (sum, value) in sum.iter_mut().zip(candidates.rows.row(row)) {
                    *sum += f64::from(*value) / length;
                }
            }
        }
        let square: f64 = sum.iter().map(|v| v * v).sum();
        (rows.len() > 1).then(|| (square - units) / (n * (n - 1.0)))
    };
    (0..candidates.images()).into_par_iter().map(of_image).collect()
}

/// ‖row − from‖², where what `from` lacks is 0.
fn squared(row: ArrayView1<f32>, from: &[f64]) -> f64 {
    let from = from.iter().copied().chain(std::iter::repeat(0.0));
    row.iter().zip(from).map(|(value, from)| (f64::from(*value) - from).powi(2)).sum()
}

/// The first of the values that is within `tolerance` of the least; NaN is never chosen.
fn first_least(values: &[f64], tolerance: f64) -> Option<usize> {
    let least = values.iter().copied().filter(|v| !v.is_nan()).reduce(f64::min)?;
    values.iter().position(|value| *value <= least + tolerance)
}

/// Rows of a matrix by index.
fn rows_of(all: ArrayView2<f32>, rows: &[usize]) -> Array2<f32> {
    all.select(ndarray::Axis(0), rows)
}

#[cfg(test)]
mod tests;
