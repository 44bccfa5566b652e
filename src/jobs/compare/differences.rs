//! Several systems on the same images: what can be said about their differences.
//!
//! Every system was assembled with the same references, so image `i` of one is image `i` of all. Saved records
//! and moments take part with the numbers they have: their differences have no test, and say so.

use crate::jobs::scoring::numbers::PerCaption;
use crate::jobs::scoring::set::EvalSet;
use crate::jobs::scoring::slices::Grouping;
use fgd_metrics::MetricError;
use fgd_metrics::compare::{
    self, Resampling, holm, images_needed, outcomes, paired_difference, set_difference,
};
use fgd_record::{Difference, DifferenceSlice, Measure, ScoreResults};

/// Random exchanges of a test, where few are made.
const RANDOMISATIONS: usize = 10_000;
/// With this many exchanges per test made, the smallest corrected p-value is 0.005.
const RANDOMISATIONS_PER_TEST: usize = 200;
/// A metric is a mean over images if it equals that mean to this share.
const SAME: f64 = 1e-9;

/// A system that takes part in a comparison.
#[derive(Debug)]
pub struct Contender {
    /// What reports call it.
    pub name: String,
    /// Its numbers.
    pub scores: ScoreResults,
    /// Its captions and their numbers, or why there are none.
    pub rows: Result<Rows, NoRows>,
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
pub struct Rows {
    /// The evaluation set, paired by image.
    pub set: EvalSet,
    /// One number per caption.
    pub per_caption: PerCaption,
}

/// What there is to compare two systems by, in one metric.
enum Values<'a> {
    /// The metric is a mean over images: its values for the two systems, NaN where an image has none.
    Mean(&'a [f64], &'a [f64]),
    /// The set distance of two sets.
    Set(&'a EvalSet, &'a EvalSet),
    /// There is no test, for this reason.
    Untested(String),
}

/// The differences of every pair of systems in both distances and in every further metric that was
/// computed per caption, each later system against each earlier one.
///
/// The p-values are corrected together (Holm). `groupings` adds the differences within groups of images,
/// which are estimates and not tested.
///
/// # Errors
/// Systems that were not scored on the same images, or a resampling that is too small.
pub fn differences(
    systems: &[Contender],
    groupings: &[Grouping],
    resampling: &Resampling,
) -> Result<Vec<Difference>, MetricError> {
    let metrics = metrics(systems);
    let pairs: Vec<(usize, usize)> = (1..systems.len())
        .flat_map(|later| (0..later).map(move |earlier| (later, earlier)))
        .collect();
    let tests = metrics.len() * pairs.len();
    let resampling = Resampling {
        randomisations: RANDOMISATIONS.max(RANDOMISATIONS_PER_TEST * tests),
        ..*resampling
    };
    let mut differences = Vec::with_capacity(tests);
    for metric in &metrics {
        for &(later, earlier) in &pairs {
            let (a, b) = (&systems[later], &systems[earlier]);
            differences.push(difference(metric, a, b, groupings, &resampling)?);
        }
    }
    correct(&mut differences);
    Ok(differences)
}

