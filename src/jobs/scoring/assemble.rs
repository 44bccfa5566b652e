//! From two inputs to one evaluation set: align by id, embed, and keep what belongs together.
//!
//! Captions are aligned by image id, never by row. Embeddings carry no ids: row `i` of one file
//! belongs with row `i` of the other.

use fgd_captions::{self as captions, Alignment, CaptionFile, Finding};
use ndarray::{Array2, Axis};

use super::ScoreError;
use super::clusters;
use super::set::{EvalSet, Texts};
use super::system::System;
use crate::jobs::JobError;
use crate::jobs::embedding::{Embedding, texts};

/// An evaluation set with what was noticed on the way.
#[derive(Debug)]
pub struct AlignedSet {
    /// The set.
    pub set: EvalSet,
    /// Notes of the linter.
    pub findings: Vec<Finding>,
    /// Index in the submission of each candidate; empty where captions were not paired by id.
    pub candidate_rows: Vec<usize>,
    /// Index in the reference file of each candidate's first reference; empty where captions were not
    /// paired by id.
    pub reference_rows: Vec<usize>,
}

/// What is known of how the images were drawn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dependence<'a> {
    /// The references are of other images.
    pub unpaired: bool,
    /// Column whose values say which images depend on each other.
    pub cluster: Option<&'a str>,
    /// Images of the finite set that these were drawn from.
    pub population: Option<u64>,
}

/// Puts a submission and references together. Nothing is embedded before the submission is known to be valid.
///
/// # Errors
/// A submission with errors, sides that do not go together, captions that cannot be embedded.
pub fn assemble(
    submission: &System,
    references: &System,
    choice: Dependence,
    embedding: &mut Embedding,
) -> Result<AlignedSet, ScoreError> {
    let Dependence { unpaired, cluster, population } = choice;
    use System::{Captions, Embeddings, Moments};
    let mut assembled = match (submission, references) {
        (Moments { .. }, _) | (_, Moments { .. }) => {
            return Err(ScoreError::Mismatch(
                "moments have no rows: they are compared as they are".into(),
            ));
        }
        (Embeddings { embeddings: a, .. }, Embeddings { embeddings: b, path }) => {
            if !unpaired && a.nrows() != b.nrows() {
                return Err(ScoreError::Mismatch(format!(
                    "{}: {} rows of references for {} rows of the submission: paired embeddings need \
                     the same rows in the same order; give --unpaired for references of other images",
                    path.display(),
                    b.nrows(),
                    a.nrows()
                )));
            }
            without_ids(EvalSet {
                candidates: a.clone(),
                references: b.clone(),
                image_of: (!unpaired).then(|| (0..a.nrows()).collect()),
                units: unpaired.then(|| clusters::of_embeddings(a.view(), b.view())),
                population: None,
                texts: None,
            })
        }
        (Captions(candidates), Captions(references)) if !unpaired => {
            let mut alignment = captions::align(candidates, references);
            let mut findings = checked(candidates, std::mem::take(&mut alignment.findings))?;
            findings.extend(captions::equals_references(candidates, references, Some(&alignment)));
            let mut aligned = AlignedSet {
                set: paired(candidates, references, &alignment, embedding)?,
                findings,
                reference_rows: alignment.references.iter().map(|rows| rows[0]).collect(),
                candidate_rows: alignment.candidate,
            };
            if let Some(column) = cluster {
                let units = clusters::paired(&aligned, candidates, references, column)?;
                aligned.set.units = Some(units);
            }
            aligned
        }
        _ if !unpaired => {
            return Err(ScoreError::Mismatch(format!(
                "{} cannot be paired with {}: embeddings carry no ids; give captions on both sides, \
                 embeddings on both sides, or compare whole sets with `fgd score --unpaired`",
                submission.noun(),
                references.noun()
            )));
        }
        _ => {
            let mut findings = match submission {
                Captions(file) => checked(file, Vec::new())?,
                _ => Vec::new(),
            };
            if let (Captions(file), Captions(references)) = (submission, references) {
                findings.extend(captions::equals_references(file, references, None));
            }
            let mut set = unpaired_set(submission, references, embedding)?;
            set.units = match (submission, references) {
                (Captions(submission), Captions(references)) => {
                    Some(clusters::unpaired(submission, references, cluster)?)
                }
                _ => None,
            };
            AlignedSet { findings, ..without_ids(set) }
        }
    };
    if cluster.is_some() && !matches!((submission, references), (Captions(_), Captions(_))) {
        return Err(JobError::usage("--cluster needs captions on both sides").into());
    }
    assembled.set.population = population.map(|images| images as f64);
    check_dimensions(&assembled.set)?;
    if let Captions(file) = submission {
        assembled.findings.extend(embedding.too_long(file)?);
    }
    Ok(assembled)
}

