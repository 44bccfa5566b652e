//! What was curated: two files, and the results of the record.

use std::collections::{BTreeMap, HashSet};

use fgd_record::{CurateExample, CurateResults, CurateRule, CurateSource};

use super::rules::{Heaps, Rule};
use crate::jobs::train::learnable::SOURCE;

/// Captions of each rule that a record shows.
const EXAMPLES: usize = 5;

/// In numbers.
pub fn results(heaps: &Heaps, unjudged: usize) -> CurateResults {
    let mut sources: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let kept = heaps.kept.iter().map(|row| (row, 1));
    for (row, stays) in kept.chain(heaps.dropped.iter().map(|dropped| (&dropped.row, 0))) {
        let (captions, kept) = sources.entry(&row.source).or_default();
        *captions += 1;
        *kept += stays;
    }
    let of = |rule: Rule| heaps.dropped.iter().filter(move |dropped| dropped.rule == rule);
    let example = |dropped: &super::rules::Dropped| CurateExample {
        rule: dropped.rule.name().into(),
        image_id: dropped.row.id.clone(),
        caption: dropped.row.text.clone(),
        source: dropped.row.source.clone(),
        reason: dropped.reason.clone(),
    };
    CurateResults {
        captions: (heaps.kept.len() + heaps.dropped.len()) as u64,
        kept: heaps.kept.len() as u64,
        images: heaps.kept.iter().map(|row| &row.id).collect::<HashSet<_>>().len() as u64,
        sources: sources
            .into_iter()
            .map(|(name, (captions, kept))| CurateSource { name: name.into(), captions, kept })
            .collect(),
        dropped: Rule::ALL
            .map(|rule| CurateRule { rule: rule.name().into(), captions: of(rule).count() as u64 })
            .into(),
        unjudged: unjudged as u64,
        examples: Rule::ALL.iter().flat_map(|rule| of(*rule).take(EXAMPLES).map(example)).collect(),
    }
}

/// What to train on, with columns `image_id`, `caption` and `source`.
///
/// # Errors
/// What the writer fails at.
pub fn captions_csv(heaps: &Heaps) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["image_id", "caption", SOURCE])?;
    for row in &heaps.kept {
        writer.write_record([&row.id, &row.text, &row.source])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// What is left out and why, in the order of the rules.
///
/// # Errors
/// What the writer fails at.
pub fn dropped_csv(heaps: &Heaps) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["file", "row", "image_id", "caption", SOURCE, "rule", "reason"])?;
    for dropped in &heaps.dropped {
        let row = &dropped.row;
        let file = row.file.display().to_string();
        let (at, rule) = (row.row.to_string(), dropped.rule.name());
        let cells = [&file, &at, &row.id, &row.text, &row.source, rule, &dropped.reason];
        writer.write_record(cells)?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}
