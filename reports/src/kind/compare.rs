//! What a compare record says: systems side by side, and which differences hold.

use fgd_record::{CompareResults, Contrast, GRID, Record};

use super::{
    IndexEntry, Kind, Listing, Subject, caption, captions, columns, differences, figures, gates,
    numbers, provenance, set, verdict,
};
use crate::document::number::{counted, counted_if_known, value};
use crate::document::{Cell, Document, Entry, Table, Tidy, Tone};

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
        document.line(provenance::drawn(record));
        provenance::encoder_notices(&mut document, record);
        document.table(gates::table(&self.gates, ["condition", "holds", "because"]));
        document.table(systems(self));
        let sets = self.systems.iter().map(|s| (s.name.as_str(), &s.scores.fgd_set));
        set::notices(&mut document, sets);
        let scores = self.systems.iter().map(|s| (s.name.as_str(), &s.scores));
        let figures = figures::systems(scores).into_iter();
        let further = further(self);
        document.figures(figures.chain(figures::differences(&self.differences, &further)));
        document.captions(record, None);
        differences::table(&mut document, &self.differences, &further);
        let ran = self.systems.iter();
        document.table(caption::speeds(
            ran.filter_map(|s| Some((s.name.as_str(), s.captioning.as_ref()?))),
        ));
        let scores = self.systems.iter().map(|s| (s.name.as_str(), &s.scores));
        columns::slices(&mut document, &scores.collect::<Vec<_>>());
        document.table(differences::by_group(&self.differences, &further));
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

/// The further metrics of the systems.
pub(super) fn further(results: &CompareResults) -> columns::Further<'_> {
    columns::further(results.systems.iter().map(|s| &s.scores))
}

/// All metrics of all systems, one row per system.
pub(super) fn systems(results: &CompareResults) -> Table {
    let mut table = Table::of("Systems", &results.systems)
        .text("system", |s| Cell::subject(&s.name))
        .number("fgd_paired", |s| Cell::with_interval(&s.scores.fgd_paired).strong())
        .number("fgd_set", |s| set::cell(&s.scores.fgd_set));
    table = columns::metrics(table, results.systems.iter().map(|s| &s.scores), |s| &s.scores);
    for part in &set::PARTS {
        table = table.number(part.name, |s| part.cell(&s.scores)).optional();
    }
    table
        .number("mean_cosine", |s| Cell::with_interval(&s.scores.mean_cosine))
        .optional()
        .remark("fgd_paired and fgd_set: lower is better; fgd_set with its bias removed, or raw where it says so. ± is half of the 95% interval.")
        .sortable()
        .into()
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
