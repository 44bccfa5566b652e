//! What is known of every single image.

use std::ops::RangeInclusive;

use ndarray::ArrayView1;

use super::MOST_REFERENCES;
use crate::MetricError;
use crate::paired::Pairs;

/// Squared lengths of embeddings that are of unit length but for rounding. Of those the error of the cosine is half of the distance's.
const UNIT: RangeInclusive<f64> = 0.99..=1.01;

/// An image of a set of pairs.
pub struct Image {
    /// The row of its candidate.
    pub candidate: usize,
    /// The rows of its references.
    pub references: Vec<usize>,
    /// Mean of ‖g − p‖² over its references.
    pub distance: f64,
    /// Mean cosine to its references.
    pub cosine: f64,
}

/// The images of pairs, in the order of the candidates.
///
/// # Errors
/// Pairs that are inconsistent, other ids than images, more references than an image may have, embeddings of another length than 1;
/// with their id.
pub fn images<I: AsRef<str>>(ids: &[I], pairs: &Pairs) -> Result<Vec<Image>, MetricError> {
    let counts = pairs.references_per_image()?;
    if ids.len() != counts.len() {
        return Err(MetricError::InvalidPairs(format!(
            "{} rows for {} ids",
            counts.len(),
            ids.len()
        )));
    }
    let mut references: Vec<Vec<usize>> = counts.into_iter().map(Vec::with_capacity).collect();
    pairs.image_of.iter().enumerate().for_each(|(row, &image)| references[image].push(row));
    let image = |(candidate, (references, id)): (usize, (Vec<usize>, &I))| {
        let id = id.as_ref();
        if references.len() > MOST_REFERENCES {
            return Err(MetricError::NotExact(format!(
                "image {id}: {} references, and at most {MOST_REFERENCES} are summed; keep as many",
                references.len()
            )));
        }
        let (distance, cosine) = numbers(pairs, candidate, &references).ok_or_else(|| {
            MetricError::NotExact(format!(
                "image {id}: an embedding is not of unit length, where sums are exact; use an encoder that normalises"
            ))
        })?;
        Ok(Image { candidate, references, distance, cosine })
    };
    references.into_iter().zip(ids).enumerate().map(image).collect()
}

fn numbers(pairs: &Pairs, candidate: usize, references: &[usize]) -> Option<(f64, f64)> {
    let share = 1.0 / references.len() as f64;
    let mut means = (0.0, 0.0);
    for &row in references {
        let (distance, cosine) = pair(pairs.candidates.row(candidate), pairs.references.row(row))?;
        means.0 += share * distance;
        means.1 += share * cosine;
    }
    Some(means)
}

/// Distance and cosine of a pair; `None` where an embedding is not of unit length.
fn pair(candidate: ArrayView1<f32>, reference: ArrayView1<f32>) -> Option<(f64, f64)> {
    let [mut distance, mut product, mut p2, mut g2] = [0.0; 4];
    for (&p, &g) in candidate.iter().zip(&reference) {
        let (p, g) = (f64::from(p), f64::from(g));
        distance += (g - p) * (g - p);
        product += g * p;
        p2 += p * p;
        g2 += g * g;
    }
    let is_exact = |row: ArrayView1<f32>| row.iter().all(|x| x.abs() <= 1.0);
    (UNIT.contains(&p2) && UNIT.contains(&g2) && is_exact(candidate) && is_exact(reference))
        .then(|| (distance, product / (p2.sqrt() * g2.sqrt())))
}