/// Both distances, then the metrics that have a value per caption, by name.
fn metrics(systems: &[Contender]) -> Vec<String> {
    let mut names = vec!["fgd_paired".to_owned(), "fgd_set".to_owned()];
    if let Some(rows) = systems.iter().find_map(|system| system.rows.as_ref().ok()) {
        names.extend(rows.per_caption.metrics.keys().cloned());
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
    let values = values(metric, a, b);
    let mut difference = Difference {
        metric: metric.to_owned(),
        higher_is_better: higher_is_better(metric, a),
        system: a.name.clone(),
        versus: b.name.clone(),
        test: test_of(&values, resampling),
        warning: match values {
            Values::Set(a, _) => few(a.len(), a),
            _ => None,
        },
        ..Difference::default()
    };
    match found(&values, None, resampling)? {
        Ok(found) => {
            difference.estimate = measure(&found);
            difference.p_value = Some(found.p_value);
            difference.minimum_detectable = Some(found.detectable);
            difference.n_needed =
                images_needed(found.influence.value, found.influence.se, found.images);
        }
        Err(reason) => {
            difference.estimate = Measure {
                value: value(&a.scores, metric)
                    .zip(value(&b.scores, metric))
                    .map(|(a, b)| a - b),
                reason: Some(reason),
                ..Measure::default()
            };
        }
    }
    if let (Values::Mean(a, b), Some(higher)) = (&values, difference.higher_is_better) {
        let (a, b) = with_values(a, b, None);
        if let Ok(outcomes) = outcomes(&a, &b, !higher) {
            difference.wins = Some(outcomes.wins as u64);
            difference.ties = Some(outcomes.ties as u64);
            difference.losses = Some(outcomes.losses as u64);
        }
    }
    // Within groups there are estimates and no tests, so nothing is exchanged.
    let estimates_only = Resampling {
        randomisations: 1,
        ..*resampling
    };
    for grouping in groupings {
        for (group, images) in &grouping.groups {
            difference.slices.push(DifferenceSlice {
                column: grouping.column.clone(),
                value: group.clone(),
                n: images.len() as u64,
                warning: match values {
                    Values::Set(a, _) => few(images.len(), a),
                    _ => None,
                },
                estimate: match found(&values, Some(images), &estimates_only)? {
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
fn values<'a>(metric: &str, a: &'a Contender, b: &'a Contender) -> Values<'a> {
    let (rows_of_a, rows_of_b) = match (&a.rows, &b.rows) {
        (Ok(of_a), Ok(of_b)) => (of_a, of_b),
        (Err(reason), _) | (_, Err(reason)) => return Values::Untested(reason.to_string()),
    };
    if metric == "fgd_set" {
        return Values::Set(&rows_of_a.set, &rows_of_b.set);
    }
    let of = |rows: &'a Rows| -> Option<&'a [f64]> {
        match metric {
            "fgd_paired" => rows.per_caption.distance.as_deref(),
            _ => rows.per_caption.metrics.get(metric).map(Vec::as_slice),
        }
    };
    let is_mean = |system: &Contender, values: &[f64]| {
        let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        let mean = finite.iter().sum::<f64>() / finite.len() as f64;
        value(&system.scores, metric)
            .is_some_and(|value| (value - mean).abs() <= SAME * value.abs().max(SAME))
    };
    match (of(rows_of_a), of(rows_of_b)) {
        (Some(of_a), Some(of_b)) if is_mean(a, of_a) && is_mean(b, of_b) => {
            Values::Mean(of_a, of_b)
        }
        (Some(_), Some(_)) => Values::Untested(
            "the value of all captions is not the mean over the captions, so there is no test"
                .into(),
        ),
        _ => Values::Untested("was not computed for both systems".into()),
    }
}

/// Compares two systems on `images`, or on all; the inner error is why that cannot be done.
fn found(
    values: &Values,
    images: Option<&[usize]>,
    resampling: &Resampling,
) -> Result<Result<compare::Difference, String>, MetricError> {
    let found = match values {
        Values::Mean(a, b) => {
            let (a, b) = with_values(a, b, images);
            paired_difference(&a, &b, resampling)
        }
        Values::Set(a, b) => match images {
            None => set(a, b, resampling),
            Some(images) => set(&a.subset(images), &b.subset(images), resampling),
        },
        Values::Untested(reason) => return Ok(Err(reason.clone())),
    };
    match found {
        Ok(found) => Ok(Ok(found)),
        Err(error @ MetricError::TooFew { .. }) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

/// The values of the images that have one for both systems.
fn with_values(a: &[f64], b: &[f64], images: Option<&[usize]>) -> (Vec<f64>, Vec<f64>) {
    let all: Vec<usize>;
    let images = match images {
        Some(images) => images,
        None => {
            all = (0..a.len().min(b.len())).collect();
            &all
        }
    };
    images
        .iter()
        .map(|&image| (a[image], b[image]))
        .filter(|(a, b)| a.is_finite() && b.is_finite())
        .unzip()
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

fn test_of(values: &Values, resampling: &Resampling) -> String {
    let draws = resampling.randomisations;
    match values {
        Values::Mean(..) => format!("sign-flip, {draws} draws"),
        Values::Set(..) => format!("caption exchange, {draws} draws"),
        Values::Untested(_) => "none".into(),
    }
}

fn measure(found: &compare::Difference) -> Measure {
    let estimate = found.bootstrap;
    Measure::estimated(estimate.value, estimate.se, estimate.ci95)
}

/// The value of a metric that is compared; the set distance with its bias, as it is defined.
fn value(scores: &ScoreResults, metric: &str) -> Option<f64> {
    match metric {
        "fgd_paired" => scores.fgd_paired.value,
        "fgd_set" => scores.fgd_set.value,
        _ => scores.metrics.get(metric)?.measure.value,
    }
}

fn higher_is_better(metric: &str, system: &Contender) -> Option<bool> {
    match metric {
        "fgd_paired" | "fgd_set" => Some(false),
        _ => system.scores.metrics.get(metric)?.higher_is_better,
    }
}

/// Holm's correction over everything that was tested.
fn correct(differences: &mut [Difference]) {
    let tested: Vec<f64> = differences.iter().filter_map(|d| d.p_value).collect();
    let mut adjusted = holm(&tested).into_iter();
    for difference in differences.iter_mut().filter(|d| d.p_value.is_some()) {
        difference.p_holm = adjusted.next();
    }
}
