//! What an agreement record says: which metrics people agree with, and how sure that is.

use fgd_record::{AgreementResults, Measure, Record};

use super::numbers::{Number, Numbers};
use super::{Kind, provenance, verdict};
use crate::document::number::{MISSING, counted, p_value};
use crate::document::{Cell, Document, Table, Tidy};

impl Kind for AgreementResults {
    fn document(&self, record: &Record) -> Document {
        let name = provenance::input_name(record, "judgements");
        let mut document = Document::new(&format!("Agreement with people, {name}"));
        verdict::agreement(&mut document, self);
        document.line(format!(
            "{} of {} of {} · {} left out, which are references · {}",
            counted(self.judgements, "judgement"),
            counted(self.captions, "caption"),
            counted(self.images, "image"),
            self.left_out,
            provenance::encoder_name(record)
        ));
        provenance::encoder_notices(&mut document, record);
        document.table(table(self));
        document.signed(record, provenance::tables(record, None))
    }

    fn numbers(&self, record: &Record) -> Tidy {
        let mut rows = Numbers::new();
        let system = record.system_name();
        for metric in &self.metrics {
            let row = Number::of(&system).within("metric", &metric.metric).n(self.judgements);
            let mut push = |number: &str, measure: &Measure, p: Option<f64>| {
                rows.push(row.clone().measure(number, measure).p_holm(p));
            };
            push("tau_b", &metric.tau_b, None);
            push("tau_c", &metric.tau_c, None);
            push("accuracy", &metric.accuracy, None);
            if let Some(behind) = &metric.behind_first {
                push("behind_first", behind, metric.p_holm);
            }
        }
        rows.finish()
    }
}

fn table(results: &AgreementResults) -> Table {
    let first = results.metrics.first().map_or("the first", |metric| metric.label.as_str());
    Table::of("Agreement", &results.metrics)
        .text("metric", |metric| &metric.label)
        .number("τ-b", |metric| Cell::with_interval(&metric.tau_b))
        .number("τ-c", |metric| Cell::with_interval(&metric.tau_c).strong())
        .number("accuracy", |metric| Cell::with_interval(&metric.accuracy))
        .optional()
        .number("behind in τ-c", |metric| match &metric.behind_first {
            Some(behind) => Cell::difference(behind),
            None => MISSING.into(),
        })
        .number("p (Holm)", |metric| Cell::new(p_value(metric.p_holm), metric.p_holm))
        .remark("Kendall's τ between what a metric says of a caption (turned so that higher is better) and what people said.")
        .explain("accuracy", "accuracy: pairs of captions of one image in the order of people.")
        .remark(format!(
            "Intervals and tests resample images. behind: τ-c of {first} less that of the metric. People judged captions, not sets: this says nothing of fgd_set."
        ))
        .into()
}
