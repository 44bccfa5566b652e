//! Which numbers may stand side by side: those of one comparability key.

use fgd_record::Comparability;

use super::Scores;
use super::systems::{Given, Participant};
use crate::jobs::options::Measuring;
use crate::jobs::{JobError, provenance};

/// The key that all systems share; systems of different keys are not compared. `references` is the hash of the
/// references, where they were given.
pub fn agreed(
    scored: &Scores,
    references: Option<String>,
    systems: &[Participant],
    measuring: &Measuring,
) -> Result<Comparability, JobError> {
    one_question(systems, measuring)?;
    let common = match (references, scored.saved.first()) {
        // With records alone, the references only have to be those of the records.
        (Some(hash), Some((_, first))) if scored.saved.len() == scored.contenders.len() => {
            Comparability { references_sha256: Some(hash), ..first.clone() }
        }
        (Some(hash), _) => provenance::comparability(scored.encoder.as_ref(), hash),
        (None, Some((_, first))) => first.clone(),
        (None, None) => return Err(JobError::usage("give at least one system")),
    };
    for (index, saved) in &scored.saved {
        if let Some(difference) = unlike(saved, &common) {
            return Err(JobError::usage(format!(
                "{}: its numbers cannot be compared with the others: {difference}; score its captions \
                 again with the same settings",
                systems[*index].path.display()
            )));
        }
    }
    Ok(common)
}

/// A finite set of images and captions yet to come are two questions, whose numbers have another bias and another error; so have
/// images apart and clusters of them.
fn one_question(systems: &[Participant], measuring: &Measuring) -> Result<(), JobError> {
    let population = |system: &Participant| {
        let images = match &system.given {
            Given::Saved(saved) => saved.population,
            Given::File(_) => measuring.population,
        };
        images.map_or("speaks for captions yet to come".to_owned(), |images| {
            format!("speaks for {images} images (--population)")
        })
    };
    let cluster = |system: &Participant| {
        let column = match &system.given {
            Given::Saved(saved) => saved.cluster.as_ref(),
            Given::File(_) => measuring.cluster.as_ref(),
        };
        column.map_or("takes images as they are".to_owned(), |column| {
            format!("takes images of one {column} together (--cluster)")
        })
    };
    asked_alike(systems, population, "--population")?;
    asked_alike(systems, cluster, "--cluster")
}

fn asked_alike(
    systems: &[Participant],
    of: impl Fn(&Participant) -> String,
    flag: &str,
) -> Result<(), JobError> {
    let Some((first, others)) = systems.split_first() else { return Ok(()) };
    match others.iter().find(|other| of(other) != of(first)) {
        None => Ok(()),
        Some(other) => Err(JobError::usage(format!(
            "{}: {}, where {} {}; score both with the same {flag}",
            other.path.display(),
            of(other),
            first.path.display(),
            of(first),
        ))),
    }
}

/// What keeps a record from being compared, in words.
pub fn unlike(saved: &Comparability, common: &Comparability) -> Option<String> {
    let short = |hash: &Option<String>| -> String {
        hash.as_deref().map_or("none".into(), |hash| hash.chars().take(8).collect())
    };
    if saved.metric_version != common.metric_version {
        return Some(format!(
            "version {} of the metrics, not {}",
            saved.metric_version, common.metric_version
        ));
    }
    let fingerprints = [
        ("encoder", &saved.encoder_sha256, &common.encoder_sha256),
        ("tokenizer", &saved.tokenizer, &common.tokenizer),
        ("configuration of the encoder", &saved.config, &common.config),
    ];
    let other = fingerprints.into_iter().find(|(_, saved, common)| saved != common);
    if let Some((what, saved, common)) = other {
        return Some(format!("another {what} ({}, not {})", short(saved), short(common)));
    }
    if saved.references_sha256 != common.references_sha256 {
        return Some("other references".into());
    }
    (saved.precision != common.precision
        || saved.pooling != common.pooling
        || saved.max_length != common.max_length)
        .then(|| "the encoder ran with another precision, pooling or maximal length".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_another_encoder_is_told_apart() {
        let common = provenance::comparability(None, "a".into());
        assert_eq!(unlike(&common, &common), None);
        let other = Comparability { encoder_sha256: Some("0123456789".into()), ..common.clone() };
        assert!(unlike(&other, &common).unwrap().contains("01234567"));
        let other = Comparability { tokenizer: Some("0123456789".into()), ..common.clone() };
        assert!(unlike(&other, &common).unwrap().contains("tokenizer (01234567, not none)"));
        let other = Comparability { config: Some("0123456789".into()), ..common.clone() };
        assert!(
            unlike(&other, &common).unwrap().contains("configuration of the encoder (01234567")
        );
        let other = provenance::comparability(None, "b".into());
        assert_eq!(unlike(&other, &common).unwrap(), "other references");
    }
}
