//! Several systems on the same images: what can be said about their differences.
//!
//! Every system was assembled with the same references, so image `i` of one is image `i` of all. Saved records
//! and moments take part with the numbers they have: their differences have no test, and say so.

use fgd_metrics::MetricError;
use fgd_metrics::compare::{
    self, Resampling, holm, images_needed, outcomes, paired_difference, set_difference,
};
use fgd_metrics::metric::{FGD_PAIRED, FGD_SET};
use fgd_metrics::sufficient::Statistics;
use fgd_record::{Difference, DifferenceSlice, Measure, ScoreResults};

use crate::jobs::scoring::metrics::{higher_is_better, value};
use crate::jobs::scoring::numbers::PerCaption;
use crate::jobs::scoring::set::EvalSet;
use crate::jobs::scoring::slices::Grouping;

/// Random exchanges of a test, where few are made.
const RANDOMISATIONS: usize = 10_000;
/// With this many exchanges per test made, the smallest corrected p-value is 0.005.
const RANDOMISATIONS_PER_TEST: usize = 200;

/// A system that takes part in a comparison.
#[derive(Debug)]
pub struct Contender {
    /// What reports call it.
    pub name: String,
    /// Its numbers.
    pub scores: ScoreResults,
    /// Its captions and their numbers, or why there are none.
    pub rows: Result<PerImage, NoRows>,
}

/// Why a system has no numbers per image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRows {
    /// It is a saved record.
    #[error("a saved record has no numbers per image; give the captions to test the difference")]
    Record,
    /// It is a file of moments.
    #[error("moments have no numbers per image; give the captions to test the difference")]
    Moments,
    /// The references are a file of moments.
    #[error(
        "references that are moments have no numbers per image; give their captions to test the difference"
    )]
    ReferenceMoments,
}

/// What a test needs of a system.
#[derive(Debug)]
pub struct PerImage {
    /// The evaluation set, paired by image.
    pub set: EvalSet,
    /// What each caption has to do with the numbers.
    pub per_caption: PerCaption,
}

/// What there is to compare two systems by, in one metric.
enum Evidence<'a> {
    /// Statistics of every image.
    Statistics(&'a Statistics, &'a Statistics),
    /// The set distance of two sets.
    Set(&'a EvalSet, &'a EvalSet),
    /// There is no test, for this reason.
    Untested(String),
}

/// The differences of these pairs of systems, the first of a pair against the second, in both distances and in every further
/// metric that has statistics of each image.
///
/// The p-values are corrected together (Holm). `groupings` adds the differences within groups of images,
/// which are estimates and not tested.
///
/// # Errors
/// Systems that were not scored on the same images, or a resampling that is too small.
pub fn differences(
    systems: &[Contender],
    pairs: &[(usize, usize)],
    groupings: &[Grouping],
    resampling: &Resampling,
) -> Result<Vec<Difference>, MetricError> {
    let metrics = metrics(systems);
    let tests = metrics.len() * pairs.len();
    let resampling = Resampling {
        randomisations: RANDOMISATIONS.max(RANDOMISATIONS_PER_TEST * tests),
        ..*resampling
    };
    let mut differences = Vec::with_capacity(tests);
    for metric in &metrics {
        for &(later, earlier) in pairs {
            let (a, b) = (&systems[later], &systems[earlier]);
            differences.push(difference(metric, a, b, groupings, &resampling)?);
        }
    }
    correct(&mut differences);
    Ok(differences)
}

/// All pairs of so many systems, each later one against each earlier one.
pub fn all_pairs(systems: usize) -> Vec<(usize, usize)> {
    (1..systems).flat_map(|later| (0..later).map(move |earlier| (later, earlier))).collect()
}

/// Both distances, then the metrics that have statistics of each image, by name.
fn metrics(systems: &[Contender]) -> Vec<&'static str> {
    let mut names = vec![FGD_PAIRED, FGD_SET];
    if let Some(rows) = systems.iter().find_map(|system| system.rows.as_ref().ok()) {
        let further = rows.per_caption.statistics.keys();
        names.extend(further.filter(|&&name| name != FGD_PAIRED));
    }
    names
}

