//! Which caption of a submission belongs to which image: by id, never by row.

use std::collections::{HashMap, HashSet};

use super::finding::{Finding, FindingKind, shown};
use super::image_index::ImageIndex;
use super::references::group;
use super::{CaptionFile, image_id};

/// A submission beside its references. The vectors run over the images that are scored, in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alignment {
    /// The image ids, as the references spell them.
    pub ids: Vec<String>,
    /// For each image the index of its caption in the submission.
    pub candidate: Vec<usize>,
    /// For each image the indices of its references, one or more.
    pub references: Vec<Vec<usize>>,
    /// Ids that are missing, extra, given twice or spelt differently.
    pub findings: Vec<Finding>,
}

/// Aligns a submission with references by image id.
///
/// Ids that are not found as they stand are matched as [`ImageIndex`] does. Each is noted; where two ids of one file come together
/// that way, only exact matches count. The findings show ids of the references, which belong to the task, and never a caption.
pub fn align(submission: &CaptionFile, references: &CaptionFile) -> Alignment {
    let grouped = group(references).in_order_of_ids();
    let matching = match_ids(submission, &grouped.ids);
    let mut alignment = Alignment { findings: matching.findings, ..Alignment::default() };
    let ignored: HashSet<String> =
        references.ignored.iter().map(|id| image_id::wide_key(id)).collect();
    alignment.findings.retain(|finding| {
        let id = finding.id.as_ref().filter(|_| finding.kind == FindingKind::ExtraId);
        !id.is_some_and(|id| ignored.contains(&image_id::wide_key(id)))
    });
    let images = grouped.ids.into_iter().zip(grouped.captions).zip(matching.candidates);
    for ((id, captions), candidate) in images {
        let Some(candidate) = candidate else { continue };
        alignment.ids.push(id);
        alignment.candidate.push(candidate);
        alignment.references.push(captions);
    }
    alignment
}

/// The captions of a submission whose ids were given before: one caption per image is scored. Of a file in which most images have
/// several captions, as references do, that is said once.
pub fn duplicates(submission: &CaptionFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let images = first_of_each_id(submission, &mut findings).len();
    let again: HashSet<&str> =
        findings.iter().filter_map(|finding| finding.id.as_deref()).collect();
    if again.len() < 3 || again.len() * 2 <= images {
        return findings;
    }
    let message = format!(
        "{} of {images} images have several captions, as references do (--role references); a submission has one per image",
        again.len()
    );
    vec![Finding::error(FindingKind::DuplicateId, message)]
}

/// What became of the ids that are wanted.
pub(super) struct Matching {
    /// For each wanted id the index of the first caption with it.
    pub candidates: Vec<Option<usize>>,
    pub findings: Vec<Finding>,
}

/// Matches the ids of a submission with the `wanted` ones, which are all different and not empty.
pub(super) fn match_ids(submission: &CaptionFile, wanted: &[String]) -> Matching {
    let mut findings = Vec::new();
    let given = first_of_each_id(submission, &mut findings);
    let ids: Vec<&str> =
        given.iter().map(|&index| submission.captions[index].id.as_str()).collect();
    let names = ImageIndex::of_file(ids.iter().copied(), wanted.iter().map(String::as_str));
    let mut candidates = vec![None; wanted.len()];
    let mut extra = Vec::new();
    for &index in &given {
        let caption = &submission.captions[index];
        match names.find(&caption.id) {
            Some(position) => {
                candidates[position] = Some(index);
                if wanted[position] != caption.id {
                    findings
                        .push(spelt_differently(&caption.id, &wanted[position]).at(caption.row));
                }
            }
            None => extra.push(caption),
        }
    }
    if candidates.iter().all(Option::is_none) && !given.is_empty() && !wanted.is_empty() {
        findings.push(no_common_id(submission, &ids, wanted));
        return Matching { candidates, findings };
    }
    findings.extend(extra.into_iter().map(|caption| {
        let message = "this image is not asked for";
        Finding::error(FindingKind::ExtraId, message).at(caption.row).of(&caption.id)
    }));
    let missing = wanted.iter().zip(&candidates).filter(|(_, candidate)| candidate.is_none());
    findings.extend(missing.map(|(id, _)| {
        Finding::error(FindingKind::MissingId, "there is no caption for this image").of(id)
    }));
    Matching { candidates, findings }
}

/// The index of the first caption of each id; the others are errors.
fn first_of_each_id(submission: &CaptionFile, findings: &mut Vec<Finding>) -> Vec<usize> {
    let mut rows: HashMap<&str, u64> = HashMap::new();
    let mut first = Vec::new();
    for (index, caption) in
        submission.captions.iter().enumerate().filter(|(_, caption)| !caption.id.is_empty())
    {
        match rows.get(caption.id.as_str()) {
            None => {
                rows.insert(&caption.id, caption.row);
                first.push(index);
            }
            Some(row) => {
                let message = if *row == caption.row {
                    "this row gives several captions; a submission has one per image".to_owned()
                } else {
                    format!("this id was already given in row {row}; keep one caption per image")
                };
                findings.push(
                    Finding::error(FindingKind::DuplicateId, message)
                        .at(caption.row)
                        .of(&caption.id),
                );
            }
        }
    }
    first
}

fn no_common_id(submission: &CaptionFile, given: &[&str], wanted: &[String]) -> Finding {
    let column = submission.id_column.as_ref();
    let column = column.map_or(String::new(), |name| format!(" of `{}`", shown(name)));
    // What has many words is a caption in the wrong place, and those of the references stay hidden.
    let is_id = |id: &&String| id.split_whitespace().count() < 3;
    let other = match wanted.first().filter(is_id) {
        Some(id) => format!(", wanted are ids such as `{}`", shown(id)),
        None => String::new(),
    };
    let message = format!(
        "not one of the {} image ids{column} (the first is `{}`) is known{other}; check that this is the right file and that its columns are not swapped",
        given.len(),
        shown(given[0])
    );
    Finding::error(FindingKind::NoCommonId, message)
}

fn spelt_differently(given: &str, wanted: &str) -> Finding {
    let (kind, what) = image_id::difference(given, wanted);
    let message =
        format!("the id was matched with `{}` although it differs by {what}", shown(wanted));
    Finding::note(kind, message).of(given)
}
