//! Comparing two systems in the set distance, which is no mean over images.
//!
//! The randomisation test exchanges the two captions of an image. Around the pooled captions of both systems,
//! which no exchange changes, the difference of the two distances is odd in the exchange, so its second order
//! cancels and what is left is a sum of one signed term per image: the influence of one caption less that of the
//! other. That sum is the test statistic. A randomisation test is exact for whatever statistic it uses, so the
//! linearisation costs no validity, and ten thousand exchanges cost what one decomposition does.
//!
//! The bootstrap evaluates each replicate by the second-order [`Expansion`], with two corrections without which its
//! interval is off. Drawing with replacement shifts a set distance up by about its bias once more, so replicates are
//! taken as fluctuations around their own expectation and laid around the difference less its bias. And let V₁
//! and V₂ be the variances of the linear and the quadratic part: the influence is taken at sample moments, whose error
//! adds 2 V₂ to its variance (the excess of the jackknife, Efron & Stein 1981), so the linear part is shrunk to
//! the variance V₁. Near equality, where V₂ is all there is, intervals would otherwise be √3 times too wide.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::additive::influence_error;
use super::by_image::ByImage;
use super::expansion::Expansion;
use super::quadratic::Quadratic;
use super::resample::{basic, draw_counts, sign_flip_p_value, standard_deviation};
use super::{Difference, Resampling, detectable_difference};
use crate::MetricError;
use crate::estimate::Estimate;
use crate::moments::Moments;
use crate::paired::Pairs;

/// Counts that are held at a time: replicates are worked off in batches of this many entries.
const BATCH_ENTRIES: usize = 1 << 24;

/// Compares two systems in `fgd_set`.
///
/// Row `i` of `a` and of `b` `[N, d]` is what each system says of image `i`; `references[j]` belongs to image `image_of[j]`.
/// The intervals hold to second order in √(d/N): trust them where there are several times more images
/// than dimensions. The p-value is that of interchangeable systems, and exact at any size.
///
/// # Errors
/// Inconsistent pairs, fewer than two images, embeddings that are not finite, or fewer than two replicates.
pub fn set_difference(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    references: ArrayView2<'_, f32>,
    image_of: &[usize],
    resampling: &Resampling,
) -> Result<Difference, MetricError> {
    resampling.check()?;
    for candidates in [a, b] {
        Pairs { candidates, references, image_of }.references_per_image()?;
    }
    let images = a.nrows();
    if b.nrows() != images {
        return Err(MetricError::InvalidPairs(format!(
            "{images} captions of the first system and {} of the second; compare them on the same images",
            b.nrows()
        )));
    }
    if images < 2 {
        return Err(MetricError::TooFew { what: "images", n: images, needed: 2 });
    }
    let by_image = ByImage::new(images, image_of);
    let [of_a, of_b, of_references] = [a, b, references].map(Moments::from_rows);
    let mut pooled = of_a.clone();
    pooled.merge(&of_b)?;
    let around = |candidates: &Moments| Expansion::new(candidates, &of_references);
    let ((of_a, of_b), pooled) =
        rayon::join(|| rayon::join(|| around(&of_a), || around(&of_b)), || around(&pooled));
    let (of_a, of_b, pooled) = (of_a?, of_b?, pooled?);
    let first = System::new(&of_a, a, references, &by_image);
    let second = System::new(&of_b, b, references, &by_image);

    let observed = of_a.value - of_b.value;
    let bias = first.quadratic.bias - second.quadratic.bias;
    let linear = Linear::new(&first, &second, &by_image);
    let replicates = Replicates::draw(&linear, &first.quadratic, &second.quadratic, resampling);
    let first_order = influence_error(&linear.influence()).powi(2);
    let second_order = replicates.second_order();
    let se = (first_order - second_order).max(second_order).sqrt();
    let influence = Estimate::normal(observed - bias, se);

    let exchanges = exchange_terms(&pooled, a, b);
    Ok(Difference {
        observed,
        bias,
        bootstrap: basic(observed - bias, replicates.fluctuations(first_order)),
        influence,
        p_value: sign_flip_p_value(&exchanges, resampling),
        detectable: detectable_difference(influence.se),
        images,
    })
}

/// One system's distance to the references: influence of every row, and the second order.
struct System<'a> {
    of_candidates: Vec<f64>,
    of_references: Vec<f64>,
    quadratic: Quadratic<'a>,
}

