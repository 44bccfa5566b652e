//! What the captions themselves look like: as texts, at their worst, and to the linter.

use super::number::{MISSING, count, signed, value};
use super::{Block, Cell, Column, Entry, Field, Table, Tone, visible};
use fgd_record::{Distribution, Finding, ScoreResults, Severity, WorstCaption};

/// What the captions look like as texts.
pub fn texts(results: &ScoreResults) -> Option<Table> {
    let texts = results.texts.as_ref()?;
    let mut table = Table::new(
        "Captions as texts",
        vec![
            Column::text("what"),
            Column::number("captions"),
            Column::number("references"),
        ],
    );
    let median = |d: Option<&Distribution>| {
        let words = d.map(|d| d.quantiles[3]);
        Cell::number(
            words.map_or(MISSING.to_string(), |w| format!("{w:.0}")),
            words,
        )
    };
    let share = |s: f64| Cell::number(format!("{:.1}%", 100.0 * s), Some(s));
    table.rows.push(vec![
        Cell::text("words, median"),
        median(Some(&texts.lengths)),
        median(texts.reference_lengths.as_ref()),
    ]);
    table.rows.push(vec![
        Cell::text("equal to another caption"),
        share(texts.duplicates),
        Cell::text(""),
    ]);
    table.rows.push(vec![
        Cell::text("a word or phrase runs away"),
        share(texts.repetitive),
        Cell::text(""),
    ]);
    Some(table)
}

/// The captions that hurt most.
pub fn worst(captions: &[WorstCaption]) -> Option<Block> {
    if captions.is_empty() {
        return None;
    }
    let entries = captions
        .iter()
        .map(|worst| {
            let mut detail = vec![format!("row {}", worst.row)];
            if worst.distance.is_some() {
                detail.push(format!("distance {}", value(worst.distance, Some(0.01))));
            }
            if worst.influence.is_some() {
                detail.push(format!("influence {}", signed(worst.influence, Some(0.01))));
            }
            let mut fields = vec![Field::new("caption", &worst.caption)];
            fields.extend(worst.references.iter().map(|r| Field::new("reference", r)));
            fields.push(Field::new("why", &worst.why));
            Entry {
                title: visible(&worst.image_id),
                detail: detail.join(" · "),
                fields,
                thumbnail_jpeg: None,
            }
        })
        .collect();
    Some(Block::Entries {
        title: "Captions that hurt most".into(),
        entries,
    })
}

/// What the linter found, one row per kind of finding.
pub fn findings(findings: &[Finding]) -> Option<Table> {
    let mut kinds: Vec<(&Finding, u64)> = Vec::new();
    for finding in findings {
        match kinds
            .iter_mut()
            .find(|(first, _)| first.kind == finding.kind && first.input == finding.input)
        {
            Some((_, times)) => *times += 1,
            None => kinds.push((finding, 1)),
        }
    }
    if kinds.is_empty() {
        return None;
    }
    let mut table = Table::new(
        "Notes on the files",
        vec![
            Column::text("finding"),
            Column::number("times"),
            Column::text("file"),
            Column::text("the first"),
        ],
    );
    for (first, times) in kinds {
        let place = match (first.row, &first.id) {
            (Some(row), Some(id)) => format!("row {row}, image {id}: "),
            (Some(row), None) => format!("row {row}: "),
            (None, Some(id)) => format!("image {id}: "),
            (None, None) => String::new(),
        };
        let tone = match first.severity {
            Severity::Error => Tone::Bad,
            Severity::Note => Tone::Plain,
        };
        table.rows.push(vec![
            Cell::text(&first.kind).tone(tone),
            Cell::number(count(times), Some(times as f64)),
            Cell::text(&first.input),
            Cell::text(&format!("{place}{}", first.message)),
        ]);
    }
    Some(table)
}
