//! Several systems on the same images: what can be said about their differences.
//!
//! Every system was assembled with the same references, so image `i` of one is image `i` of all. Saved records
//! and moments take part with the numbers they have: their differences have no test, and say so.

use fgd_metrics::MetricError;
use fgd_metrics::compare::{
    Exchange, Power, Resampling, Test, exchange_test, holm, outcomes, paired_difference,
};
use fgd_metrics::estimate::Estimate;
use fgd_metrics::inference::{SetDifference, SetInference};
use fgd_metrics::metric::{FGD_PAIRED, FGD_SET};
use fgd_metrics::sufficient::Statistics;
use fgd_record::{Difference, DifferenceSlice, Mark, Measure, ScoreResults};

use crate::jobs::scoring::metrics::{higher_is_better, value};
use crate::jobs::scoring::numbers::{PerCaption, inference, measured};
use crate::jobs::scoring::set::EvalSet;
use crate::jobs::scoring::slices::Grouping;

/// Random exchanges of a test, where few are made.
const RANDOMISATIONS: usize = 10_000;
/// With this many exchanges per test made, the smallest corrected p-value is 0.005.
const RANDOMISATIONS_PER_TEST: usize = 200;

/// Said of set distances whose bias is not known.
const NO_TEST: &str = "the corrected fgd_set of a system is withheld, so nothing can be said of the difference; fgd_paired needs no \
                       more images than two";

/// Said of systems that have the same captions of different images.
const SAME_SET: &str =
    "the two have the same captions, be it of other images: as sets they are one";

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
    /// Statistics of every image, and the images.
    Statistics(&'a Statistics, &'a Statistics, &'a EvalSet),
    /// The set distance of two sets.
    Set(&'a PerImage, &'a PerImage),
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
        ..Difference::default()
    };
    match found(&evidence, None, resampling)? {
        Ok(found) => {
            difference.estimate = Measure { reason: found.remark, ..measured(found.estimate) };
            difference.marks = found.marks;
            difference.test = found.test;
            difference.p_value = Some(found.p_value);
            difference.exchange_p_value = found.exchange_p_value;
            difference.minimum_detectable = found.power.detectable();
            difference.n_needed = found.power.images_needed(found.estimate.value, found.images);
        }
        Err(reason) => {
            difference.test = "none".to_owned();
            let both = |of: &dyn Fn(&ScoreResults) -> Option<f64>| of(&a.scores).zip(of(&b.scores));
            let corrected = |scores: &ScoreResults| scores.fgd_set.corrected;
            let values = match metric == FGD_SET {
                // Of what tables show, which is not raw of one and corrected of the other.
                true if corrected(&a.scores).or(corrected(&b.scores)).is_some() => both(&corrected),
                _ => both(&|scores| value(scores, metric).flatten()),
            };
            difference.estimate = Measure {
                value: values.map(|(a, b)| a - b),
                reason: Some(reason),
                ..Measure::default()
            };
        }
    }
    if let (Evidence::Statistics(a, b, _), Some(higher)) = (&evidence, difference.higher_is_better)
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
            let found = found(&evidence, Some(images), &estimates_only)?;
            let (estimate, marks) = match found {
                Ok(found) => (measured(found.estimate), found.marks),
                Err(reason) => (Measure::missing(reason), Vec::new()),
            };
            difference.slices.push(DifferenceSlice {
                column: grouping.column.clone(),
                value: group.clone(),
                n: images.len() as u64,
                estimate,
                marks,
            });
        }
    }
    Ok(difference)
}

/// What a metric of two systems can be compared by.
fn evidence<'a>(metric: &str, a: &'a Contender, b: &'a Contender) -> Evidence<'a> {
    let (a, b) = match (&a.rows, &b.rows) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(reason), _) | (_, Err(reason)) => return Evidence::Untested(reason.to_string()),
    };
    let statistics = |system: &'a PerImage| system.per_caption.statistics.get(metric);
    match (statistics(a), statistics(b)) {
        _ if metric == FGD_SET => Evidence::Set(a, b),
        (Some(of_a), Some(of_b)) => Evidence::Statistics(of_a, of_b, &a.set),
        _ => Evidence::Untested("was not computed for both systems".into()),
    }
}

/// What came of a comparison.
struct Found {
    estimate: Estimate,
    marks: Vec<Mark>,
    test: String,
    p_value: f64,
    exchange_p_value: Option<f64>,
    power: Power,
    images: u64,
    /// What else there is to say.
    remark: Option<String>,
}

