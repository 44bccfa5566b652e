//! Tests of all pairs of submissions, and what they say of neighbours in rank.

use fgd_metrics::MetricError;
use fgd_metrics::compare::{
    MeanDifference, Outcomes, PairDifference, Power, Test, all_pairs, mean_difference, outcomes,
};
use fgd_metrics::inference::SetInference;
use fgd_record::words::counted;
use fgd_record::{Difference, Mark};

use super::rank::{Drawn, Entry, Evidence, RankedBy};
use crate::jobs::scoring::numbers::measured;

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
        let found = of_means(a, b, drawn)?;
        Ok((found.estimate, found.p_value()))
    };
    all_pairs(entries.len(), difference).map(Some)
}

/// The difference of two means over the images that were drawn.
fn of_means(a: &Entry, b: &Entry, drawn: &Drawn) -> Result<MeanDifference, MetricError> {
    let (found, images) = match (&a.evidence, &b.evidence) {
        (Evidence::Paired(a), Evidence::Paired(b)) => {
            (mean_difference(a, b, drawn.clusters.as_deref())?, a.len())
        }
        (Evidence::Sums(field, a, _), Evidence::Sums(_, b, _)) => {
            (field.difference(*a, *b)?, field.n() as usize)
        }
        _ => return Err(mixed()),
    };
    Ok(found.of_finite_population(drawn.left_out(images)))
}

fn mixed() -> MetricError {
    MetricError::InvalidPairs("ranked by different metrics".into())
}

/// How the lower of two neighbours in rank differs from the one above it; `None` where nothing was tested.
pub fn difference(
    entries: &[Entry],
    by: RankedBy,
    drawn: &Drawn,
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
        estimate: measured(estimate),
        p_value: Some(pair.p_value),
        p_holm: Some(pair.p_holm),
        ..Difference::default()
    };
    let found = match by {
        RankedBy::Paired => tell_of_means(&mut difference, a, b, drawn),
        RankedBy::Set => tell_of_sets(&mut difference, a.set()?, b.set()?),
    };
    let pairs = counted(pairs.len() as u64, "pair");
    difference.test += &format!("; corrected over {pairs}");
    Some(found.map(|()| difference))
}

/// The test of two means, what it can show, and on how many images which is nearer.
fn tell_of_means(
    difference: &mut Difference,
    a: &Entry,
    b: &Entry,
    drawn: &Drawn,
) -> Result<(), MetricError> {
    let MeanDifference { estimate, observations } = of_means(a, b, drawn)?;
    let (Outcomes { wins, ties, losses }, images) = match (&a.evidence, &b.evidence) {
        (Evidence::Sums(field, a, _), Evidence::Sums(_, b, _)) => {
            (field.outcomes(*a, *b), field.n() as usize)
        }
        _ => (outcomes(a.distances(), b.distances(), true)?, a.distances().len()),
    };
    let power = Power {
        test: Test::Student,
        se: estimate.se,
        observations: observations as u64,
        left_out: drawn.left_out(images),
    };
    difference.test = format!("{}, of the mean difference", student(observations - 1));
    difference.minimum_detectable = power.detectable();
    difference.n_needed = power.images_needed(estimate.value, images as u64);
    [difference.wins, difference.ties, difference.losses] =
        [wins, ties, losses].map(|images| Some(images as u64));
    Ok(())
}

/// The test of two corrected set distances, and what it can show.
fn tell_of_sets(
    difference: &mut Difference,
    a: &SetInference,
    b: &SetInference,
) -> Result<(), MetricError> {
    let found = a.difference(b)?;
    difference.marks = found.small_sample.then_some(Mark::SmallSample).into_iter().collect();
    let (test, name) = match found.degrees {
        Some(degrees) => (Test::Groups(degrees), student(degrees)),
        None => (Test::Normal, "normal".to_owned()),
    };
    difference.test = format!("{name}, of the difference of the corrected fgd_set");
    let power = Power { test, se: found.corrected.se, observations: 2, left_out: 1.0 };
    difference.minimum_detectable = power.detectable();
    Ok(())
}

fn student(degrees: usize) -> String {
    format!("Student's t with {} of freedom", counted(degrees as u64, "degree"))
}
