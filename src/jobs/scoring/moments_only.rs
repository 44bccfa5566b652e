//! The set distance where one side is given as moments: no rows, so no pairs and no captions.

use fgd_metrics::MetricError;
use fgd_metrics::frechet;
use fgd_metrics::moments::Moments;
use fgd_record::{Measure, Pairing, ScoreResults, SetMeasure};

use super::ScoreError;
use super::system::System;
use crate::jobs::embedding::{Embedding, texts};
use crate::jobs::moments::Part;
use crate::jobs::{JobError, provenance};

/// Said of moments that others made.
const ENCODER_UNKNOWN: &str = "the file does not say which encoder made its moments: the distance means something only if it is \
                               that of the other side";

/// Said where they do not tell how many rows they were made of.
const COUNT_UNKNOWN: &str = "the file does not say how many captions its moments were made of";

/// Scores moments against moments, or against those of what the other side holds.
///
/// # Errors
/// Captions that cannot be embedded, sides of different dimensions or encoders, moments whose covariance is none.
pub fn score(
    candidates: &System,
    references: &System,
    embedding: &mut Embedding,
) -> Result<ScoreResults, ScoreError> {
    let of_references = match references {
        System::Moments { path, .. } => format!("references {}", path.display()),
        _ => "references".to_owned(),
    };
    let [candidates, references] =
        [moments_of(candidates, embedding)?, moments_of(references, embedding)?];
    let encoders = candidates.encoder.zip(references.encoder);
    if encoders.is_some_and(|(a, b)| a != b) {
        return Err(ScoreError::Mismatch(
            "captions and references were embedded by different encoders or settings, whose distance means nothing; give --encoder \
             that of the moments, or make them again"
                .into(),
        ));
    }
    let (n, m) = (candidates.n, references.n);
    let (candidates, references) = (candidates.moments, references.moments);
    let distance = frechet::from_moments(&candidates, &references).map_err(|error| {
        // Whose covariance is none, the error does not say.
        match frechet::from_moments(&references, &references) {
            Err(error @ MetricError::NotACovariance(_)) => {
                JobError::because(of_references, error).into()
            }
            _ => ScoreError::from(error),
        }
    })?;
    let warnings: Vec<String> = [
        (distance.clipped > 0.0).then(|| {
            format!(
                "a covariance is not positive semi-definite, as if it had been rounded: eigenvalues of −{:.1e} in all were set to 0",
                distance.clipped
            )
        }),
        encoders.is_none().then(|| ENCODER_UNKNOWN.to_owned()),
        (n == 0 || m == 0).then(|| COUNT_UNKNOWN.to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect();
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
            warning: (!warnings.is_empty()).then(|| warnings.join("; ")),
            ..SetMeasure::default()
        },
        mean_cosine: Measure::missing(unpaired),
        ..ScoreResults::default()
    })
}

/// What the distance needs of a side.
struct Side {
    moments: Moments,
    /// Captions, 0 where a file does not tell.
    n: u64,
    /// Number of the encoder, where it is known.
    encoder: Option<u64>,
}

fn moments_of(system: &System, embedding: &mut Embedding) -> Result<Side, ScoreError> {
    let (moments, encoder) = match system {
        System::Moments { moments, shards, .. } => ((**moments).clone(), Part::encoder_of(shards)),
        System::Embeddings { embeddings, .. } => (Moments::from_rows(embeddings.view()), None),
        System::Captions(file) => {
            let rows = embedding.embed(&texts(file))?;
            let encoder = provenance::encoder_number(embedding.encoder().as_ref());
            (Moments::from_rows(rows.view()), Some(encoder))
        }
    };
    Ok(Side { moments, n: system.rows(), encoder })
}
