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
    Ok(by_content(&texts(submission), &texts(references)).unwrap_or(units))
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

/// Rows without ids: equal ones belong together where the sets share most of them.
pub fn of_embeddings(candidates: ArrayView2<f32>, references: ArrayView2<f32>) -> Units {
    let bits = |rows: ArrayView2<f32>| -> Vec<Vec<u32>> {
        rows.outer_iter().map(|row| row.iter().map(|v| v.to_bits()).collect()).collect()
    };
    by_content(&bits(candidates), &bits(references))
        .unwrap_or_else(|| Units::independent(candidates.nrows(), references.nrows()))
}

/// Units of equal content, for sets that depend on each other.
fn by_content<T: Eq + Hash + Ord + Clone>(a: &[T], b: &[T]) -> Option<Units> {
    let [of_a, of_b] = [a, b].map(counts);
    let common = |row: &T| of_a.contains_key(row) && of_b.contains_key(row);
    if !are_dependent(&of_a, &of_b) {
        return None;
    }
    // What stands on one side alone is a draw of its own, however often it is said there.
    let label = |side: u8, rows: &[T]| -> Vec<(u8, Option<T>, usize)> {
        rows.iter()
            .enumerate()
            .map(|(at, row)| match common(row) {
                true => (0, Some(row.clone()), 0),
                false => (1 + side, None, at),
            })
            .collect()
    };
    Some(Units::of_labels(&label(0, a), &label(1, b)))
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

    #[test]
    fn sets_that_share_more_than_chance_makes_them_are_dependent() {
        let all: Vec<String> = (0..10).map(|i| format!("caption {i}")).collect();
        let same = by_content(&all, &all).unwrap();
        assert_eq!((same.count(), shared(&same)), (10, 10));
        let half = by_content(&all[..8], &all[4..]).unwrap();
        assert_eq!((half.count(), shared(&half)), (10, 4));
        let third = by_content(&all[..6], &all[4..]).unwrap();
        assert_eq!((third.count(), shared(&third)), (10, 2));
        // Captions of a small world meet on both sides as often as on one.
        let few =
            |phase: usize| -> Vec<usize> { (0..40).map(|i| (i * i + phase) % 23 % 9).collect() };
        let apart: Vec<usize> =
            few(0).iter().map(|word| if *word < 3 { 3 } else { word + 20 }).collect();
        assert_eq!(by_content(&few(5), &apart), None);
    }

    #[test]
    fn equal_captions_of_one_side_are_draws_of_their_own() {
        let (a, b) = ([1, 1, 1, 2, 3], [2, 3, 4, 4]);
        let units = by_content(&a, &b).unwrap();
        assert_eq!((units.on(0), units.on(1), shared(&units)), (5, 4, 2));
    }

    #[test]
    fn captions_without_ids_are_draws_of_their_own() {
        let units = of_ids(&["a", "a", ""], &["", "", "a"]);
        assert_eq!((units.on(0), units.on(1), shared(&units)), (2, 3, 1));
    }
}
