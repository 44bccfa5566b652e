//! Comparing two systems in the set distance, which is no mean over images: two questions, two tests.
//!
//! - Are the two systems equally far from the references? The difference of the corrected distances is held against its standard
//!   error ([`SetInference::difference`]). This is the test of the difference that is printed.
//! - Are their captions interchangeable? The two captions of an image trade places ([`exchange_test`]). Systems that are equally far
//!   in different directions are not interchangeable, and this test says so: it never was a test of equal distance.

use ndarray::ArrayView2;

use super::resample::{Exchange, sign_flips};
use super::{Resampling, normal};
use crate::MetricError;
use crate::estimate::Estimate;
use crate::inference::SetDifference;
use crate::linalg::default_solver;
use crate::moments::Moments;
use crate::paired::Pairs;
use crate::student;
use crate::sufficient::sums;
use crate::transport::Transport;

impl SetDifference {
    /// Two-sided p-value of equal distances; in `[0, 1]`.
    pub fn p_value(&self) -> f64 {
        let Estimate { value, se, .. } = self.corrected;
        match self.degrees {
            Some(degrees) => student::two_sided(value, se, degrees),
            None => normal::two_sided(value, se),
        }
    }
}

/// Tests the hypothesis that the systems are interchangeable; exact at any number of images.
///
/// Row `i` of `a` and of `b` `[N, d]` is what each system says of image `i`; `references[j]` belongs to image `image_of[j]`. With
/// `cluster_of[i]`, counted from 0, the images of one cluster are exchanged together.
///
/// Around the pooled captions of both systems, which no exchange changes, the difference of the two distances is odd in the
/// exchange, so its second order cancels and what is left is a sum of one signed term per image: the influence of one caption less
/// that of the other. A randomisation test is exact for whatever statistic it uses, so the linearisation costs no validity, and ten
/// thousand exchanges cost what one decomposition does.
///
/// # Errors
/// Inconsistent pairs, fewer than two images, or embeddings that are not finite.
pub fn exchange_test(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    references: ArrayView2<'_, f32>,
    image_of: &[usize],
    cluster_of: Option<&[usize]>,
    resampling: &Resampling,
) -> Result<Exchange, MetricError> {
    for candidates in [a, b] {
        Pairs { candidates, references, image_of }.references_per_image()?;
    }
    if a.nrows() < 2 {
        return Err(MetricError::TooFew { what: "images", n: a.nrows(), needed: 2 });
    }
    let mut pooled = Moments::from_rows(a);
    pooled.push_rows(b)?;
    let references = Moments::from_rows(references);
    let transport = Transport::between_moments(&pooled, &references, default_solver())?;
    let shift = &transport.first.mean - &transport.second.mean;
    let influence = |rows| transport.first.quadratic(rows, shift.view());
    let mut terms: Vec<f64> = influence(a).iter().zip(influence(b)).map(|(a, b)| a - b).collect();
    if let Some(of) = cluster_of {
        terms = sums(&terms, of);
    }
    Ok(sign_flips(&terms, resampling))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis};

    use super::*;

    fn rows(n: usize, d: usize, phase: f32) -> Array2<f32> {
        Array2::from_shape_fn((n, d), |(i, j)| {
            ((i * i + 3 * j) as f32 * (0.37 + phase)).sin() / (1.0 + j as f32)
        })
    }

    #[test]
    fn exchanges_of_equal_captions_change_nothing() {
        let (a, references) = (rows(40, 4, 0.0), rows(40, 4, 0.2));
        let image_of: Vec<usize> = (0..40).collect();
        let resampling = Resampling { randomisations: 99, ..Resampling::default() };
        let test = |b: &Array2<f32>| {
            exchange_test(a.view(), b.view(), references.view(), &image_of, None, &resampling)
        };
        assert_eq!(test(&a).unwrap().p_value, 1.0);
        assert!(test(&(&a + 1.0)).unwrap().p_value < 0.05);
        let one = a.slice(ndarray::s![..1, ..]);
        let found = exchange_test(one, one, one, &[0], None, &resampling);
        assert!(matches!(found, Err(MetricError::TooFew { .. })));
    }

    #[test]
    fn copies_of_an_image_in_one_cluster_say_nothing_new() {
        let [a, b, references] = [0.0, 0.1, 0.2].map(|phase| rows(12, 4, phase));
        let alone: Vec<usize> = (0..12).collect();
        let copied: Vec<usize> = (0..36).map(|row| row / 3).collect();
        let thrice = |rows: &Array2<f32>| rows.select(Axis(0), &copied);
        let test = |a: &Array2<f32>, b: &Array2<f32>, y: &Array2<f32>, of: Option<&[usize]>| {
            let image_of: Vec<usize> = (0..a.nrows()).collect();
            let (a, b, y) = (a.view(), b.view(), y.view());
            exchange_test(a, b, y, &image_of, of, &Resampling::default()).unwrap()
        };
        let once = test(&a, &b, &references, Some(&alone));
        assert_eq!(once, test(&a, &b, &references, None));
        let [a, b, references] = [a, b, references].map(|rows| thrice(&rows));
        let of_clusters = test(&a, &b, &references, Some(&copied));
        assert_eq!((once.differing, of_clusters.differing), (12, 12));
        // Covariances of thrice as many rows are a little smaller.
        assert!((once.p_value - of_clusters.p_value).abs() < 0.02);
        assert!(test(&a, &b, &references, None).p_value < once.p_value - 0.1);
    }
}
