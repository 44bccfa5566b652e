//! Captions beside their references, as texts: what is summed.

use std::collections::BTreeMap;
use std::sync::Arc;

use fgd_captions::{self as captions, Alignment, Caption, CaptionFile, Finding};
use ndarray::Array2;

use super::sums::Sources;
use crate::jobs::JobError;
use crate::jobs::score::{Pair, Request, refused};
use crate::jobs::scoring::ScoreError;
use crate::jobs::scoring::assemble::{AlignedSet, checked};
use crate::jobs::scoring::findings::{for_record, notes_on};
use crate::jobs::scoring::set::{EvalSet, Texts};
use crate::jobs::scoring::slices::group;
use crate::jobs::scoring::system::{System, stem};

/// Most values of a column: each has sums of its own.
const MOST_VALUES: usize = 100;

/// Pairs of a caption and the reference of its image.
pub struct TextPairs {
    submission: CaptionFile,
    references: Arc<CaptionFile>,
    alignment: Alignment,
    /// By column, the values and the value of every pair.
    columns: Vec<Column>,
}

impl TextPairs {
    /// Reads both files of a score and aligns them.
    ///
    /// # Errors
    /// Files that cannot be read, captions with errors, images with several references, sides that are no captions.
    pub fn read(request: &Request) -> Result<(Self, Sources), JobError> {
        let pair = Pair::open(request)?;
        let references_path = &request.references.path;
        let inputs = vec![
            pair.submission.input("submission", &stem(&request.submission), &request.submission)?,
            pair.references.input("references", &stem(references_path), references_path)?,
        ];
        let references_sha256 = pair.references.references_sha256(&inputs[1]);
        let notes = notes_on(&pair.references);
        let [submission, references] = [pair.submission, pair.references].map(captions_of);
        let mut pairs = Self::align(submission?, Arc::new(references?));
        let found = pairs.findings();
        let mut found =
            checked(&pairs.submission, found).map_err(|error| refused(error, request))?;
        found.extend(pairs.equals_references());
        pairs.complete(request)?;
        let mut findings = for_record(&found, "submission");
        findings.extend(notes);
        Ok((pairs, Sources::of(request, inputs, references_sha256, findings)))
    }

    /// Aligns captions with their references.
    pub fn align(submission: CaptionFile, references: Arc<CaptionFile>) -> Self {
        let alignment = captions::align(&submission, &references);
        Self { submission, references, alignment, columns: Vec::new() }
    }

    /// What was found when they were aligned.
    pub fn findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.alignment.findings)
    }

    /// Whether every caption is a reference.
    pub fn equals_references(&self) -> Option<Finding> {
        captions::equals_references(&self.submission, &self.references, Some(&self.alignment))
    }

    /// Finds the values of the columns that the score is sliced by.
    ///
    /// # Errors
    /// Images with several references, columns that are not there or have too many values.
    pub fn complete(&mut self, request: &Request) -> Result<(), JobError> {
        let images = self.alignment.ids.iter().zip(&self.alignment.references);
        if let Some((id, of)) = images.clone().find(|(_, of)| of.len() > 1) {
            return Err(JobError::usage(format!(
                "{}: image {id} has {} references, and --exact sums one for each image; keep one of them, or score without --exact",
                request.references.path.display(),
                of.len()
            )));
        }
        self.columns = columns(&self.submission, &self.references, &self.alignment, request)?;
        Ok(())
    }

    /// All captions of the submission.
    pub fn captions(&self) -> &[Caption] {
        &self.submission.captions
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.alignment.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The image of a pair.
    pub fn id(&self, pair: usize) -> &str {
        &self.alignment.ids[pair]
    }

    /// The caption that is scored.
    pub fn candidate(&self, pair: usize) -> &str {
        &self.submission.captions[self.alignment.candidate[pair]].text
    }

    /// Its reference.
    pub fn reference(&self, pair: usize) -> &str {
        &self.references.captions[self.alignment.references[pair][0]].text
    }

    /// The value of a pair in every column that the score is sliced by.
    pub fn values(&self, pair: usize) -> impl Iterator<Item = &str> {
        self.columns.iter().map(move |column| column.values[column.of[pair] as usize].as_str())
    }

    /// Number of columns that the score is sliced by.
    pub fn slices(&self) -> usize {
        self.columns.len()
    }

    /// The places in `pairs` of those that have the same values.
    pub fn by_values(&self, pairs: &[usize]) -> BTreeMap<Vec<String>, Vec<usize>> {
        let mut places: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
        for (place, &pair) in pairs.iter().enumerate() {
            let values = self.values(pair).map(str::to_owned).collect();
            places.entry(values).or_default().push(place);
        }
        places
    }
}

/// A column that the score is sliced by.
struct Column {
    values: Vec<String>,
    /// Which of them each pair has.
    of: Vec<u32>,
}

/// The values of the columns that the score is sliced by.
fn columns(
    submission: &CaptionFile,
    references: &CaptionFile,
    alignment: &Alignment,
    request: &Request,
) -> Result<Vec<Column>, JobError> {
    if request.measuring.slice.is_empty() {
        return Ok(Vec::new());
    }
    let aligned = without_embeddings(submission, references, alignment);
    let column = |name: &String| {
        let grouping = group(&aligned, submission, references, name)
            .map_err(|error| refused(ScoreError::Mismatch(error.to_string()), request))?;
        few_enough(name, grouping.groups.len())?;
        let mut of = vec![0; alignment.ids.len()];
        for (value, members) in grouping.groups.values().enumerate() {
            members.iter().for_each(|&pair| of[pair] = value as u32);
        }
        Ok(Column { values: grouping.groups.into_keys().collect(), of })
    };
    request.measuring.slice.iter().map(column).collect()
}

/// Refuses a column of too many values.
pub fn few_enough(column: &str, values: usize) -> Result<(), JobError> {
    if values <= MOST_VALUES {
        return Ok(());
    }
    Err(JobError::usage(format!(
        "--slice {column}: {values} values, and --exact keeps sums for at most {MOST_VALUES}; group them first"
    )))
}

/// The captions of a side.
pub fn captions_of(system: System) -> Result<CaptionFile, JobError> {
    match system {
        System::Captions(file) => Ok(file),
        _ => Err(no_captions()),
    }
}

/// The error of a side that is no captions.
pub fn no_captions() -> JobError {
    JobError::usage(
        "--exact needs captions on both sides: the groups of images that errors are measured by go by their ids; `fgd moments --exact` \
         sums embeddings",
    )
}

/// The evaluation set as far as its texts go.
fn without_embeddings(
    submission: &CaptionFile,
    references: &CaptionFile,
    alignment: &Alignment,
) -> AlignedSet {
    let n = alignment.ids.len();
    let reference_rows: Vec<usize> = alignment.references.iter().map(|rows| rows[0]).collect();
    let candidates = alignment.candidate.iter().map(|&at| &submission.captions[at]);
    AlignedSet {
        set: EvalSet {
            candidates: Array2::zeros((n, 0)),
            references: Array2::zeros((n, 0)),
            image_of: Some((0..n).collect()),
            units: None,
            population: None,
            texts: Some(Texts {
                ids: alignment.ids.clone(),
                ids_are_text: submission.ids_are_text,
                rows: candidates.clone().map(|caption| caption.row).collect(),
                candidates: candidates.map(|caption| caption.text.clone()).collect(),
                references: (reference_rows.iter())
                    .map(|&at| references.captions[at].text.clone())
                    .collect(),
            }),
        },
        findings: Vec::new(),
        candidate_rows: alignment.candidate.clone(),
        reference_rows,
    }
}
