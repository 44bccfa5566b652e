//! From an evaluation set to the numbers of a score.

use std::collections::BTreeMap;

use fgd_metrics::MetricError;
use fgd_metrics::compare::quantile;
use fgd_metrics::decomposition;
use fgd_metrics::estimate::{Estimate, Unavailable};
use fgd_metrics::inference::SetInference;
use fgd_metrics::metric::{Definition, Detail, Evaluation, FGD_PAIRED, Metric, Value};
use fgd_metrics::samples::{Captions, Sample};
use fgd_metrics::statistics::{SetStatistics, set_statistics};
use fgd_metrics::sufficient::Statistics;
use fgd_metrics::table::metric;
use fgd_metrics::text::tokenize;
use fgd_record::{
    Decomposition, Distribution, Mark, Measure, Pairing, ScoreResults, SetMeasure, TextStatistics,
    WorstCaption,
};

use super::metrics::{Choice, put};
use super::set::EvalSet;
use super::size::Size;

/// Bins of the histogram of distances.
const BINS: usize = 40;

/// A score with what it says of every single caption.
#[derive(Debug, Clone)]
pub struct SetScore {
    /// The numbers of the system.
    pub results: ScoreResults,
    /// The numbers of its captions.
    pub per_caption: PerCaption,
}

/// What single captions have to do with the numbers, in the order of the evaluation set.
#[derive(Debug, Clone, Default)]
pub struct PerCaption {
    /// Statistics of every image, by the names of the metrics that have them.
    pub statistics: BTreeMap<&'static str, Statistics>,
    /// What is known of the set distance of the populations, which two systems are compared by.
    pub inference: Option<SetInference>,
    /// Influence on the set distance, where it could be computed.
    pub influence: Option<Vec<f64>>,
    /// Influence of every reference on the set distance, in the order of the references.
    pub reference_influence: Option<Vec<f64>>,
}

impl PerCaption {
    /// Squared distance to the references; `None` when unpaired.
    pub fn distance(&self) -> Option<Vec<f64>> {
        self.statistics.get(FGD_PAIRED).map(Statistics::per_image)
    }
}

/// Scores an evaluation set: the metrics of `choice`, among which the distances always are.
///
/// # Errors
/// Where not even the distances have a meaning: no caption, or sides of different dimensions. What is
/// only out of reach, such as words where there are none, is missing in the results with its reason.
pub fn score(set: &EvalSet, choice: &Choice) -> Result<SetScore, MetricError> {
    let sample = sample(set, choice.seed);
    let mut scored = SetScore {
        results: ScoreResults {
            n: set.len() as u64,
            references: set.references.nrows() as u64,
            pairing: match set.image_of {
                Some(_) => Pairing::Paired,
                None => Pairing::Unpaired,
            },
            ..ScoreResults::default()
        },
        per_caption: PerCaption::default(),
    };
    for metric in choice.metrics() {
        match metric.evaluate(&sample) {
            Ok(found) => scored.add(metric.definitions(), found, set),
            Err(error) if is_out_of_reach(metric, &error) => {
                for definition in metric.definitions() {
                    let missing = Measure::missing(error.to_string());
                    put(&mut scored.results, definition.name, missing);
                }
            }
            Err(error) => return Err(error),
        }
    }
    if let Some(warning) = same(set).or_else(|| dependent(set)) {
        let known = scored.results.fgd_set.warning.take();
        scored.results.fgd_set.warning =
            Some(known.map_or(warning.clone(), |known| format!("{warning}; {known}")));
    }
    let distances = scored.per_caption.distance();
    scored.results.distances = distances.map(|distances| distribution(&distances));
    Ok(scored)
}

