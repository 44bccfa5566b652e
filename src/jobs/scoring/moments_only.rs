//! The set distance where one side is given as moments: no rows, so no pairs and no captions.

use fgd_metrics::MetricError;
use fgd_metrics::frechet;
use fgd_metrics::moments::Moments;
use fgd_record::{Measure, Pairing, ScoreResults, SetMeasure};

use super::ScoreError;
use super::system::System;
use crate::jobs::JobError;
use crate::jobs::embedding::{Embedding, texts};

/// Said of every distance that a file of moments takes part in.
const ENCODER_UNKNOWN: &str = "a file of moments does not say which encoder made it: the distance means something only \
                               if the other side has the same one";

/// Said where one of them does not tell how many rows it was made of.
const COUNT_UNKNOWN: &str =
    "; nor does it say how many captions it was made of, so that this count is not known";

/// Scores moments against moments, or against those of what the other side holds.
///
/// # Errors
/// Captions that cannot be embedded, sides of different dimensions, moments whose covariance is none.
pub fn score(
    candidates: &System,
    references: &System,
    embedding: &mut Embedding,
) -> Result<ScoreResults, ScoreError> {
    let of_references = match references {
        System::Moments { path, .. } => format!("references {}", path.display()),
        _ => "references".to_owned(),
    };
    let (candidates, n) = moments_of(candidates, embedding)?;
    let (references, m) = moments_of(references, embedding)?;
    let distance = frechet::from_moments(&candidates, &references).map_err(|error| {
        // Whose covariance is none, the error does not say.
        match frechet::from_moments(&references, &references) {
            Err(error @ MetricError::NotACovariance(_)) => {
                JobError::because(of_references, error).into()
            }
            _ => ScoreError::from(error),
        }
    })?;
    let unpaired = "moments have no rows, so nothing can be paired";
    Ok(ScoreResults {
        n,
        references: m,
        pairing: Pairing::Unpaired,
        fgd_paired: Measure::missing(unpaired),
        fgd_set: SetMeasure {
            value: Some(distance.value),
            reason: Some(
                "its bias and its standard error need the embeddings of both sides".into(),
            ),
            warning: Some(
                match distance.clipped > 0.0 {
                    true => format!(
                        "a covariance is not positive semi-definite, as if it had been rounded: eigenvalues of −{:.1e} in all were set to \
                     0; {ENCODER_UNKNOWN}",
                        distance.clipped
                    ),
                    false => ENCODER_UNKNOWN.into(),
                } + if n == 0 || m == 0 { COUNT_UNKNOWN } else { "" },
            ),
            ..SetMeasure::default()
        },
        mean_cosine: Measure::missing(unpaired),
        ..ScoreResults::default()
    })
}

/// The moments of what a system holds, and their count, 0 where a file does not tell it.
fn moments_of(system: &System, embedding: &mut Embedding) -> Result<(Moments, u64), ScoreError> {
    Ok(match system {
        System::Moments { moments, .. } => ((**moments).clone(), system.rows()),
        System::Embeddings { embeddings, .. } => {
            (Moments::from_rows(embeddings.view()), system.rows())
        }
        System::Captions(file) => {
            let rows = embedding.embed(&texts(file))?;
            (Moments::from_rows(rows.view()), system.rows())
        }
    })
}
