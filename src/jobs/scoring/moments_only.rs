//! The set distance where one side is given as moments: no rows, so no pairs and no captions.

use super::system::System;
use fgd_metrics::moments::Moments;
use fgd_metrics::{MetricError, frechet};
use fgd_record::{Measure, Pairing, ScoreResults, SetMeasure};
use ndarray::Array2;

/// Said of every distance that a file of moments takes part in.
const ENCODER_UNKNOWN: &str = "a file of moments does not say which encoder made it: the distance means something only \
                               if the other side has the same one";

/// The moments of what a system holds, and their count where it is known. `embed` is asked only for captions.
pub fn moments_of(
    system: &System,
    embed: &mut dyn FnMut(&[&str]) -> anyhow::Result<Array2<f32>>,
) -> anyhow::Result<(Moments, Option<u64>)> {
    Ok(match system {
        System::Moments { moments, n, .. } => ((**moments).clone(), *n),
        System::Embeddings { embeddings, .. } => (
            Moments::from_rows(embeddings.view()),
            Some(embeddings.nrows() as u64),
        ),
        System::Captions(file) => {
            let texts: Vec<&str> = file.captions.iter().map(|c| c.text.as_str()).collect();
            let rows = embed(&texts)?;
            (Moments::from_rows(rows.view()), Some(rows.nrows() as u64))
        }
    })
}

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
            reason: Some(
                "its bias and its standard error need the embeddings of both sides".into(),
            ),
            warning: Some(ENCODER_UNKNOWN.into()),
            ..SetMeasure::default()
        },
        mean_cosine: Measure::missing(unpaired),
        ..ScoreResults::default()
    })
}
