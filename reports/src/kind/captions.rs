//! What the captions themselves look like: as texts, at their worst, and to the linter.

use fgd_record::{Distribution, Finding, Severity, TextStatistics, WorstCaption};

use crate::document::number::{MISSING, signed, value};
use crate::document::{Cell, Entry, Table, Tone, grouped};

/// What the captions look like as texts.
pub fn texts(texts: &TextStatistics) -> Table {
    let median = |lengths: &Distribution| {
        let words = lengths.quantiles[3];
        Cell::new(format!("{words:.0}"), Some(words))
    };
    let share = |share: f64| Cell::new(format!("{:.1}%", 100.0 * share), Some(share));
    let references = texts.reference_lengths.as_ref();
    let rows = [
        ("words, median", median(&texts.lengths), references.map_or(MISSING.into(), median)),
        ("equal to another caption", share(texts.duplicates), Cell::default()),
        ("a word or phrase runs away", share(texts.repetitive), Cell::default()),
    ];
    Table::of("Captions as texts", &rows)
        .text("what", |(what, _, _)| *what)
        .number("captions", |(_, captions, _)| captions.clone())
        .number("references", |(_, _, references)| references.clone())
        .into()
}

/// The captions that hurt most.
pub fn worst(captions: &[WorstCaption]) -> impl Iterator<Item = Entry> {
    captions.iter().map(|worst| {
        let mut detail = format!("row {}", worst.row);
        if worst.distance.is_some() {
            detail += &format!(" · distance {}", value(worst.distance, Some(0.01)));
        }
        if worst.influence.is_some() {
            detail += &format!(" · influence {}", signed(worst.influence, Some(0.01)));
        }
        let entry = Entry::new(&worst.image_id, detail).field("caption", &worst.caption);
        let references = worst.references.iter();
        let entry = references.fold(entry, |entry, text| entry.field("reference", text));
        entry.field("why", &worst.why)
    })
}

/// What the linter found, one row per kind of finding.
pub fn findings(findings: &[Finding]) -> Table {
    let kinds = grouped(findings.iter().map(|f| ((&f.kind, &f.input), f)));
    let place = |first: &Finding| match (first.row, &first.id) {
        (Some(row), Some(id)) => format!("row {row}, image {id}: "),
        (Some(row), None) => format!("row {row}: "),
        (None, Some(id)) => format!("image {id}: "),
        (None, None) => String::new(),
    };
    let tone = |first: &Finding| match first.severity {
        Severity::Error => Tone::Bad,
        Severity::Note => Tone::Plain,
    };
    let times = |all: &[&Finding]| all.iter().map(|finding| 1 + finding.more).sum::<u64>();
    Table::of("Notes on the files", kinds.iter().map(|(_, all)| (all[0], times(all))))
        .text("finding", |(first, _)| Cell::from(&first.kind).tone(tone(first)))
        .number("times", |(_, times)| Cell::count(times))
        .text("file", |(first, _)| &first.input)
        .text("the first", |(first, _)| format!("{}{}", place(first), first.message))
        .into()
}