/// The inference of the set distance alone, for a part of the images.
///
/// # Errors
/// As [`score`]; the inner error is why it cannot be had.
pub fn inference(set: &EvalSet, seed: u64) -> Result<Result<SetInference, String>, MetricError> {
    match set_statistics(&sample(set, seed)) {
        Ok(found) => Ok(found.inference.map_err(|reason| reason.to_string())),
        Err(error @ MetricError::TooFew { .. }) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Said of a set beside itself.
pub(in crate::jobs) const SAME: &str =
    "submission and references are the same captions: nothing is measured";

fn same(set: &EvalSet) -> Option<String> {
    (set.candidates == set.references).then(|| SAME.to_owned())
}

/// Unpaired sets that are not independent, in words.
fn dependent(set: &EvalSet) -> Option<String> {
    let units = set.units.as_ref().filter(|_| set.image_of.is_none())?;
    let shared = super::clusters::shared(units);
    (shared > 0).then(|| {
        format!(
            "the two sets are not independent: {shared} of {} images or captions of the submission are on both sides, and vary together",
            units.on(0)
        )
    })
}

/// What metrics may look at.
pub(in crate::jobs) fn sample(set: &EvalSet, seed: u64) -> Sample<'_> {
    let (candidates, references) = set.views();
    let is_runaway = fgd_captions::is_runaway;
    Sample {
        candidates,
        references,
        image_of: set.image_of.as_deref(),
        units: set.units.as_ref(),
        population: set.population,
        captions: set.texts.as_ref().map(|texts| match set.image_of {
            Some(_) => Captions::new(&texts.candidates, set.references_of(), is_runaway),
            None => {
                let references = texts.references.iter().map(String::as_str).collect();
                Captions::of_other_images(&texts.candidates, references, is_runaway)
            }
        }),
        seed,
    }
}

/// Whether the other numbers stand where this one cannot be had.
fn is_out_of_reach(metric: &dyn Metric, error: &MetricError) -> bool {
    match error {
        MetricError::Unpaired => true,
        MetricError::TooFew { .. } => metric.definitions()[0].name != FGD_PAIRED,
        _ => metric.group().is_some(),
    }
}

impl SetScore {
    /// Takes the further means over images from what these images have among all images of a set.
    ///
    /// # Errors
    /// Clusters that do not fit the sample.
    pub(super) fn take_means(
        &mut self,
        whole: &PerCaption,
        images: &[usize],
        part: &Sample,
    ) -> Result<(), MetricError> {
        let units = part.units()?;
        for (name, statistics) in &whole.statistics {
            let (Some(definition), Some(found)) =
                (metric(name), self.results.metrics.get_mut(*name))
            else {
                continue;
            };
            if definition.is_mean {
                let statistics = statistics.subset(images);
                found.measure = match statistics.estimate(units.of(0)) {
                    Ok(estimate) => measured(estimate.within(definition.range)),
                    Err(few) => Measure {
                        reason: Some(few.to_string()),
                        ..Measure::exact(statistics.value())
                    },
                };
                self.per_caption.statistics.insert(name, statistics);
            }
        }
        Ok(())
    }

    fn add(&mut self, definitions: &[Definition], found: Evaluation, set: &EvalSet) {
        for (definition, value) in definitions.iter().zip(found.values) {
            put(&mut self.results, definition.name, measure(&value));
            let statistics = value.statistics.map(|found| (definition.name, found));
            self.per_caption.statistics.extend(statistics);
        }
        match found.detail {
            Detail::None => {}
            Detail::Set(statistics) => {
                let SetStatistics { distance, inference, .. } = &*statistics;
                self.results.fgd_set = set_measure(distance.value, inference, Size::of(set));
                self.results.decomposition = statistics.decomposition.map(decomposed);
                self.results.influences = Some(distribution(&statistics.influence.candidates));
                self.per_caption.inference = statistics.inference.ok();
                self.per_caption.influence = Some(statistics.influence.candidates);
                self.per_caption.reference_influence = Some(statistics.influence.references);
            }
            Detail::Infinity(line) => {
                if let Some(infinity) = &mut self.results.fgd_infinity {
                    infinity.slope = Some(line.slope);
                    infinity.r2 = Some(line.r2);
                    let points = line.points.iter();
                    infinity.points = points.map(|at| (at.n as u64, at.value)).collect();
                }
            }
            Detail::Captions { lengths, duplicates, runaway } => {
                let references = set.texts.iter().flat_map(|texts| &texts.references);
                let references = references.map(|text| tokenize(text).len() as f64).collect();
                let [lengths, references] = distributions([lengths, references]);
                self.results.texts = Some(TextStatistics {
                    lengths,
                    reference_lengths: Some(references),
                    duplicates,
                    repetitive: runaway,
                });
            }
        }
    }
}

/// A number as it stands in a record.
fn measure(found: &Value) -> Measure {
    let known = match (found.value, found.estimate) {
        (Some(value), Some(estimate)) => Measure::estimated(value, estimate.se, estimate.ci95),
        (Some(value), None) => Measure::exact(value),
        (None, _) => Measure::default(),
    };
    Measure { reason: known.reason.or(found.reason.as_ref().map(ToString::to_string)), ..known }
}

/// An estimate as it stands in a record.
pub(in crate::jobs) fn measured(estimate: Estimate) -> Measure {
    Measure::estimated(estimate.value, estimate.se, estimate.ci95)
}

/// The set distance of a sample of this size as it stands in a record.
pub(in crate::jobs) fn set_measure(
    distance: f64,
    inference: &Result<SetInference, Unavailable>,
    size: Size,
) -> SetMeasure {
    let raw = SetMeasure { value: Some(distance), ..SetMeasure::default() };
    match inference {
        Ok(found) => SetMeasure {
            bias: Some(distance - found.corrected.value),
            corrected: Some(found.corrected.value),
            se: Some(found.corrected.se),
            ci95: Some(found.corrected.ci95),
            marks: marks(found),
            warning: size.advice(found),
            ..raw
        },
        Err(unavailable) => SetMeasure { reason: Some(unavailable.to_string()), ..raw },
    }
}

/// How an interval is to be taken.
fn marks(found: &SetInference) -> Vec<Mark> {
    let small = found.small_sample.then_some(Mark::SmallSample);
    small.into_iter().chain(found.nearly_equal.then_some(Mark::NearlyEqual)).collect()
}

/// What the paired distance is made of, as it stands in a record.
pub(in crate::jobs) fn decomposed(parts: decomposition::Decomposition) -> Decomposition {
    Decomposition {
        mean_shift: parts.mean_shift,
        covariance: parts.covariance,
        misalignment: parts.misalignment,
    }
}

/// Histogram and quantiles of finite values, of which there must be at least one.
fn distribution(values: &[f64]) -> Distribution {
    let [found] = distributions([values.to_vec()]);
    found
}

/// Histograms in the same bins, so that one can be drawn over the other. None of them is empty.
fn distributions<const N: usize>(mut values: [Vec<f64>; N]) -> [Distribution; N] {
    values.iter_mut().for_each(|values| values.sort_by(f64::total_cmp));
    let low = values.iter().map(|sorted| sorted[0]).fold(f64::INFINITY, f64::min);
    let high = values.iter().map(|sorted| sorted[sorted.len() - 1]);
    let high = high.fold(f64::NEG_INFINITY, f64::max);
    let width = if high > low { (high - low) / BINS as f64 } else { 1.0 };
    values.map(|sorted| {
        let mut counts = vec![0; BINS];
        for value in &sorted {
            let bin = ((value - low) / width) as usize;
            counts[bin.min(BINS - 1)] += 1;
        }
        Distribution {
            edges: (0..=BINS).map(|bin| low + width * bin as f64).collect(),
            counts,
            quantiles: [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0]
                .map(|share| quantile(&sorted, share)),
        }
    })
}

/// The `count` captions that hurt most: by distance when paired, by influence otherwise.
pub fn worst(set: &EvalSet, per_caption: &PerCaption, count: usize) -> Vec<WorstCaption> {
    let Some(texts) = &set.texts else {
        return Vec::new();
    };
    let distances = per_caption.distance();
    let influences = per_caption.influence.as_ref();
    let Some(key) = distances.as_ref().or(influences) else {
        return Vec::new();
    };
    let mut order: Vec<usize> = (0..set.len()).collect();
    order.sort_by(|&a, &b| key[b].total_cmp(&key[a]).then(a.cmp(&b)));
    order.truncate(count);
    let references = set.references_of();
    let thresholds = Thresholds {
        distance: upper_tenth(distances.as_ref()),
        influence: upper_tenth(influences),
    };
    order
        .into_iter()
        .map(|i| {
            let distance = distances.as_ref().map(|values| values[i]);
            let influence = influences.map(|values| values[i]);
            WorstCaption {
                image_id: texts.ids[i].clone(),
                row: texts.rows[i],
                caption: texts.candidates[i].clone(),
                references: references[i].iter().map(|&text| text.to_owned()).collect(),
                distance,
                influence,
                why: thresholds.explain(distance, influence).into(),
            }
        })
        .collect()
}

/// From where on a caption counts as far from its reference, or as unlike the references at large.
struct Thresholds {
    distance: f64,
    influence: f64,
}

/// Below this distance two captions mean the same, or are.
const ALIKE: f64 = 1e-6;

/// Where the upper tenth of the values begins.
fn upper_tenth(values: Option<&Vec<f64>>) -> f64 {
    values.map_or(f64::INFINITY, |values| {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[(sorted.len() - 1) * 9 / 10]
    })
}

impl Thresholds {
    fn explain(&self, distance: Option<f64>, influence: Option<f64>) -> &'static str {
        if distance.is_some_and(|value| value < ALIKE) {
            return "says what its reference says";
        }
        let far = distance.is_some_and(|value| value >= self.distance);
        let unlike = influence.is_some_and(|value| value >= self.influence);
        match (far, unlike) {
            (true, true) => {
                "in the tenth of this file farthest from their references and in that least like the references at large"
            }
            (true, false) => {
                "in the tenth of this file farthest from their references, though it reads like the references at large"
            }
            (false, true) => {
                "in the tenth of this file least like the references at large, though not far from its own"
            }
            (false, false) => "in the ordinary range",
        }
    }
}
