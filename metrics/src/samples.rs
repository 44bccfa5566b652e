//! What the distances between two sets are measured on: candidates, references, and which rows share an image.
//!
//! The rows of one image are one draw: its captions describe the same picture. Pairs of rows of one image
//! therefore say nothing about the distance of the two distributions, and a standard error sums what they
//! contribute before it squares. Both rules live here, for every metric that compares two sets.

use ndarray::ArrayView2;

use crate::MetricError;
use crate::estimate::Estimate;
use crate::frechet::same_dimension;
use crate::paired::Pairs;

/// Two sets of embeddings, one a row, of one dimension.
#[derive(Clone, Debug)]
pub struct TwoSamples<'a> {
    candidates: ArrayView2<'a, f32>,
    references: ArrayView2<'a, f32>,
    /// The image of each candidate, then of each reference; rows that share no image have labels of their own.
    images: Vec<usize>,
    paired: bool,
}

impl<'a> TwoSamples<'a> {
    /// Sets that were drawn independently of each other, every row a draw of its own.
    ///
    /// # Errors
    /// Fewer than two rows in a set, dimensions that differ, or a component that is not finite.
    pub fn independent(
        candidates: ArrayView2<'a, f32>,
        references: ArrayView2<'a, f32>,
    ) -> Result<Self, MetricError> {
        check(candidates, references)?;
        let images = (0..candidates.nrows() + references.nrows()).collect();
        Ok(TwoSamples {
            candidates,
            references,
            images,
            paired: false,
        })
    }

    /// Sets of which the rows of one image belong together: one candidate and its references.
    ///
    /// # Errors
    /// As [`TwoSamples::independent`], and pairs that are inconsistent.
    pub fn by_image(pairs: &Pairs<'a>) -> Result<Self, MetricError> {
        let Pairs {
            candidates,
            references,
            image_of,
        } = *pairs;
        pairs.references_per_image()?;
        check(candidates, references)?;
        let images = (0..candidates.nrows())
            .chain(image_of.iter().copied())
            .collect();
        Ok(TwoSamples {
            candidates,
            references,
            images,
            paired: true,
        })
    }

    /// Candidate embeddings, one a row.
    pub fn candidates(&self) -> ArrayView2<'a, f32> {
        self.candidates
    }

    /// Reference embeddings, one a row.
    pub fn references(&self) -> ArrayView2<'a, f32> {
        self.references
    }

    /// Label of the image of every candidate.
    pub(crate) fn candidate_images(&self) -> &[usize] {
        &self.images[..self.candidates.nrows()]
    }

    /// Label of the image of every reference.
    pub(crate) fn reference_images(&self) -> &[usize] {
        &self.images[self.candidates.nrows()..]
    }

    /// Number of images, or of rows where rows share none: labels are below it.
    pub(crate) fn images(&self) -> usize {
        if self.paired {
            self.candidates.nrows()
        } else {
            self.images.len()
        }
    }

    /// Standard error of a statistic from what each row contributes to it, to first order
    /// (its influence divided by the number of rows of its set).
    ///
    /// The contributions of one image are summed, so that what the two captions of an easy picture have in
    /// common is not counted as if it were independent.
    pub(crate) fn standard_error(&self, candidates: &[f64], references: &[f64]) -> f64 {
        let (candidates, references) = (centred(candidates), centred(references));
        let spread = |sums: &[f64]| {
            let n = sums.len() as f64;
            sums.iter().map(|s| s * s).sum::<f64>() * n / (n - 1.0)
        };
        if !self.paired {
            return (spread(&candidates) + spread(&references)).sqrt();
        }
        let mut sums = candidates;
        for (&image, contribution) in self.reference_images().iter().zip(references) {
            sums[image] += contribution;
        }
        spread(&sums).sqrt()
    }

    /// A value with the normal interval of [`TwoSamples::standard_error`].
    pub(crate) fn estimate(&self, value: f64, candidates: &[f64], references: &[f64]) -> Estimate {
        Estimate::normal(value, self.standard_error(candidates, references))
    }
}

fn centred(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|v| v - mean).collect()
}

fn check(
    candidates: ArrayView2<'_, f32>,
    references: ArrayView2<'_, f32>,
) -> Result<(), MetricError> {
    same_dimension(candidates.ncols(), references.ncols())?;
    for (what, rows) in [("candidates", candidates), ("references", references)] {
        let n = rows.nrows();
        if n < 2 {
            return Err(MetricError::TooFew { what, n, needed: 2 });
        }
        if rows.iter().any(|v| !v.is_finite()) {
            return Err(MetricError::NotFinite { what });
        }
    }
    Ok(())
}
