//! Sums of images that have equally many references.

use ndarray::{Array1, Array2, Axis, s};

use super::image::Image;
use crate::MetricError;
use crate::inference::ImageMoments;
use crate::moments::{ExactSums, Moments};
use crate::paired::Pairs;

/// Sums of such images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    references: u32,
    /// Of rows (p, s/2ᵇ): a caption, and the sum of its references, which is rounded to `f32` where they are several.
    joint: ExactSums,
    /// Of every reference, where images have several.
    own: Option<ExactSums>,
}

impl Class {
    /// Sums of no images in `d` dimensions.
    pub fn new(d: usize, references: u32) -> Self {
        let own = (references > 1).then(|| ExactSums::new(d));
        Self { references, joint: ExactSums::new(2 * d), own }
    }

    /// Number of images.
    pub fn n(&self) -> u64 {
        self.joint.n()
    }

    /// Bytes that the sums take.
    pub fn heap(&self) -> usize {
        self.sums().map(|sums| size_of_val(sums.integers())).sum()
    }

    fn sums(&self) -> impl Iterator<Item = &ExactSums> {
        [&self.joint].into_iter().chain(&self.own)
    }

    /// All that is summed.
    pub fn integers(&self) -> impl Iterator<Item = i128> {
        self.sums().flat_map(|sums| sums.integers().iter().copied())
    }

    /// The sums of integers that `next` hands out, so many at a time; `None` where that are no sums.
    pub fn read(
        d: usize,
        references: u32,
        mut next: impl FnMut(usize) -> Option<Vec<i128>>,
    ) -> Option<Self> {
        let mut sums = |d: usize| {
            let entries = d.checked_add(1)?.checked_mul(d.checked_add(2)?)? / 2;
            ExactSums::from_integers(d, next(entries)?).ok()
        };
        let joint = sums(d.checked_mul(2)?)?;
        let own = if references > 1 { Some(sums(d)?) } else { None };
        Some(Self { references, joint, own })
    }

    /// Adds images.
    ///
    /// # Errors
    /// More rows than can be counted.
    pub fn push(&mut self, pairs: &Pairs, images: &[&Image]) -> Result<(), MetricError> {
        let d = pairs.candidates.ncols();
        let scale = self.scale();
        let mut rows = Array2::zeros((images.len(), 2 * d));
        for (mut row, image) in rows.outer_iter_mut().zip(images) {
            row.slice_mut(s![..d]).assign(&pairs.candidates.row(image.candidate));
            let mut sum = Array1::<f64>::zeros(d);
            for &reference in &image.references {
                sum.zip_mut_with(&pairs.references.row(reference), |sum, &x| *sum += f64::from(x));
            }
            row.slice_mut(s![d..]).assign(&sum.mapv(|x| (x / scale) as f32));
        }
        self.joint.push_rows(rows.view())?;
        if let Some(own) = &mut self.own {
            let all: Vec<usize> =
                images.iter().flat_map(|image| image.references.iter().copied()).collect();
            own.push_rows(pairs.references.select(Axis(0), &all).view())?;
        }
        Ok(())
    }

    /// Keeps sums of references within ±1.
    fn scale(&self) -> f64 {
        f64::from(self.references.next_power_of_two())
    }

    /// Adds other images.
    ///
    /// # Errors
    /// More rows than can be counted.
    pub fn merge(&mut self, other: &Self) -> Result<(), MetricError> {
        self.joint.merge(&other.joint)?;
        match (&mut self.own, &other.own) {
            (Some(own), Some(other)) => own.merge(other),
            _ => Ok(()),
        }
    }

    /// The moments of the rows (p, s), and of the references.
    pub fn moments(&self) -> ImageMoments {
        let joint = self.joint.moments();
        let d = joint.dim() / 2;
        let scale = |i: usize| if i < d { 1.0 } else { self.scale() };
        let mean = joint.mean().iter().enumerate().map(|(i, x)| scale(i) * x).collect();
        let entries = joint.comoment();
        let comoment =
            Array2::from_shape_fn((2 * d, 2 * d), |(i, j)| scale(i) * scale(j) * entries[[i, j]]);
        ImageMoments {
            references: self.references as usize,
            joint: Moments::from_sums(joint.n(), mean, comoment),
            own: self.own.as_ref().map(ExactSums::moments),
        }
    }
}