impl<'a> System<'a> {
    fn new(
        expansion: &'a Expansion,
        candidates: ArrayView2<'_, f32>,
        references: ArrayView2<'_, f32>,
        by_image: &'a ByImage,
    ) -> Self {
        let candidates = expansion.coordinates(&expansion.candidates, candidates);
        let references = expansion.coordinates(&expansion.references, references);
        let quadratic = Quadratic::new(expansion, &candidates, &references, by_image);
        System {
            of_candidates: centred(candidates.slopes),
            of_references: centred(references.slopes),
            quadratic,
        }
    }
}

/// The first order of the difference of two systems, image by image.
struct Linear {
    /// Influence of each image's two candidates.
    candidates: Vec<f64>,
    /// Sum of the influence of each image's references.
    references: Vec<f64>,
    /// References of each image.
    counts: Vec<f64>,
}

impl Linear {
    fn new(first: &System<'_>, second: &System<'_>, by_image: &ByImage) -> Self {
        let images = first.of_candidates.len();
        let of_reference =
            |reference: usize| first.of_references[reference] - second.of_references[reference];
        Linear {
            candidates: (0..images)
                .map(|i| first.of_candidates[i] - second.of_candidates[i])
                .collect(),
            references: (0..images)
                .map(|image| {
                    by_image.of(image).iter().map(|&reference| of_reference(reference)).sum()
                })
                .collect(),
            counts: (0..images).map(|image| by_image.count(image) as f64).collect(),
        }
    }

    /// Influence of every image on the difference, of mean 0.
    fn influence(&self) -> Vec<f64> {
        let per_image = self.counts.iter().sum::<f64>() / self.counts.len() as f64;
        self.candidates.iter().zip(&self.references).map(|(x, y)| x + y / per_image).collect()
    }

    /// Change of the difference in a replicate; the mean over references has a denominator that is drawn too.
    fn change(&self, counts: &[u32]) -> f64 {
        let weighted = |terms: &[f64]| -> f64 {
            counts.iter().zip(terms).map(|(&n, term)| f64::from(n) * term).sum()
        };
        weighted(&self.candidates) / counts.len() as f64
            + weighted(&self.references) / weighted(&self.counts)
    }
}

/// How far the difference is from its expectation in every bootstrap replicate, by order.
struct Replicates {
    linear: Vec<f64>,
    quadratic: Vec<f64>,
}

impl Replicates {
    fn draw(
        linear: &Linear,
        first: &Quadratic<'_>,
        second: &Quadratic<'_>,
        resampling: &Resampling,
    ) -> Self {
        let images = linear.candidates.len();
        let batch = (BATCH_ENTRIES / images).clamp(1, resampling.replicates);
        let mut all = Replicates { linear: Vec::new(), quadratic: Vec::new() };
        for start in (0..resampling.replicates).step_by(batch) {
            let drawn: Vec<Vec<u32>> = (start..resampling.replicates.min(start + batch))
                .into_par_iter()
                .map(|replicate| draw_counts(images, resampling.seed, replicate))
                .collect();
            let counts = Array2::from_shape_fn((drawn.len(), images), |(r, i)| drawn[r][i] as f32);
            let (first, second) = (first.off_diagonal(&counts), second.off_diagonal(&counts));
            all.linear.extend(drawn.iter().map(|counts| linear.change(counts)));
            all.quadratic.extend(first.iter().zip(second).map(|(a, b)| a - b));
        }
        all
    }

    /// Variance of the quadratic part.
    fn second_order(&self) -> f64 {
        standard_deviation(&self.quadratic).powi(2)
    }

    /// Both orders together, the first without the excess of its estimated variance `first_order`.
    fn fluctuations(&self, first_order: f64) -> Vec<f64> {
        let excess = 2.0 * self.second_order();
        let shrunk = if first_order > excess { (1.0 - excess / first_order).sqrt() } else { 0.0 };
        self.linear.iter().zip(&self.quadratic).map(|(l, q)| shrunk * l + q).collect()
    }
}

/// What exchanging the captions of each image changes: the difference of their influence around the pooled captions.
pub(super) fn exchange_terms(
    pooled: &Expansion,
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
) -> Vec<f64> {
    let slopes = |rows| pooled.coordinates(&pooled.candidates, rows).slopes;
    slopes(a).iter().zip(slopes(b)).map(|(a, b)| a - b).collect()
}

fn centred(mut values: Vec<f64>) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|v| *v -= mean);
    values
}

#[cfg(test)]
mod tests;