fn without_ids(set: EvalSet) -> AlignedSet {
    AlignedSet { set, findings: Vec::new(), candidate_rows: Vec::new(), reference_rows: Vec::new() }
}

/// All findings of a submission, or the error that lists them if one of them is an error.
pub fn checked(file: &CaptionFile, more: Vec<Finding>) -> Result<Vec<Finding>, ScoreError> {
    let mut findings = file.findings.clone();
    findings.extend(captions::lint(file));
    // A file without rows lacks every image; saying so once is enough.
    if !file.captions.is_empty() {
        findings.extend(more);
    }
    if captions::is_valid(&findings) { Ok(findings) } else { Err(ScoreError::Invalid(findings)) }
}

fn unpaired_set(
    submission: &System,
    references: &System,
    embedding: &mut Embedding,
) -> Result<EvalSet, ScoreError> {
    let mut embed = |system: &System| -> Result<Array2<f32>, ScoreError> {
        Ok(match system {
            System::Embeddings { embeddings, .. } => embeddings.clone(),
            System::Captions(file) => embedding.embed(&texts(file))?,
            System::Moments { .. } => Array2::default((0, 0)),
        })
    };
    Ok(EvalSet {
        candidates: embed(submission)?,
        references: embed(references)?,
        image_of: None,
        units: None,
        population: None,
        texts: match (submission, references) {
            (System::Captions(submission), System::Captions(references)) => {
                let references = references.captions.iter().map(|c| c.text.clone()).collect();
                Some(Texts::of(submission, submission.captions.iter(), references))
            }
            _ => None,
        },
    })
}

fn paired(
    submission: &CaptionFile,
    references: &CaptionFile,
    alignment: &Alignment,
    embedding: &mut Embedding,
) -> Result<EvalSet, ScoreError> {
    let chosen = alignment.candidate.iter().map(|&i| &submission.captions[i]);
    let chosen: Vec<_> = chosen.collect();
    let (image_of, reference_texts): (Vec<usize>, Vec<String>) = alignment
        .references
        .iter()
        .enumerate()
        .flat_map(|(image, rows)| {
            rows.iter().map(move |&row| (image, references.captions[row].text.clone()))
        })
        .unzip();
    // One call for both sides: identical captions are encoded once, and work is shared out evenly.
    let all: Vec<&str> = chosen
        .iter()
        .map(|caption| caption.text.as_str())
        .chain(reference_texts.iter().map(String::as_str))
        .collect();
    let embeddings = embedding.embed(&all)?;
    let (candidates, reference_embeddings) = embeddings.view().split_at(Axis(0), chosen.len());
    Ok(EvalSet {
        candidates: candidates.to_owned(),
        references: reference_embeddings.to_owned(),
        image_of: Some(image_of),
        units: None,
        population: None,
        texts: Some(Texts::of(submission, chosen.iter().copied(), reference_texts)),
    })
}

fn check_dimensions(set: &EvalSet) -> Result<(), ScoreError> {
    let (a, b) = (set.candidates.ncols(), set.references.ncols());
    if a == b {
        return Ok(());
    }
    Err(ScoreError::Mismatch(format!(
        "the submission has embeddings of {a} dimensions and the references of {b}: \
         both must come from the same encoder"
    )))
}
