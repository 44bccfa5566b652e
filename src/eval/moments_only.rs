//! The set distance where one side is given as moments: no rows, so no pairs and no captions.

use fgd_metrics::moments::Moments;
use fgd_metrics::{MetricError, frechet};
use fgd_reports::record::{Measure, Pairing, ScoreResults, SetMeasure};
use std::collections::BTreeMap;

/// Scores moments against moments; a count of `None` is one that its file does not tell.
pub fn score(
    candidates: &(Moments, Option<u64>),
    references: &(Moments, Option<u64>),
) -> Result<ScoreResults, MetricError> {
    let distance = frechet::from_moments(&candidates.0, &references.0)?;
    let unpaired = "moments have no rows, so nothing can be paired";
    Ok(ScoreResults {
        n: candidates.1.unwrap_or(0),
        references: references.1.unwrap_or(0),
        pairing: Pairing::Unpaired,
        fgd_paired: Measure::missing(unpaired),
        fgd_set: SetMeasure {
            value: Some(distance.value),
            reason: Some("a standard error needs the embeddings of both sides".into()),
            ..SetMeasure::default()
        },
        decomposition: None,
        mean_cosine: Measure::missing(unpaired),
        fgd_infinity: None,
        metrics: BTreeMap::new(),
        slices: Vec::new(),
        distances: None,
        influences: None,
        texts: None,
        worst: Vec::new(),
    })
}
