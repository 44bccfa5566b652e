//! The numbers per group of images: by a column of a file, by reading, or by length.

use std::collections::BTreeMap;

use fgd_captions::CaptionFile;
use fgd_metrics::MetricError;
use fgd_metrics::text::read_text;
use fgd_record::{Slice, SlicePart};

use super::assemble::AlignedSet;
use super::metrics::Choice;
use super::numbers::{PerCaption, sample, score};
use super::set::EvalSet;

/// Name of the slice by whether a reference holds text that was read from the picture.
pub const READS_TEXT: &str = "ocr";
/// Name of the slice by the length of the candidate, in words.
pub const LENGTH: &str = "length";

/// Upper ends of the groups of lengths, in words.
const LENGTHS: [(usize, &str); 4] =
    [(8, "01-08 words"), (16, "09-16 words"), (24, "17-24 words"), (usize::MAX, "25+ words")];

/// Why a slice could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SliceError {
    /// There is no such column.
    #[error(
        "--slice {column}: no such column; there are {known}, and always {READS_TEXT} and {LENGTH}"
    )]
    Column {
        /// What was asked for.
        column: String,
        /// What there is.
        known: String,
    },
    /// Without captions there is nothing to group by.
    #[error("--slice needs captions on both sides that are paired by id")]
    NoCaptions,
    /// A group could not be scored.
    #[error(transparent)]
    Metric(#[from] MetricError),
}

/// Images by the value that groups them, in the order of the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    /// The column.
    pub column: String,
    /// For each value the images, as ascending indices of the evaluation set.
    pub groups: BTreeMap<String, Vec<usize>>,
}

impl Grouping {
    /// The same groups of the part of a set that holds only `images` (ascending); those that have none of them go.
    pub fn within(&self, images: &[usize]) -> Self {
        let place = |image: &usize| images.binary_search(image).ok();
        let groups = self.groups.iter().map(|(value, members)| {
            (value.clone(), members.iter().filter_map(place).collect::<Vec<_>>())
        });
        let groups = groups.filter(|(_, members)| !members.is_empty()).collect();
        Self { column: self.column.clone(), groups }
    }
}

/// Scores every group of a set, of which `whole` is known. What a caption has among all images it has in its group: CIDEr weighs words by
/// the images whose references have them, and of fewer images every group would score higher than the whole.
pub fn score_groups(
    set: &EvalSet,
    whole: &PerCaption,
    grouping: &Grouping,
    choice: &Choice,
) -> Result<Slice, MetricError> {
    let parts = grouping
        .groups
        .iter()
        .map(|(value, images)| {
            let part = set.subset(images);
            let mut score = score(&part, choice)?;
            score.take_means(whole, images, &sample(&part, choice.seed))?;
            Ok(SlicePart { value: value.clone(), results: score.results })
        })
        .collect::<Result<_, MetricError>>()?;
    Ok(Slice { column: grouping.column.clone(), parts })
}

/// Groups the images by `column`: one of the reference file, else of the submission, or one of [`READS_TEXT`] and [`LENGTH`].
pub fn group(
    assembled: &AlignedSet,
    submission: &CaptionFile,
    references: &CaptionFile,
    column: &str,
) -> Result<Grouping, SliceError> {
    let set = &assembled.set;
    let texts =
        set.texts.as_ref().filter(|_| set.image_of.is_some()).ok_or(SliceError::NoCaptions)?;
    let values: Vec<String> = if let Some(cells) = references.column(column) {
        values_of(&cells, &assembled.reference_rows)
    } else if let Some(cells) = submission.column(column) {
        values_of(&cells, &assembled.candidate_rows)
    } else if column == LENGTH {
        texts
            .candidates
            .iter()
            .map(|caption| length_group(caption.split_whitespace().count()).to_owned())
            .collect()
    } else if column == READS_TEXT {
        let reads = read_text(&texts.candidates, &set.references_of())
            .map_err(|_| SliceError::NoCaptions)?;
        let mut values = vec!["no text".to_owned(); set.len()];
        for image in reads.captions {
            values[image] = "text".to_owned();
        }
        values
    } else {
        return Err(no_column(column, submission, references));
    };
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (image, value) in values.into_iter().enumerate() {
        groups.entry(value).or_default().push(image);
    }
    Ok(Grouping { column: column.to_owned(), groups })
}

/// Whether images can be grouped by a column.
///
/// # Errors
/// There is no such column.
pub fn check_column(
    column: &str,
    submission: &CaptionFile,
    references: &CaptionFile,
) -> Result<(), SliceError> {
    let mut known = references.column_names().chain(submission.column_names());
    match known.any(|name| name == column) || [LENGTH, READS_TEXT].contains(&column) {
        true => Ok(()),
        false => Err(no_column(column, submission, references)),
    }
}

fn no_column(column: &str, submission: &CaptionFile, references: &CaptionFile) -> SliceError {
    let known: Vec<&str> = references.column_names().chain(submission.column_names()).collect();
    let known = match known.is_empty() {
        true => "no further columns in the files".into(),
        false => known.join(", "),
    };
    SliceError::Column { column: column.to_owned(), known }
}

fn length_group(words: usize) -> &'static str {
    LENGTHS.iter().find(|(most, _)| words <= *most).map_or("25+ words", |(_, name)| name)
}

/// The value of each image, whose caption stands in one of `rows`.
fn values_of(cells: &[Option<String>], rows: &[usize]) -> Vec<String> {
    let value = |row: &usize| cells[*row].clone().unwrap_or_else(|| "(none)".into());
    rows.iter().map(value).collect()
}