/// Compares two systems on `images`, or on all; the inner error is why that cannot be done.
fn found(
    evidence: &Evidence,
    images: Option<&[usize]>,
    resampling: &Resampling,
) -> Result<Result<Found, String>, MetricError> {
    let found = match (evidence, images) {
        (Evidence::Statistics(a, b, set), None) => statistics(a, b, set, resampling),
        (Evidence::Statistics(a, b, set), Some(images)) => {
            let set = set.subset(images);
            statistics(&a.subset(images), &b.subset(images), &set, resampling)
        }
        (Evidence::Set(a, b), None) => {
            let (of_a, of_b) = (&a.per_caption.inference, &b.per_caption.inference);
            match (of_a, of_b) {
                (Some(of_a), Some(of_b)) => sets(&a.set, &b.set, of_a, of_b, Some(resampling)),
                _ => return Ok(Err(NO_TEST.to_owned())),
            }
        }
        (Evidence::Set(a, b), Some(images)) => {
            let (a, b) = (a.set.subset(images), b.set.subset(images));
            match (inference(&a, resampling.seed)?, inference(&b, resampling.seed)?) {
                (Ok(of_a), Ok(of_b)) => sets(&a, &b, &of_a, &of_b, None),
                (Err(reason), _) | (_, Err(reason)) => return Ok(Err(reason)),
            }
        }
        (Evidence::Untested(reason), _) => return Ok(Err(reason.clone())),
    };
    match found {
        Ok(found) => Ok(Ok(found)),
        Err(error @ MetricError::TooFew { .. }) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Compares statistics of images, or of clusters of them.
fn statistics(
    a: &Statistics,
    b: &Statistics,
    set: &EvalSet,
    resampling: &Resampling,
) -> Result<Found, MetricError> {
    let found = match set.clusters() {
        None => paired_difference(a, b, resampling),
        Some(of) => paired_difference(&a.by_cluster(of), &b.by_cluster(of), resampling),
    }?;
    let left_out = set.left_out();
    let (estimate, p_value, test, name) = match is_finite(set) {
        true => {
            let (estimate, p_value) = found.of_finite_population(left_out);
            let name = "Student's t, of the images drawn from the population".to_owned();
            (estimate, p_value, Test::Student, name)
        }
        false => {
            let kind = match set.clusters() {
                Some(_) => "cluster exchange",
                None if a.is_mean() => "sign-flip",
                None => "statistics exchange",
            };
            let test = Test::Exchange { differing: found.exchange.differing as u64 };
            (
                found.bootstrap,
                found.exchange.p_value,
                test,
                format!("{kind}, {}", made(&found.exchange)),
            )
        }
    };
    Ok(Found {
        estimate,
        marks: Vec::new(),
        test: name,
        p_value,
        exchange_p_value: None,
        power: Power { test, se: estimate.se, observations: found.images as u64, left_out },
        images: set.len() as u64,
        remark: None,
    })
}

/// How many exchanges a test made.
fn made(exchange: &Exchange) -> String {
    let differing = exchange.differing;
    match exchange.drawn {
        Some(draws) => format!("{draws} draws"),
        None if differing == 0 => "of none: nothing differs".to_owned(),
        None => format!("all 2^{differing} of the {differing} that differ"),
    }
}

/// Whether the images are drawn from finitely many, of which no exchange knows.
fn is_finite(set: &EvalSet) -> bool {
    set.population.is_some()
}

/// Compares set distances; the captions are exchanged where a test is asked for.
fn sets(
    a: &EvalSet,
    b: &EvalSet,
    of_a: &SetInference,
    of_b: &SetInference,
    exchanges: Option<&Resampling>,
) -> Result<Found, MetricError> {
    let difference: SetDifference = of_a.difference(of_b)?;
    let exchange = |resampling| {
        let image_of = a.image_of.as_deref().unwrap_or_default();
        let [x, y, references] =
            [&a.candidates, &b.candidates, &a.references].map(|rows| rows.view());
        exchange_test(x, y, references, image_of, a.clusters(), resampling)
    };
    let exchange = exchanges.filter(|_| !is_finite(a)).map(exchange).transpose()?;
    Ok(Found {
        estimate: difference.corrected,
        marks: difference.small_sample.then_some(Mark::SmallSample).into_iter().collect(),
        test: "normal, of equal corrected fgd_set".to_owned(),
        p_value: difference.p_value(),
        exchange_p_value: exchange.map(|exchange| exchange.p_value),
        power: Power {
            test: Test::Normal,
            se: difference.corrected.se,
            observations: a.len() as u64,
            left_out: a.left_out(),
        },
        images: a.len() as u64,
        remark: difference.same_rows.then(|| SAME_SET.to_owned()),
    })
}

/// Holm's correction over everything that was tested.
fn correct(differences: &mut [Difference]) {
    let tested: Vec<f64> = differences.iter().filter_map(|d| d.p_value).collect();
    let mut adjusted = holm(&tested).into_iter();
    for difference in differences.iter_mut().filter(|d| d.p_value.is_some()) {
        difference.p_holm = adjusted.next();
    }
}
