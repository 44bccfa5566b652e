//! From an evaluation set to the numbers of a score.

use super::metrics::{self, Choice};
use super::set::EvalSet;
use fgd_metrics::decomposition::{self, decompose};
use fgd_metrics::statistics::{SetStatistics, set_statistics};
use fgd_metrics::{MetricError, paired};
use fgd_record::{
    Decomposition, Distribution, Measure, Pairing, ScoreResults, SetMeasure, WorstCaption,
};
use std::collections::BTreeMap;

/// Bins of the histogram of distances.
const BINS: usize = 40;

const UNPAIRED: &str = "unpaired: candidates and references are of other images";

/// A score with what it says of every single caption.
#[derive(Debug, Clone)]
pub struct Scored {
    /// The numbers of the system.
    pub results: ScoreResults,
    /// The numbers of its captions.
    pub per_caption: PerCaption,
}

/// One number per caption, in the order of the evaluation set.
#[derive(Debug, Clone, Default)]
pub struct PerCaption {
    /// Squared distance to the references; `None` when unpaired.
    pub distance: Option<Vec<f64>>,
    /// Influence on the set distance, where it could be computed.
    pub influence: Option<Vec<f64>>,
    /// Influence of every reference on the set distance, in the order of the references.
    pub reference_influence: Option<Vec<f64>>,
    /// Further metrics that were asked for and have a value per caption, by name.
    pub metrics: BTreeMap<String, Vec<f64>>,
}

/// Scores an evaluation set: both distances with their uncertainty, and the metrics of `choice`.
///
/// # Errors
/// Where not even the distances have a meaning: no caption, or sides of different dimensions. What is
/// only out of reach, such as an interval with one image, is missing in the results with its reason.
pub fn score(set: &EvalSet, choice: &Choice) -> Result<Scored, MetricError> {
    let mut results = ScoreResults {
        n: set.len() as u64,
        references: set.references.nrows() as u64,
        pairing: Pairing::Unpaired,
        fgd_paired: Measure::missing(UNPAIRED),
        fgd_set: SetMeasure::default(),
        decomposition: None,
        mean_cosine: Measure::missing(UNPAIRED),
        fgd_infinity: None,
        metrics: BTreeMap::new(),
        slices: Vec::new(),
        distances: None,
        influences: None,
        texts: None,
        worst: Vec::new(),
    };
    let mut per_caption = PerCaption::default();
    if let Some(pairs) = set.pairs() {
        let distance = paired::fgd_paired(&pairs)?;
        results.pairing = Pairing::Paired;
        results.fgd_paired = if distance.n > 1 {
            Measure::estimated(distance.value, distance.se, distance.ci95)
        } else {
            Measure {
                reason: Some("one image has no standard error; score at least two".into()),
                ..Measure::exact(distance.value)
            }
        };
        results.mean_cosine = Measure::exact(distance.mean_cosine);
        results.distances = Some(distribution(&distance.per_image));
        per_caption.distance = Some(distance.per_image);
    }
    let (candidates, references) = set.views();
    match set_statistics(candidates, references, set.sampling()) {
        Ok(statistics) => {
            results.fgd_set = set_measure(&statistics);
            results.decomposition = statistics.decomposition.map(decomposed);
            results.influences = Some(distribution(&statistics.influence.candidates));
            per_caption.influence = Some(statistics.influence.candidates);
            per_caption.reference_influence = Some(statistics.influence.references);
        }
        Err(error @ MetricError::TooFew { .. }) => {
            results.fgd_set = SetMeasure::missing(error.to_string());
            if let Some(pairs) = set.pairs() {
                results.decomposition = Some(decomposed(decompose(&pairs)?));
            }
        }
        Err(error) => return Err(error),
    }
    metrics::add(set, choice, &mut results, &mut per_caption)?;
    Ok(Scored {
        results,
        per_caption,
    })
}

