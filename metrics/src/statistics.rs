//! The set distance with everything that says how far to trust it, from one decomposition.

use crate::MetricError;
use crate::decomposition::{Decomposition, decompose, of_transport};
use crate::estimate::Unavailable;
use crate::frechet::{SetDistance, fgd_set};
use crate::inference::{Inferred, SetInference, groups_of, infer};
use crate::influence::{SetInfluence, set_influence};
use crate::paired::{Pairs, directions};
use crate::samples::Sample;
use crate::transport::Transport;

/// `fgd_set` with its uncertainty and its attribution.
#[derive(Debug, Clone, PartialEq)]
pub struct SetStatistics {
    /// The distance as every tool computes it.
    pub distance: SetDistance,
    /// What the paired distance is made of; for captions of the same images.
    pub decomposition: Option<Decomposition>,
    /// The distance without its bias, with its interval.
    pub inference: Result<SetInference, Unavailable>,
    /// Influence of every caption.
    pub influence: SetInfluence,
}

/// Distance, inference and influence of a sample.
///
/// # Errors
/// Fewer than two rows on a side, dimensions that differ, values that are not finite or rows that are all zero, or pairs that are
/// inconsistent.
pub fn set_statistics(sample: &Sample) -> Result<SetStatistics, MetricError> {
    let (a, b) = (sample.candidates, sample.references);
    directions(a, "candidates")?;
    directions(b, "references")?;
    let units = sample.units()?;
    let groups = units.deal(groups_of(&units), sample.seed);
    let Inferred { transport, found, slopes } = infer([a, b], &units, &groups)?;
    let distance =
        if transport.smaller() > transport.dim() { transport.distance() } else { fgd_set(a, b)? };
    let decomposition = match sample.pairs() {
        Ok(pairs) => Some(decomposed(&transport, &pairs)?),
        Err(_) => None,
    };
    let influence = match slopes {
        Some([candidates, references]) => SetInfluence::of_slopes(candidates, references),
        None => set_influence(&transport, a, b),
    };
    // Of a set beside itself only rounding would be left.
    let (distance, found) = match a == b {
        true => (distance.of_equal_sets(), found.map(SetInference::of_equal_sets)),
        false => (distance, found),
    };
    let inference = match sample.sampled_share(&units)? {
        Some(share) if share >= 1.0 => Ok(SetInference::of_census(distance.value, &units)),
        Some(share) => found.map(|found| found.of_finite_population(share)),
        None => found,
    };
    Ok(SetStatistics { distance, decomposition, inference, influence })
}

fn decomposed(transport: &Transport, pairs: &Pairs) -> Result<Decomposition, MetricError> {
    // With fewer captions than dimensions the transport knows its covariances to rounding only.
    let shared =
        if transport.smaller() > transport.dim() { of_transport(pairs, transport)? } else { None };
    shared.map_or_else(|| decompose(pairs), Ok)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    /// Forty images in 64 dimensions tell nothing of a population, unless they are all of it.
    #[test]
    fn what_was_drawn_whole_is_known_on_however_few_images() {
        let rows = |phase: usize| {
            Array2::from_shape_fn((40, 64), |(i, j)| ((i * i * 3 + j * 7 + phase) as f32).sin())
        };
        let (a, b) = (rows(0), rows(5));
        let image_of: Vec<usize> = (0..40).collect();
        let mut sample = Sample::of_embeddings(a.view(), b.view(), Some(&image_of));
        sample.population = Some(41.0);
        assert!(set_statistics(&sample).unwrap().inference.is_err());
        sample.population = Some(40.0);
        let found = set_statistics(&sample).unwrap();
        let inference = found.inference.unwrap();
        let value = found.distance.value;
        assert_eq!((inference.corrected.value, inference.corrected.ci95), (value, [value; 2]));
        assert!(!inference.small_sample);
        assert_eq!(inference.difference(&inference).unwrap().corrected.se, 0.0);
    }

    #[test]
    fn a_set_is_nothing_apart_from_itself() {
        let rows = Array2::from_shape_fn((40, 3), |(i, j)| ((i * i * 3 + j * 7) as f32).sin());
        let image_of: Vec<usize> = (0..40).collect();
        for pairs in [Some(image_of.as_slice()), None] {
            let sample = Sample::of_embeddings(rows.view(), rows.view(), pairs);
            let found = set_statistics(&sample).unwrap();
            let corrected = found.inference.unwrap().corrected;
            assert_eq!((found.distance.value, corrected.value, corrected.se), (0.0, 0.0, 0.0));
        }
    }
}
