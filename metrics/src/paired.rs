//! `fgd_paired`: how far each candidate is from the references of its own image.
//!
//! The score published for the OBSS Internship Competition 2025 applies the FID formula to each image alone, with
//! both embeddings stacked twice. Two equal rows have covariance 0, so what it computes is the squared distance
//! ‖g − p‖² averaged over the images: 2 (1 − cosine) for unit vectors. It is a mean of independent terms: unbiased,
//! with a standard error that needs no assumption.

use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::MetricError;
use crate::estimate::{Estimate, Unavailable};
use crate::frechet::same_dimension;

/// Where cosines lie, and their intervals with them.
pub(crate) const COSINES: [f64; 2] = [-1.0, 1.0];

/// Candidates with the references that belong to them, one or several per image.
#[derive(Debug, Clone, Copy)]
pub struct Pairs<'a> {
    /// One caption per image, `[N, d]`.
    pub candidates: ArrayView2<'a, f32>,
    /// Reference captions of all images, `[M, d]`.
    pub references: ArrayView2<'a, f32>,
    /// For each reference the row of its image's candidate, in `0..N`. Every candidate has at least one reference.
    pub image_of: &'a [usize],
}

impl Pairs<'_> {
    /// Number of images, `N`.
    pub fn images(&self) -> usize {
        self.candidates.nrows()
    }

    /// Number of references of each image, `[N]`, which every function on pairs asks for first.
    ///
    /// # Errors
    /// Pairs that are inconsistent: other dimensions, no image, or an image without references.
    pub fn references_per_image(&self) -> Result<Vec<usize>, MetricError> {
        same_dimension(self.candidates.ncols(), self.references.ncols())?;
        let (images, references) = (self.images(), self.references.nrows());
        if images == 0 {
            return Err(MetricError::TooFew { what: "images", n: 0, needed: 1 });
        }
        if self.image_of.len() != references {
            let told = self.image_of.len();
            return Err(MetricError::InvalidPairs(format!(
                "{references} references, but image_of has {told} entries"
            )));
        }
        let mut counts = vec![0; images];
        for (reference, &image) in self.image_of.iter().enumerate() {
            *counts.get_mut(image).ok_or_else(|| {
                MetricError::InvalidPairs(format!(
                    "reference {reference} belongs to candidate {image}, but there are {images}"
                ))
            })? += 1;
        }
        match counts.iter().position(|&count| count == 0) {
            Some(image) => {
                Err(MetricError::InvalidPairs(format!("candidate {image} has no reference")))
            }
            None => Ok(counts),
        }
    }
}

/// The paired distance with its uncertainty and its parts by image.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedDistance {
    /// Mean of `per_image`; at least 0, lower is better.
    pub value: f64,
    /// Mean over images of the mean cosine between the candidate and its references.
    pub mean_cosine: f64,
    /// For each image the mean cosine between the candidate and its references.
    pub cosines: Vec<f64>,
    /// For each image the mean of ‖g − p‖² over its references, in the order of the candidates.
    pub per_image: Vec<f64>,
}

impl PairedDistance {
    /// The mean over images with standard error and 95% interval (Student's t, cut at 0); an image's references count as one
    /// observation.
    ///
    /// # Errors
    /// One image.
    pub fn estimate(&self) -> Result<Estimate, Unavailable> {
        Estimate::of_mean(&self.per_image).map(Estimate::cut_at_0)
    }
}

/// Mean over the images of the squared distance between candidate and references.
///
/// Lengths are taken as they are: nothing is normalised for the distance. Between unit vectors it is 2 (1 − cosine):
///
/// ```
/// use fgd_metrics::paired::{Pairs, fgd_paired};
/// use ndarray::array;
///
/// let candidates = array![[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]];
/// let references = array![[1.0, 0.0], [0.8, 0.6], [1.0, 0.0]];
/// let pairs = Pairs {
///     candidates: candidates.view(),
///     references: references.view(),
///     image_of: &[0, 1, 2],
/// };
/// let distance = fgd_paired(&pairs)?;
/// // (0 + 0.08 + 2) / 3 and (1 + 0.96 + 0) / 3.
/// assert!((distance.value - 0.693_333).abs() < 1e-6);
/// assert!((distance.mean_cosine - 0.653_333).abs() < 1e-6);
/// # Ok::<(), fgd_metrics::MetricError>(())
/// ```
///
/// # Errors
/// Inconsistent pairs, and embeddings that are not finite or all zero.
pub fn fgd_paired(pairs: &Pairs) -> Result<PairedDistance, MetricError> {
    let counts = pairs.references_per_image()?;
    let n = counts.len();
    let norms = directions(pairs.candidates, "candidates")?;
    let reference_norms = directions(pairs.references, "references")?;
    let mut per_image = vec![0.0; n];
    let mut cosines = vec![0.0; n];
    let terms: Vec<(f64, f64)> = (0..pairs.references.nrows())
        .into_par_iter()
        .map(|j| {
            let candidate = pairs.candidates.row(pairs.image_of[j]);
            distance_and_product(candidate, pairs.references.row(j))
        })
        .collect();
    for (j, (distance, product)) in terms.into_iter().enumerate() {
        let image = pairs.image_of[j];
        let share = 1.0 / counts[image] as f64;
        per_image[image] += share * distance;
        cosines[image] += share * product / (norms[image] * reference_norms[j]);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n as f64;
    let (value, mean_cosine) = (mean(&per_image), mean(&cosines));
    Ok(PairedDistance { value, mean_cosine, cosines, per_image })
}

/// ‖g − p‖² and g · p.
fn distance_and_product(p: ArrayView1<f32>, g: ArrayView1<f32>) -> (f64, f64) {
    p.iter().zip(&g).fold((0.0, 0.0), |(distance, product), (&p, &g)| {
        let (p, g) = (f64::from(p), f64::from(g));
        (distance + (g - p) * (g - p), product + g * p)
    })
}

/// Lengths of the rows: finite and positive, or an error that names the row.
pub(crate) fn directions(
    rows: ArrayView2<f32>,
    what: &'static str,
) -> Result<Vec<f64>, MetricError> {
    let length =
        |row: ArrayView1<f32>| row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    let norms: Vec<f64> = rows.outer_iter().into_par_iter().map(length).collect();
    if norms.iter().any(|norm| !norm.is_finite()) {
        return Err(MetricError::NotFinite { what });
    }
    match norms.iter().position(|&norm| norm == 0.0) {
        Some(row) => Err(MetricError::ZeroVector { what, row }),
        None => Ok(norms),
    }
}

#[cfg(test)]
mod tests;