/// The set distance as it stands in a record.
fn set_measure(statistics: &SetStatistics) -> SetMeasure {
    let mut measure = SetMeasure {
        value: Some(statistics.distance.value),
        ..SetMeasure::default()
    };
    match &statistics.bias {
        Ok(bias) => {
            measure.bias = Some(bias.bias);
            measure.corrected = Some(bias.corrected);
        }
        Err(unavailable) => measure.reason = Some(unavailable.to_string()),
    }
    if let Ok(corrected) = &statistics.corrected {
        measure.se = Some(corrected.se);
        measure.ci95 = Some(corrected.ci95);
    }
    let nearly_equal = statistics.nearly_equal.then(|| {
        "the two sets are nearly equal, so the distance is skewed and its interval only indicative"
            .to_owned()
    });
    let warnings: Vec<String> = statistics
        .warning
        .iter()
        .map(ToString::to_string)
        .chain(nearly_equal)
        .collect();
    measure.warning = (!warnings.is_empty()).then(|| warnings.join("; "));
    measure
}

fn decomposed(parts: decomposition::Decomposition) -> Decomposition {
    Decomposition {
        mean_shift: parts.mean_shift,
        covariance: parts.covariance,
        misalignment: parts.misalignment,
    }
}

/// Histogram and quantiles of finite values, of which there must be at least one.
pub(super) fn distribution(values: &[f64]) -> Distribution {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    let width = if high > low {
        (high - low) / BINS as f64
    } else {
        1.0
    };
    let mut counts = vec![0; BINS];
    for value in &sorted {
        let bin = ((value - low) / width) as usize;
        counts[bin.min(BINS - 1)] += 1;
    }
    let quantile = |share: f64| {
        let place = share * (sorted.len() - 1) as f64;
        let (below, above) = (
            sorted[place.floor() as usize],
            sorted[place.ceil() as usize],
        );
        below + (above - below) * place.fract()
    };
    Distribution {
        edges: (0..=BINS).map(|bin| low + width * bin as f64).collect(),
        counts,
        quantiles: [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0].map(quantile),
    }
}

/// The `count` captions that hurt most: by distance when paired, by influence otherwise.
pub fn worst(set: &EvalSet, per_caption: &PerCaption, count: usize) -> Vec<WorstCaption> {
    let Some(texts) = &set.texts else {
        return Vec::new();
    };
    let Some(key) = per_caption
        .distance
        .as_ref()
        .or(per_caption.influence.as_ref())
    else {
        return Vec::new();
    };
    let mut order: Vec<usize> = (0..set.len()).collect();
    order.sort_by(|&a, &b| key[b].total_cmp(&key[a]).then(a.cmp(&b)));
    order.truncate(count);
    let references = set.references_of();
    let thresholds = Thresholds::of(per_caption);
    order
        .into_iter()
        .map(|i| {
            let distance = per_caption.distance.as_ref().map(|values| values[i]);
            let influence = per_caption.influence.as_ref().map(|values| values[i]);
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

impl Thresholds {
    /// The upper tenth of each number.
    fn of(per_caption: &PerCaption) -> Self {
        let upper_tenth = |values: &Option<Vec<f64>>| {
            values.as_ref().map_or(f64::INFINITY, |values| {
                let mut sorted = values.clone();
                sorted.sort_by(f64::total_cmp);
                sorted[(sorted.len() - 1) * 9 / 10]
            })
        };
        Self {
            distance: upper_tenth(&per_caption.distance),
            influence: upper_tenth(&per_caption.influence),
        }
    }

    fn explain(&self, distance: Option<f64>, influence: Option<f64>) -> &'static str {
        let far = distance.is_some_and(|value| value >= self.distance);
        let unlike = influence.is_some_and(|value| value >= self.influence);
        match (far, unlike) {
            (true, true) => "far from its reference and unlike the references at large: an outlier",
            (true, false) => {
                "reads like the references but not like its own: wrong picture or detail"
            }
            (false, true) => "close to its reference but unlike the references at large: style",
            (false, false) => "in the ordinary range",
        }
    }
}
