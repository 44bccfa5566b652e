//! Captions beside their references, as texts: what is summed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use fgd_captions::{
    self as captions, Alignment, Caption, CaptionFile, Finding, Known, ReadOptions,
};
use fgd_metrics::pair_sums::MOST_REFERENCES;
use fgd_record as record;
use fgd_record::Input;
use ndarray::Array2;

use super::sums::Sources;
use crate::jobs::JobError;
use crate::jobs::apart::{Apart, read_once};
use crate::jobs::leaderboard::split::has_usage;
use crate::jobs::score::{Request, refused};
use crate::jobs::scoring::ScoreError;
use crate::jobs::scoring::assemble::{AlignedSet, checked};
use crate::jobs::scoring::findings::{for_record, notes_on};
use crate::jobs::scoring::set::{EvalSet, Texts};
use crate::jobs::scoring::slices::group;
use crate::jobs::scoring::system::{System, stem};

/// Most values of a column: each has sums of its own.
const MOST_VALUES: usize = 100;
/// Most numbers of references that images have: those of each have sums of their own.
const MOST_COUNTS: usize = 16;

/// References that several submissions are summed beside.
pub struct ExactReferences {
    file: Arc<CaptionFile>,
    /// What a record says of them.
    pub input: Input,
    /// Hash over ids and texts.
    pub sha256: String,
    /// What is to be known of them.
    pub notes: Vec<record::Finding>,
}

impl ExactReferences {
    /// Reads those of a score.
    ///
    /// # Errors
    /// A file that cannot be read, has errors, or holds no captions.
    pub fn read(request: &Request) -> Result<Self, JobError> {
        let reading = ReadOptions { without_ids: false, ..request.reading.clone() };
        let path = &request.references.path;
        let system = System::open_references(&request.references, &reading)?;
        let input = system.input("references", &stem(path), path)?;
        Ok(Self {
            sha256: system.references_sha256(&input),
            notes: notes_on(&system),
            file: Arc::new(captions_of(system)?),
            input,
        })
    }

    /// Whether they say by themselves which images of a contest are public.
    pub fn has_usage(&self) -> bool {
        has_usage(&self.file)
    }
}

/// Captions beside the references of their images.
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
    /// Files that cannot be read, captions with errors, sides that are no captions, more references than are summed.
    pub fn read(request: &Request) -> Result<(Self, Sources), JobError> {
        read_once(request.inputs())?;
        Self::beside(request, &ExactReferences::read(request)?)
    }

    /// The same beside references that were read before.
    ///
    /// # Errors
    /// As [`TextPairs::read`].
    pub fn beside(
        request: &Request,
        references: &ExactReferences,
    ) -> Result<(Self, Sources), JobError> {
        let reading = ReadOptions { without_ids: false, ..request.reading.clone() };
        let mut submission = System::open_submission(&request.submission, &reading)?;
        if let System::Captions(file) = &mut submission {
            captions::settle(file, &references.file, Known::All);
        }
        let input =
            submission.input("submission", &stem(&request.submission), &request.submission)?;
        let mut pairs = Self::align(captions_of(submission)?, references.file.clone());
        let found = pairs.findings();
        let mut found =
            checked(&pairs.submission, found).map_err(|error| refused(error, request))?;
        found.extend(pairs.equals_references());
        pairs.complete(request)?;
        let mut findings = for_record(&found, "submission");
        findings.extend(references.notes.iter().cloned());
        let inputs = vec![input, references.input.clone()];
        Ok((pairs, Sources::of(request, inputs, references.sha256.clone(), findings)))
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
    /// Images with more references than are summed, columns that are not there or have too many values.
    pub fn complete(&mut self, request: &Request) -> Result<(), JobError> {
        let images = self.alignment.ids.iter().zip(&self.alignment.references);
        if let Some((id, of)) = images.clone().find(|(_, of)| of.len() > MOST_REFERENCES) {
            return Err(JobError::usage(format!(
                "{}: image {id} has {} references, and --exact sums at most {MOST_REFERENCES} of an image; keep as many, or score without \
                 --exact",
                request.references.path.display(),
                of.len()
            )));
        }
        few_counts(&self.counts(), &request.references.path)?;
        self.columns = columns(&self.submission, &self.references, &self.alignment, request)?;
        Ok(())
    }

    /// References in all.
    pub fn reference_count(&self) -> u64 {
        self.alignment.references.iter().map(|of| of.len() as u64).sum()
    }

    /// The numbers of references that images have.
    pub fn counts(&self) -> BTreeSet<usize> {
        self.alignment.references.iter().map(Vec::len).collect()
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

    /// The references of its image, in an order that does not depend on that of their file.
    pub fn references(&self, pair: usize) -> Vec<&str> {
        let rows = self.alignment.references[pair].iter();
        let mut texts: Vec<&str> =
            rows.map(|&row| self.references.captions[row].text.as_str()).collect();
        texts.sort_unstable();
        texts
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

/// Refuses images with too many different numbers of references.
pub fn few_counts(counts: &BTreeSet<usize>, references: &Path) -> Result<(), JobError> {
    if counts.len() <= MOST_COUNTS {
        return Ok(());
    }
    Err(JobError::usage(format!(
        "{}: images have {} different numbers of references, and --exact keeps sums for at most {MOST_COUNTS}; keep equally many of each",
        references.display(),
        counts.len()
    )))
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
    let candidates = alignment.candidate.iter().map(|&at| &submission.captions[at]);
    let (image_of, texts): (Vec<usize>, Vec<String>) = (alignment.references.iter().enumerate())
        .flat_map(|(image, rows)| rows.iter().map(move |&row| (image, row)))
        .map(|(image, row)| (image, references.captions[row].text.clone()))
        .unzip();
    AlignedSet {
        set: EvalSet {
            candidates: Array2::zeros((n, 0)),
            references: Array2::zeros((texts.len(), 0)),
            image_of: Some(image_of),
            units: None,
            population: None,
            texts: Some(Texts::of(submission, candidates, texts)),
        },
        findings: Vec::new(),
        candidate_rows: alignment.candidate.clone(),
        reference_rows: alignment.references.iter().map(|rows| rows[0]).collect(),
    }
}
