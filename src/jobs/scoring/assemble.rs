//! From two inputs to one evaluation set: align by id, embed, and keep what belongs together.
//!
//! Captions are aligned by image id, never by row. Embeddings carry no ids: row `i` of one file
//! belongs with row `i` of the other.

use super::set::{EvalSet, Texts};
use super::system::System;
use fgd_captions::{self as captions, CaptionFile, Finding, Severity};
use fgd_encoder::{EmbedError, Embedder};
use ndarray::{Array2, ArrayView2};

/// Why two inputs could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The submission has errors; they are all in the list.
    #[error("{}", summary(findings))]
    Invalid {
        /// All findings, notes included.
        findings: Vec<Finding>,
    },
    /// The two inputs cannot be scored together.
    #[error("{0}")]
    Mismatch(String),
    /// Captions could not be embedded.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The encoder could not be opened.
    #[error("{0:#}")]
    Encoder(anyhow::Error),
}

fn summary(findings: &[Finding]) -> String {
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count();
    format!(
        "the submission has {errors} {}; mend them and score it again",
        if errors == 1 { "error" } else { "errors" }
    )
}

/// An evaluation set with what was noticed on the way.
#[derive(Debug)]
pub struct Assembled {
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

/// Puts a submission and references together. `embedder` is asked for only if captions are among
/// them, once the submission is known to be valid.
pub fn assemble(
    submission: &System,
    references: &System,
    unpaired: bool,
    embedder: &mut dyn FnMut() -> Result<Embedder, AssembleError>,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<(Assembled, Option<Embedder>), AssembleError> {
    use System::{Captions, Embeddings, Moments};
    match (submission, references) {
        (Moments { .. }, _) | (_, Moments { .. }) => Err(AssembleError::Mismatch(
            "moments have no rows: they are compared as they are".into(),
        )),
        (
            Embeddings { embeddings: a, .. },
            Embeddings {
                embeddings: b,
                path,
            },
        ) => {
            if !unpaired && a.nrows() != b.nrows() {
                return Err(AssembleError::Mismatch(format!(
                    "{}: {} rows of references for {} rows of the submission: paired embeddings need \
                     the same rows in the same order; give --unpaired for references of other images",
                    path.display(),
                    b.nrows(),
                    a.nrows()
                )));
            }
            let set = EvalSet {
                candidates: a.clone(),
                references: b.clone(),
                image_of: (!unpaired).then(|| (0..a.nrows()).collect()),
                texts: None,
            };
            check_dimensions(&set)?;
            let assembled = Assembled {
                candidate_rows: Vec::new(),
                reference_rows: Vec::new(),
                set,
                findings: Vec::new(),
            };
            Ok((assembled, None))
        }
        (Captions(candidates), Captions(references)) if !unpaired => {
            let alignment = captions::align(candidates, references);
            let findings = checked(candidates, alignment.findings)?;
            let mut embedder = embedder()?;
            let set = paired(
                candidates,
                references,
                &alignment.candidate,
                &alignment.references,
                &mut embedder,
                progress,
            )?;
            let assembled = Assembled {
                set,
                findings,
                reference_rows: alignment.references.iter().map(|rows| rows[0]).collect(),
                candidate_rows: alignment.candidate,
            };
            let assembled = with_too_long(assembled, submission, &embedder)?;
            Ok((assembled, Some(embedder)))
        }
        _ if !unpaired => Err(AssembleError::Mismatch(format!(
            "{} cannot be paired with {}: embeddings carry no ids; give captions on both sides, \
             embeddings on both sides, or --unpaired",
            submission.noun(),
            references.noun()
        ))),
        _ => unpaired_set(submission, references, embedder, progress),
    }
}

fn unpaired_set(
    submission: &System,
    references: &System,
    embedder: &mut dyn FnMut() -> Result<Embedder, AssembleError>,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<(Assembled, Option<Embedder>), AssembleError> {
    let findings = match submission {
        System::Captions(file) => checked(file, Vec::new())?,
        _ => Vec::new(),
    };
    let mut opened = embedder()?;
    let mut embed = |system: &System| -> Result<Array2<f32>, AssembleError> {
        Ok(match system {
            System::Captions(file) => opened.embed(&texts_of(file), progress)?,
            System::Embeddings { embeddings, .. } => embeddings.clone(),
            System::Moments { .. } => unreachable!("moments were refused above"),
        })
    };
    let set = EvalSet {
        candidates: embed(submission)?,
        references: embed(references)?,
        image_of: None,
        texts: match (submission, references) {
            (System::Captions(submission), System::Captions(references)) => Some(Texts {
                ids: submission.captions.iter().map(|c| c.id.clone()).collect(),
                rows: submission.captions.iter().map(|c| c.row).collect(),
                candidates: submission.captions.iter().map(|c| c.text.clone()).collect(),
                references: references.captions.iter().map(|c| c.text.clone()).collect(),
            }),
            _ => None,
        },
    };
    check_dimensions(&set)?;
    let assembled = Assembled {
        set,
        findings,
        candidate_rows: Vec::new(),
        reference_rows: Vec::new(),
    };
    let assembled = with_too_long(assembled, submission, &opened)?;
    Ok((assembled, Some(opened)))
}

/// All findings of a submission, or the error that lists them if one of them is an error.
fn checked(file: &CaptionFile, more: Vec<Finding>) -> Result<Vec<Finding>, AssembleError> {
    let mut findings = file.findings.clone();
    findings.extend(captions::lint(file));
    // A file without rows lacks every image; saying so once is enough.
    if !file.captions.is_empty() {
        findings.extend(more);
    }
    if captions::is_valid(&findings) {
        Ok(findings)
    } else {
        Err(AssembleError::Invalid { findings })
    }
}

fn paired(
    submission: &CaptionFile,
    references: &CaptionFile,
    candidate: &[usize],
    references_of: &[Vec<usize>],
    embedder: &mut Embedder,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<EvalSet, AssembleError> {
    let chosen: Vec<_> = candidate.iter().map(|&i| &submission.captions[i]).collect();
    let (image_of, reference_texts): (Vec<usize>, Vec<String>) = references_of
        .iter()
        .enumerate()
        .flat_map(|(image, rows)| {
            rows.iter()
                .map(move |&row| (image, references.captions[row].text.clone()))
        })
        .unzip();
    // One call for both sides: identical captions are encoded once, and work is shared out evenly.
    let all: Vec<&str> = chosen
        .iter()
        .map(|caption| caption.text.as_str())
        .chain(reference_texts.iter().map(String::as_str))
        .collect();
    let embeddings = embedder.embed(&all, progress)?;
    let split = |view: ArrayView2<f32>| view.to_owned();
    let (candidates, reference_embeddings) =
        embeddings.view().split_at(ndarray::Axis(0), chosen.len());
    Ok(EvalSet {
        candidates: split(candidates),
        references: split(reference_embeddings),
        image_of: Some(image_of),
        texts: Some(Texts {
            ids: chosen.iter().map(|caption| caption.id.clone()).collect(),
            rows: chosen.iter().map(|caption| caption.row).collect(),
            candidates: chosen.iter().map(|caption| caption.text.clone()).collect(),
            references: reference_texts,
        }),
    })
}

/// Notes the captions that the encoder cuts off.
fn with_too_long(
    mut assembled: Assembled,
    submission: &System,
    embedder: &Embedder,
) -> Result<Assembled, AssembleError> {
    if let System::Captions(file) = submission {
        let counts = embedder.token_counts(&texts_of(file))?;
        assembled
            .findings
            .extend(captions::too_long(file, &counts, embedder.max_length()));
    }
    Ok(assembled)
}

fn texts_of(file: &CaptionFile) -> Vec<&str> {
    file.captions.iter().map(|c| c.text.as_str()).collect()
}

fn check_dimensions(set: &EvalSet) -> Result<(), AssembleError> {
    let (a, b) = (set.candidates.ncols(), set.references.ncols());
    if a == b {
        return Ok(());
    }
    Err(AssembleError::Mismatch(format!(
        "the submission has embeddings of {a} dimensions and the references of {b}: \
         both must come from the same encoder"
    )))
}
