//! Tests of all pairs of submissions, and what they say of neighbours in rank.

use fgd_metrics::MetricError;
use fgd_metrics::compare::{
    Outcomes, PairDifference, all_pairs, detectable_difference, images_needed, mean_difference,
    outcomes, p_value,
};
use fgd_record::{Difference, Mark, Measure};

use super::rank::{Drawn, Entry, Evidence, RankedBy};

/// All pairs with their tests in a distance; `None` where it has none.
///
/// # Errors
/// Entries with different numbers of images.
pub fn pairs(
    entries: &[Entry],
    by: RankedBy,
    drawn: &Drawn,
) -> Result<Option<Vec<PairDifference>>, MetricError> {
    let is_testable = |entry: &Entry| match (by, &entry.evidence) {
        // One image separates nobody.
        (RankedBy::Paired, Evidence::Paired(distances)) => distances.len() > 1,
        (RankedBy::Paired, Evidence::Sums(field, ..)) => field.n() > 1,
        (RankedBy::Paired, Evidence::Set(_)) => false,
        (RankedBy::Set, _) => entry.set().is_some(),
    };
    if !entries.iter().all(is_testable) {
        return Ok(None);
    }
    let difference = |first: usize, second: usize| {
        let (a, b) = (&entries[first], &entries[second]);
        if by == RankedBy::Set {
            let (Some(a), Some(b)) = (a.set(), b.set()) else { return Err(mixed()) };
            let difference = a.difference(b)?;
            return Ok((difference.corrected, difference.p_value()));
        }
        let estimate = match (&a.evidence, &b.evidence) {
            (Evidence::Paired(a), Evidence::Paired(b)) => {
                mean_difference(a, b, drawn.clusters.as_deref())
            }
            (Evidence::Sums(field, a, _), Evidence::Sums(_, b, _)) => field.difference(*a, *b),
            _ => Err(mixed()),
        };
        let estimate = estimate?.with_error(drawn.left_out.sqrt());
        Ok((estimate, p_value(estimate)))
    };
    all_pairs(entries.len(), difference).map(Some)
}

fn mixed() -> MetricError {
    MetricError::InvalidPairs("ranked by different metrics".into())
}

/// How the lower of two neighbours in rank differs from the one above it; `None` where nothing was tested.
pub fn difference(
    entries: &[Entry],
    by: RankedBy,
    pairs: &[PairDifference],
    lower: usize,
    upper: usize,
) -> Option<Result<Difference, MetricError>> {
    let (first, second) = (lower.min(upper), lower.max(upper));
    let pair = pairs
        .binary_search_by_key(&(first, second), |pair| (pair.first, pair.second))
        .map(|index| &pairs[index])
        .ok()?;
    let estimate = if lower == first { pair.estimate } else { pair.estimate.turned() };
    let (a, b) = (&entries[lower], &entries[upper]);
    let mut difference = Difference {
        metric: by.name().into(),
        higher_is_better: Some(false),
        system: a.name.clone(),
        versus: b.name.clone(),
        estimate: Measure::estimated(estimate.value, estimate.se, estimate.ci95),
        p_value: Some(pair.p_value),
        p_holm: Some(pair.p_holm),
        minimum_detectable: Some(detectable_difference(estimate.se)),
        ..Difference::default()
    };
    let of = match by {
        RankedBy::Paired => "normal, of the mean difference".to_owned(),
        RankedBy::Set => {
            let found = match a.set()?.difference(b.set()?) {
                Ok(found) => found,
                Err(error) => return Some(Err(error)),
            };
            difference.marks =
                found.small_sample.then_some(Mark::SmallSample).into_iter().collect();
            let test = match found.degrees {
                Some(degrees) => format!("Student's t with {degrees} degrees of freedom"),
                None => "normal".to_owned(),
            };
            format!("{test}, of the difference of the corrected fgd_set")
        }
    };
    difference.test = match pairs.len() {
        1 => format!("{of}; corrected over 1 pair"),
        pairs => format!("{of}; corrected over {pairs} pairs"),
    };
    if by == RankedBy::Set {
        return Some(Ok(difference));
    }
    let (found, images) = match (&a.evidence, &b.evidence) {
        (Evidence::Sums(field, a, _), Evidence::Sums(_, b, _)) => {
            (Ok(field.outcomes(*a, *b)), field.n() as usize)
        }
        _ => (outcomes(a.distances(), b.distances(), true), a.distances().len()),
    };
    difference.n_needed = images_needed(estimate.value, estimate.se, images);
    Some(found.map(|Outcomes { wins, ties, losses }| {
        difference.wins = Some(wins as u64);
        difference.ties = Some(ties as u64);
        difference.losses = Some(losses as u64);
        difference
    }))
}
