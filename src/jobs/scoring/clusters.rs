//! Which captions of two sets were drawn together, where that is more than "the captions of an image".
//!
//! With `--cluster COLUMN` the images of one value are one draw. With `--unpaired` all captions of one image id are, on whichever
//! side they stand; ids that two files happen to share without meaning the same image do no harm, since what does not vary together
//! adds nothing to a sum over units. Where neither ids nor a column tell, sets that share more captions than chance makes them share were not
//! drawn independently either (a captioner that retrieves captions from the references).

use std::collections::HashMap;
use std::hash::Hash;

use fgd_captions::CaptionFile;
use fgd_metrics::units::Units;
use ndarray::ArrayView2;

use super::assemble::AlignedSet;
use crate::jobs::JobError;

/// A set that shares this part of its distinct captions with the other was not drawn independently of it.
const DEPENDENT: f64 = 0.5;
/// With so few in common it hardly matters how they were drawn.
const FEW: f64 = 0.05;
/// So many times the bound of chance is none.
const BEYOND_CHANCE: f64 = 2.0;

/// The images of one value of a column of the references, else of the submission.
///
/// # Errors
/// A column that neither file has.
pub fn paired(
    aligned: &AlignedSet,
    submission: &CaptionFile,
    references: &CaptionFile,
    column: &str,
) -> Result<Units, JobError> {
    let (cells, rows) = match (references.column(column), submission.column(column)) {
        (Some(cells), _) => (cells, &aligned.reference_rows),
        (None, Some(cells)) => (cells, &aligned.candidate_rows),
        (None, None) => return Err(no_column(column)),
    };
    let label = |image: usize| match value(&cells[rows[image]]) {
        Some(value) => (Some(value), 0),
        // An image without a value is a draw of its own.
        None => (None, image),
    };
    let candidates: Vec<_> = (0..aligned.set.len()).map(label).collect();
    let image_of = aligned.set.image_of.as_deref().unwrap_or_default();
    let of_references: Vec<_> = image_of.iter().map(|&image| candidates[image].clone()).collect();
    Ok(Units::of_labels(&candidates, &of_references))
}

/// What a cell says; a blank one, as tables have it for what is missing, says nothing.
fn value(cell: &Option<String>) -> Option<String> {
    cell.clone().filter(|value| !value.trim().is_empty())
}

/// The captions of one image id, or of one value of the column where a file has it.
///
/// # Errors
/// A column that neither file has.
pub fn unpaired(
    submission: &CaptionFile,
    references: &CaptionFile,
    column: Option<&str>,
) -> Result<Units, JobError> {
    if let Some(column) = column
        && submission.column(column).is_none()
        && references.column(column).is_none()
    {
        return Err(no_column(column));
    }
    let labels = |side: u8, file: &CaptionFile| -> Vec<(u8, String, usize)> {
        let cells = column.and_then(|column| file.column(column));
        let label = |row: usize| match cells.as_ref().and_then(|cells| value(&cells[row])) {
            Some(value) => (3, value, 0),
            None => by_id(side, row, &file.captions[row].id),
        };
        (0..file.captions.len()).map(label).collect()
    };
    let (of_submission, of_references) = (labels(0, submission), labels(1, references));
    let texts = |file: &CaptionFile| -> Vec<String> {
        file.captions.iter().map(|caption| caption.text.trim().to_owned()).collect()
    };
    let units = Units::of_labels(&of_submission, &of_references);
    if column.is_some() || shared(&units) > 0 {
        return Ok(units);
    }
    Ok(by_content(units, &texts(submission), &texts(references)))
}

/// Units of equal ids.
pub fn of_ids(candidates: &[&str], references: &[&str]) -> Units {
    let labels = |side: u8, ids: &[&str]| -> Vec<(u8, String, usize)> {
        ids.iter().enumerate().map(|(row, id)| by_id(side, row, id)).collect()
    };
    Units::of_labels(&labels(0, candidates), &labels(1, references))
}

/// The label of a caption; one without an id is a draw of its own.
fn by_id(side: u8, row: usize, id: &str) -> (u8, String, usize) {
    if id.is_empty() { (side, String::new(), row) } else { (2, id.to_owned(), 0) }
}

/// Rows without ids: equal ones belong together where the sets depend on each other.
pub fn of_embeddings(candidates: ArrayView2<f32>, references: ArrayView2<f32>) -> Units {
    let bits = |rows: ArrayView2<f32>| -> Vec<Vec<u32>> {
        rows.outer_iter().map(|row| row.iter().map(|v| v.to_bits()).collect()).collect()
    };
    let units = Units::independent(candidates.nrows(), references.nrows());
    by_content(units, &bits(candidates), &bits(references))
}

