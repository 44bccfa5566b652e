//! What a compare record says: systems side by side, and which differences hold.

use fgd_record::{CompareResults, Contrast, GRID, Record, ScoreResults};

use super::{
    IndexEntry, Kind, Listing, Subject, caption, captions, differences, figures, gates, numbers,
    provenance, set, verdict,
};
use crate::document::number::{MISSING, counted, counted_if_known, value};
use crate::document::{Cell, Document, Entry, Table, Tidy, Tone, grouped};

impl Kind for CompareResults {
    fn document(&self, record: &Record) -> Document {
        let mut document = Document::new(&title(self));
        if record.settings.contains_key(GRID) {
            document.verdict(Tone::Strong, self.choice());
        }
        verdict::compare(&mut document, self);
        verdict::warnings(&mut document, record);
        document.line(format!(
            "{} on the same {}, {} · {}",
            counted(self.systems.len() as u64, "system"),
            counted_if_known(self.n, "image"),
            counted_if_known(self.references, "reference"),
            provenance::encoder_name(record)
        ));
        provenance::encoder_notices(&mut document, record);
        document.table(gates::table(&self.gates, ["condition", "holds", "because"]));
        document.table(systems(self));
        let sets = self.systems.iter().map(|s| (s.name.as_str(), &s.scores.fgd_set));
        set::notices(&mut document, sets);
        let scores = self.systems.iter().map(|s| (s.name.as_str(), &s.scores));
        let figures = figures::systems(scores).into_iter();
        document.figures(figures.chain(figures::differences(&self.differences)));
        document.captions(record, None);
        differences::table(&mut document, &self.differences);
        let ran = self.systems.iter();
        document.table(caption::speeds(
            ran.filter_map(|s| Some((s.name.as_str(), s.captioning.as_ref()?))),
        ));
        slices(&mut document, self);
        document.table(differences::by_group(&self.differences));
        document.entries(
            "Images on which the systems differ most (with the distance of each caption)",
            self.contrasts.iter().map(contrast),
        );
        document.table(captions::findings(&record.findings));
        document.signed(record, provenance::tables(record, None))
    }

    fn numbers(&self, _record: &Record) -> Tidy {
        let mut rows = numbers::Numbers::new();
        for system in &self.systems {
            rows.scores(&system.name, &system.scores);
            if let Some(captioning) = &system.captioning {
                rows.captioning(&system.name, captioning);
            }
        }
        rows.differences(&self.differences, self.n);
        rows.finish()
    }

    fn listing(&self, _record: &Record) -> Listing {
        Listing { page: Some(title(self)), entry: IndexEntry::Run }
    }

    fn subjects(&self, _record: &Record) -> Vec<Subject<'_>> {
        self.systems
            .iter()
            .map(|system| Subject {
                name: system.name.clone(),
                checkpoint: system.checkpoint.as_ref(),
                scores: Some(&system.scores),
                captioning: system.captioning.as_ref(),
                ..Subject::default()
            })
            .collect()
    }
}

fn title(results: &CompareResults) -> String {
    let names: Vec<&str> = results.systems.iter().map(|s| s.name.as_str()).collect();
    names.join(" vs ")
}

/// All metrics of all systems, one row per system.
pub(super) fn systems(results: &CompareResults) -> Table {
    let metrics = results.systems.iter().flat_map(|s| &s.scores.metrics);
    let further = grouped(metrics.map(|(name, metric)| (name, &metric.label)));
    let mut table = Table::of("Systems", &results.systems)
        .text("system", |s| Cell::subject(&s.name))
        .number("fgd_paired", |s| Cell::with_interval(&s.scores.fgd_paired).strong())
        .number("fgd_set", |s| set::cell(&s.scores.fgd_set));
    for part in &set::PARTS {
        table = table.number(part.name, |s| part.cell(&s.scores)).optional();
    }
    table = table.number("mean_cosine", |s| Cell::with_interval(&s.scores.mean_cosine)).optional();
    for (name, labels) in &further {
        let cell = |scores: &ScoreResults| match scores.metrics.get(*name) {
            Some(metric) => Cell::with_interval(&metric.measure),
            None => MISSING.into(),
        };
        table = table.number(labels[0], |s| cell(&s.scores)).optional();
    }
    table
        .remark("fgd_paired and fgd_set: lower is better; fgd_set with its bias removed, or raw where it says so. ± is half of the 95% interval.")
        .sortable()
        .into()
}

/// One table per way of grouping: a row per group, a column per system.
fn slices(document: &mut Document, results: &CompareResults) {
    let slices = results.systems.iter().flat_map(|s| &s.scores.slices);
    let parts = slices.flat_map(|s| s.parts.iter().map(|part| (&s.column, part)));
    for (column, parts) in grouped(parts) {
        let groups = grouped(parts.into_iter().map(|part| (&part.value, part.results.n)));
        let groups = groups.iter().map(|(value, n)| (*value, n[0]));
        let mut table = Table::of(&format!("fgd_paired by {column}"), groups)
            .text(column, |(value, _)| value)
            .number("images", |(_, n)| Cell::count(n));
        for system in &results.systems {
            let slice = system.scores.slices.iter().find(|s| s.column == *column);
            table = table.number(&system.name, |(value, _)| {
                let part = slice.and_then(|s| s.parts.iter().find(|p| p.value == *value));
                part.map_or(MISSING.into(), |part| Cell::with_interval(&part.results.fgd_paired))
            });
        }
        document.table(table);
    }
}

fn contrast(contrast: &Contrast) -> Entry {
    let mut entry = Entry::new(&contrast.image_id, "");
    for caption in &contrast.captions {
        let label = match caption.distance {
            Some(_) => format!("{} {}", value(caption.distance, Some(0.01)), caption.system),
            None => caption.system.clone(),
        };
        entry = entry.field(&label, &caption.caption);
    }
    for reference in &contrast.references {
        entry = entry.field("reference", reference);
    }
    entry.thumbnail_jpeg.clone_from(&contrast.thumbnail_jpeg);
    entry
}