fn difference(
    metric: &str,
    a: &Contender,
    b: &Contender,
    groupings: &[Grouping],
    resampling: &Resampling,
) -> Result<Difference, MetricError> {
    let evidence = evidence(metric, a, b);
    let mut difference = Difference {
        metric: metric.to_owned(),
        higher_is_better: higher_is_better(metric, &a.scores),
        system: a.name.clone(),
        versus: b.name.clone(),
        test: test_of(&evidence, resampling),
        warning: match evidence {
            Evidence::Set(a, _) => few(a.len(), a),
            _ => None,
        },
        ..Difference::default()
    };
    match found(&evidence, None, resampling)? {
        Ok(found) => {
            difference.estimate = measure(&found);
            difference.p_value = Some(found.p_value);
            difference.minimum_detectable = Some(found.detectable);
            difference.n_needed =
                images_needed(found.influence.value, found.influence.se, found.images);
        }
        Err(reason) => {
            difference.estimate = Measure {
                value: (value(&a.scores, metric).flatten())
                    .zip(value(&b.scores, metric).flatten())
                    .map(|(a, b)| a - b),
                reason: Some(reason),
                ..Measure::default()
            };
        }
    }
    if let (Evidence::Statistics(a, b), Some(higher)) = (&evidence, difference.higher_is_better)
        && a.is_mean()
        && let Ok(outcomes) = outcomes(&a.per_image(), &b.per_image(), !higher)
    {
        difference.wins = Some(outcomes.wins as u64);
        difference.ties = Some(outcomes.ties as u64);
        difference.losses = Some(outcomes.losses as u64);
    }
    // Within groups there are estimates and no tests, so nothing is exchanged.
    let estimates_only = Resampling { randomisations: 1, ..*resampling };
    for grouping in groupings {
        for (group, images) in &grouping.groups {
            difference.slices.push(DifferenceSlice {
                column: grouping.column.clone(),
                value: group.clone(),
                n: images.len() as u64,
                warning: match evidence {
                    Evidence::Set(a, _) => few(images.len(), a),
                    _ => None,
                },
                estimate: match found(&evidence, Some(images), &estimates_only)? {
                    Ok(found) => measure(&found),
                    Err(reason) => Measure::missing(reason),
                },
            });
        }
    }
    Ok(difference)
}

/// Intervals of a set distance need more images than dimensions; exchanges do not.
fn few(images: usize, set: &EvalSet) -> Option<String> {
    let dimensions = set.candidates.ncols();
    (images <= dimensions).then(|| {
        format!(
            "{images} images in {dimensions} dimensions: the interval is only indicative and may disagree with the \
             p-value, which is exact"
        )
    })
}

/// What a metric of two systems can be compared by.
fn evidence<'a>(metric: &str, a: &'a Contender, b: &'a Contender) -> Evidence<'a> {
    let (a, b) = match (&a.rows, &b.rows) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(reason), _) | (_, Err(reason)) => return Evidence::Untested(reason.to_string()),
    };
    let statistics = |system: &'a PerImage| system.per_caption.statistics.get(metric);
    match (statistics(a), statistics(b)) {
        _ if metric == FGD_SET => Evidence::Set(&a.set, &b.set),
        (Some(a), Some(b)) => Evidence::Statistics(a, b),
        _ => Evidence::Untested("was not computed for both systems".into()),
    }
}

/// Compares two systems on `images`, or on all; the inner error is why that cannot be done.
fn found(
    evidence: &Evidence,
    images: Option<&[usize]>,
    resampling: &Resampling,
) -> Result<Result<compare::Difference, String>, MetricError> {
    let found = match (evidence, images) {
        (Evidence::Statistics(a, b), None) => paired_difference(a, b, resampling),
        (Evidence::Statistics(a, b), Some(images)) => {
            paired_difference(&a.subset(images), &b.subset(images), resampling)
        }
        (Evidence::Set(a, b), None) => set(a, b, resampling),
        (Evidence::Set(a, b), Some(images)) => {
            set(&a.subset(images), &b.subset(images), resampling)
        }
        (Evidence::Untested(reason), _) => return Ok(Err(reason.clone())),
    };
    match found {
        Ok(found) => Ok(Ok(found)),
        Err(error @ MetricError::TooFew { .. }) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

fn set(
    a: &EvalSet,
    b: &EvalSet,
    resampling: &Resampling,
) -> Result<compare::Difference, MetricError> {
    let image_of = a.image_of.as_deref().unwrap_or_default();
    set_difference(
        a.candidates.view(),
        b.candidates.view(),
        a.references.view(),
        image_of,
        resampling,
    )
}

fn test_of(evidence: &Evidence, resampling: &Resampling) -> String {
    let test = match evidence {
        Evidence::Statistics(a, _) if a.is_mean() => "sign-flip",
        Evidence::Statistics(..) => "statistics exchange",
        Evidence::Set(..) => "caption exchange",
        Evidence::Untested(_) => return "none".into(),
    };
    format!("{test}, {} draws", resampling.randomisations)
}

fn measure(found: &compare::Difference) -> Measure {
    let estimate = found.bootstrap;
    Measure::estimated(estimate.value, estimate.se, estimate.ci95)
}

/// Holm's correction over everything that was tested.
fn correct(differences: &mut [Difference]) {
    let tested: Vec<f64> = differences.iter().filter_map(|d| d.p_value).collect();
    let mut adjusted = holm(&tested).into_iter();
    for difference in differences.iter_mut().filter(|d| d.p_value.is_some()) {
        difference.p_holm = adjusted.next();
    }
}