/// Units of which those are one that have the same content on both sides, for sets that depend on each other. What stands on one side
/// alone is a draw of its own, however often it is said there.
fn by_content<T: Eq + Hash>(units: Units, a: &[T], b: &[T]) -> Units {
    let [of_a, of_b] = [a, b].map(counts);
    if !are_dependent(&of_a, &of_b) {
        return units;
    }
    let common = |row: &T| of_a.contains_key(row) && of_b.contains_key(row);
    units.joined([a, b].map(|rows| rows.iter().map(|row| common(row).then_some(row)).collect()))
}

/// How often each row stands on a side.
fn counts<T: Eq + Hash>(rows: &[T]) -> HashMap<&T, f64> {
    let mut counts = HashMap::new();
    rows.iter().for_each(|row| *counts.entry(row).or_default() += 1.0);
    counts
}

/// Whether sets have more in common than sets that were drawn by themselves. Of those, with chances pₜ and qₜ of a caption t, a pair across
/// is equal with the chance Σ pₜ qₜ, which is no more than √(Σ pₜ² Σ qₜ²) (Cauchy and Schwarz): the chances of equal pairs within each.
fn are_dependent<T: Eq + Hash>(a: &HashMap<&T, f64>, b: &HashMap<&T, f64>) -> bool {
    let across: Vec<f64> = a.iter().filter_map(|(row, n)| Some(n * b.get(row)?)).collect();
    let common = across.len() as f64;
    let fewer = a.len().min(b.len());
    if fewer < 2 || common < FEW * fewer as f64 {
        return false;
    }
    let rows = |side: &HashMap<&T, f64>| side.values().sum::<f64>();
    let within = |side: &HashMap<&T, f64>| {
        let n = rows(side);
        side.values().map(|n| n * (n - 1.0)).sum::<f64>() / (n * (n - 1.0))
    };
    let across = across.iter().sum::<f64>() / (rows(a) * rows(b));
    common >= DEPENDENT * fewer as f64 || across > BEYOND_CHANCE * (within(a) * within(b)).sqrt()
}

/// Units with captions on both sides.
pub fn shared(units: &Units) -> usize {
    units.with(fgd_metrics::units::Presence::Both).count()
}

fn no_column(column: &str) -> JobError {
    JobError::usage(format!(
        "--cluster {column}: neither the references nor the submission have such a column"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined<T: Eq + Hash>(a: &[T], b: &[T]) -> Units {
        by_content(Units::independent(a.len(), b.len()), a, b)
    }

    #[test]
    fn sets_that_share_more_than_chance_makes_them_are_dependent() {
        let all: Vec<String> = (0..10).map(|i| format!("caption {i}")).collect();
        let counted = |a: &[String], b: &[String]| {
            let units = joined(a, b);
            (units.count(), shared(&units))
        };
        assert_eq!(counted(&all, &all), (10, 10));
        assert_eq!(counted(&all[..8], &all[4..]), (10, 4));
        assert_eq!(counted(&all[..6], &all[4..]), (10, 2));
        // Captions of a small world meet on both sides as often as on one.
        let few: Vec<usize> = (0..40).map(|i| (i * i + 5) % 23 % 9).collect();
        let other: Vec<usize> = few.iter().map(|w| if *w < 3 { 3 } else { w + 20 }).collect();
        assert_eq!(shared(&joined(&few, &other)), 0);
    }

    #[test]
    fn equal_captions_of_one_side_are_draws_of_their_own() {
        let units = joined(&[1, 1, 1, 2, 3], &[2, 3, 4, 4]);
        assert_eq!((units.on(0), units.on(1), shared(&units)), (5, 4, 2));
    }

    /// Two references of one image, each of which a captioner has said of an image of its own.
    #[test]
    fn what_shares_a_caption_or_an_image_is_one_draw() {
        let units = of_ids(&["a", "b", "c"], &["x", "x", "y"]);
        let units = by_content(units, &[1, 2, 3], &[1, 2, 4]);
        assert_eq!((units.count(), shared(&units)), (3, 1));
        assert_eq!(units.of(0)[0], units.of(0)[1]);
    }

    #[test]
    fn captions_without_ids_are_draws_of_their_own() {
        let units = of_ids(&["a", "a", ""], &["", "", "a"]);
        assert_eq!((units.on(0), units.on(1), shared(&units)), (2, 3, 1));
    }
}
