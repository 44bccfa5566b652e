//! What a score record says: one system against references.

use fgd_record::{Record, ScoreResults};

use super::{IndexEntry, Kind, Listing, Subject, captions, numbers, provenance, set, system};
use crate::document::{Cell, Document, Table, Tidy, Tone};

impl Kind for ScoreResults {
    fn document(&self, record: &Record) -> Document {
        let mut document = system::body(record, &record.system_name(), self);
        document.table(captions::findings(&record.findings));
        document.signed(record, provenance::tables(record, None))
    }

    fn numbers(&self, record: &Record) -> Tidy {
        let mut rows = numbers::Numbers::new();
        rows.scores(&record.system_name(), self);
        rows.finish()
    }

    fn listing(&self, record: &Record) -> Listing {
        let is_fgd = (record.encoder.as_ref()).is_some_and(|encoder| encoder.is_gte_small);
        let encoder = match &record.encoder {
            Some(encoder) if is_fgd => encoder.id.clone(),
            Some(encoder) => format!("{} (not FGD)", encoder.id),
            None => "embeddings as given".to_string(),
        };
        let tone = if is_fgd { Tone::Plain } else { Tone::Warning };
        let key = &record.comparability.key;
        let table = Table::of(&format!("Systems with comparability key {key}"), [self])
            .text("system", |_| Cell::subject(&record.system_name()))
            .number("fgd_paired", |s| Cell::with_interval(&s.fgd_paired).strong())
            .number("fgd_set", |s| set::cell(&s.fgd_set))
            .number("mean_cosine", |s| Cell::with_interval(&s.mean_cosine))
            .text("encoder", |_| Cell::from(&encoder).tone(tone))
            .remark("fgd_paired and fgd_set: lower is better, fgd_set with its bias removed, or raw where it says so; ± is half of the 95% interval.")
            .sortable();
        Listing { page: None, entry: IndexEntry::Row { heading: "Scores", table: table.into() } }
    }

    fn subjects(&self, record: &Record) -> Vec<Subject<'_>> {
        vec![Subject { name: record.system_name(), scores: Some(self), ..Subject::default() }]
    }

    /// The record's only system stands for the record, findings included.
    fn page(&self, record: &Record, _name: &str) -> Option<Document> {
        Some(self.document(record))
    }
}
