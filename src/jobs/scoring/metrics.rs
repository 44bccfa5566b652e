//! Which metrics of the table a score has, and where its record keeps them.
//!
//! The distances of every score have fields of their own in a record, all further metrics are in a map: this is the one place
//! that knows.

use fgd_metrics::metric::{FGD_INFINITY, FGD_PAIRED, FGD_SET, Group, MEAN_COSINE, Metric};
use fgd_metrics::table::{self, ALL, METRICS, metric};
use fgd_record::{self as record, Infinity, Measure, ScoreResults, SetMeasure};

/// What to compute besides the distances, which are always there.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// The groups.
    pub groups: Vec<Group>,
    /// Seed of everything random.
    pub seed: u64,
}

/// A name that is no group of metrics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("metrics: `{name}` is none; there are {}", known().join(", "))]
pub struct UnknownGroup {
    /// The name.
    pub name: String,
}

/// The names of all groups.
pub fn known() -> Vec<&'static str> {
    table::groups().map(|group| group.name).collect()
}

impl Choice {
    /// The groups of these names.
    ///
    /// # Errors
    /// A name that is none.
    pub fn of(names: &[String], seed: u64) -> Result<Self, UnknownGroup> {
        let group =
            |name: &String| table::group(name).ok_or_else(|| UnknownGroup { name: name.clone() });
        Ok(Self { groups: names.iter().map(group).collect::<Result<_, _>>()?, seed })
    }

    /// The metrics to compute, in the order of the table.
    pub fn metrics(&self) -> impl Iterator<Item = &'static dyn Metric> {
        let has = |group| self.groups.contains(&group) || self.groups.contains(&ALL);
        let chosen = move |metric: &&&'static dyn Metric| metric.group().is_none_or(has);
        METRICS.iter().filter(chosen).copied()
    }

    /// The numbers that these compute, by name.
    pub fn names(&self) -> Vec<&'static str> {
        let definitions = self.metrics().flat_map(|metric| metric.definitions());
        definitions.map(|definition| definition.name).collect()
    }
}

/// Puts a number of the table where the record keeps it.
pub(super) fn put(results: &mut ScoreResults, name: &'static str, measure: Measure) {
    match name {
        FGD_PAIRED => results.fgd_paired = measure,
        MEAN_COSINE => results.mean_cosine = measure,
        FGD_SET => {
            results.fgd_set = SetMeasure {
                value: measure.value,
                reason: measure.reason,
                ..SetMeasure::default()
            };
        }
        FGD_INFINITY => {
            results.fgd_infinity = Some(Infinity { value: measure, ..Infinity::default() });
        }
        _ => {
            let definition = metric(name);
            let further = record::Metric {
                measure,
                label: definition.map_or(name, |found| found.label).to_owned(),
                higher_is_better: higher_is_better(name, results),
                is_count: definition.is_some_and(|found| found.is_count),
            };
            results.metrics.insert(name.to_owned(), further);
        }
    }
}

/// Every number of a score by name, computed or missing: the distances, then further metrics. The set distance comes as it is
/// defined, with its bias and without an interval.
pub fn numbers(scores: &ScoreResults) -> Vec<(&str, Measure)> {
    let set = Measure { value: scores.fgd_set.value, ..Measure::default() };
    let mut all = vec![
        (FGD_PAIRED, scores.fgd_paired.clone()),
        (FGD_SET, set),
        (MEAN_COSINE, scores.mean_cosine.clone()),
    ];
    let infinity = scores.fgd_infinity.as_ref();
    all.extend(infinity.map(|infinity| (FGD_INFINITY, infinity.value.clone())));
    let further = scores.metrics.iter();
    all.extend(further.map(|(name, metric)| (name.as_str(), metric.measure.clone())));
    all
}

/// The value of a metric: `None` if the score has no such metric, `Some(None)` if it could not be computed.
pub fn value(scores: &ScoreResults, name: &str) -> Option<Option<f64>> {
    let found = numbers(scores).into_iter().find(|(known, _)| *known == name);
    found.map(|(_, measure)| measure.value)
}

/// Whether a higher value is better, from the table, or of metrics of other versions from the record.
pub fn higher_is_better(name: &str, scores: &ScoreResults) -> Option<bool> {
    match metric(name) {
        Some(definition) => definition.direction.higher_is_better(),
        None => scores.metrics.get(name)?.higher_is_better,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_those_of_the_table() {
        let names = |choice: &Choice| -> Vec<&str> {
            let metrics = choice.metrics().map(|metric| metric.definitions()[0].name);
            metrics.collect()
        };
        assert_eq!(names(&Choice::default()), [FGD_PAIRED, FGD_SET]);
        let choice = Choice::of(&["cider".into(), "infinity".into()], 1).unwrap();
        assert_eq!(names(&choice), [FGD_PAIRED, FGD_SET, FGD_INFINITY, "cider"]);
        let all = Choice::of(&["all".into()], 1).unwrap();
        assert_eq!(names(&all).len(), METRICS.len());
        let unknown = Choice::of(&["bleuu".into()], 1).unwrap_err().to_string();
        assert!(unknown.ends_with("there are infinity, mmd, sliced, prdc, vendi, bleu, rouge, meteor, cider, diversity, ocr, all"), "{unknown}");
    }
}
