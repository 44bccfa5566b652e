//! Which caption of a submission belongs to which image: by id, never by row.

use std::collections::{HashMap, HashSet};

use super::finding::{Finding, FindingKind, shown};
use super::references::group;
use super::{CaptionFile, image_id};

/// A submission beside its references. The vectors run over the images that are scored, in the order of the references.
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
/// Ids that are not found as they stand are matched without folder, image extension, leading zeros and the `.0` of a float, which
/// is noted; where two ids of one file come together that way, only exact matches count. The findings show nothing of the references
/// but ids that the submission lacks; when no id matches at all they show not even those.
pub fn align(submission: &CaptionFile, references: &CaptionFile) -> Alignment {
    let grouped = group(references);
    let matching = match_ids(submission, &grouped.ids);
    let mut alignment = Alignment { findings: matching.findings, ..Alignment::default() };
    for ((id, captions), candidate) in
        grouped.ids.into_iter().zip(grouped.captions).zip(matching.candidates)
    {
        if let Some(candidate) = candidate {
            alignment.ids.push(id);
            alignment.candidate.push(candidate);
            alignment.references.push(captions);
        }
    }
    alignment
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
    let ids = given.iter().map(|&index| submission.captions[index].id.as_str());
    let names = Names::new(ids, wanted);
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
        let first = &submission.captions[given[0]].id;
        let message = format!(
            "not one of the {} image ids (the first is `{}`) is known; check that this is the right file and that its columns are not swapped",
            given.len(),
            shown(first)
        );
        findings.push(Finding::error(FindingKind::NoCommonId, message));
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

fn spelt_differently(given: &str, wanted: &str) -> Finding {
    let kind = image_id::difference(given, wanted);
    let what = match kind {
        FindingKind::IdExtension => "a file extension or folder",
        FindingKind::IdFloat => "the `.0` of a number written as a float",
        _ => "leading zeros",
    };
    Finding::note(kind, format!("the id was matched although it differs by {what}")).of(given)
}

/// Looks wanted ids up, as they stand or by their key.
pub(super) struct Names<'a> {
    exact: HashMap<&'a str, usize>,
    /// The only wanted id of each key; `None` where either side has several ids of that key.
    by_key: HashMap<&'a str, Option<usize>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(given: impl Iterator<Item = &'a str>, wanted: &'a [String]) -> Self {
        let mut by_key = HashMap::new();
        for (position, id) in wanted.iter().enumerate() {
            by_key
                .entry(image_id::key(id))
                .and_modify(|known| *known = None)
                .or_insert(Some(position));
        }
        let mut seen = HashSet::new();
        for id in given {
            let key = image_id::key(id);
            if !seen.insert(key) {
                by_key.insert(key, None);
            }
        }
        let exact =
            wanted.iter().enumerate().map(|(position, id)| (id.as_str(), position)).collect();
        Self { exact, by_key }
    }

    pub(super) fn find(&self, id: &str) -> Option<usize> {
        let exact = self.exact.get(id).copied();
        exact.or_else(|| self.by_key.get(image_id::key(id)).copied().flatten())
    }
}
