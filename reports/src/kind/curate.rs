//! What a curate record says: how many captions stay, and why the others go.

use fgd_record::{CurateResults, Record};

use super::{IndexEntry, Kind, Listing, captions, numbers, provenance};
use crate::document::number::{count, counted};
use crate::document::{Cell, Document, Table, Tidy, Tone, plain};

impl Kind for CurateResults {
    fn document(&self, record: &Record) -> Document {
        let mut document = Document::new(&title(record));
        let sources = self.sources.iter().filter(|source| source.kept > 0);
        let sources: Vec<String> =
            sources.map(|source| format!("{} {}", count(source.kept), source.name)).collect();
        document.verdict(
            Tone::Strong,
            format!(
                "{} of {} stay ({}), {} go",
                count(self.kept),
                counted(self.captions, "caption"),
                sources.join(", "),
                count(self.captions - self.kept.min(self.captions))
            ),
        );
        document.line(format!("of {}", counted(self.images, "image")));
        if self.unjudged > 0 {
            let text = format!(
                "{} stay unjudged: the model says nothing of their images",
                counted(self.unjudged, "caption")
            );
            document.notice(Tone::Plain, text);
        }
        document.table(sources_table(self));
        document.table(rules(self));
        document.table(examples(self));
        document.table(captions::findings(&record.findings));
        document.signed(record, provenance::tables(record, None))
    }

    fn numbers(&self, _record: &Record) -> Tidy {
        let mut rows = numbers::Numbers::new();
        for source in &self.sources {
            let row = || numbers::Number::of(&source.name).n(source.captions);
            rows.push(row().measure("kept", &plain(source.kept as f64)));
        }
        for rule in &self.dropped {
            let row = numbers::Number::of("").n(self.captions).within("rule", &rule.rule);
            rows.push(row.measure("dropped", &plain(rule.captions as f64)));
        }
        rows.finish()
    }

    fn listing(&self, record: &Record) -> Listing {
        Listing { page: Some(title(record)), entry: IndexEntry::Run }
    }
}

fn title(record: &Record) -> String {
    let of_captions = record.inputs.iter().filter(|input| input.role != "validation");
    let names: Vec<&str> = of_captions.map(|input| input.name.as_str()).collect();
    format!("Captions to train on: {}", names.join(", "))
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn sources_table(results: &CurateResults) -> Table {
    Table::of("Where the captions come from", &results.sources)
        .text("source", |source| Cell::subject(&source.name))
        .number("captions", |source| Cell::count(source.captions))
        .number("stay", |source| Cell::count(source.kept).strong())
        .number("share", |source| Cell::percent(share(source.kept, source.captions)))
        .sortable()
        .into()
}

fn rules(results: &CurateResults) -> Table {
    let whole = results.captions;
    Table::of("Why captions go", &results.dropped)
        .text("rule", |rule| Cell::subject(&rule.rule))
        .number("captions", |rule| Cell::count(rule.captions).strong())
        .number("share", |rule| Cell::percent(share(rule.captions, whole)))
        .text("what it is about", |rule| Cell::from(meaning(&rule.rule)).tone(Tone::Dim))
        .into()
}

fn meaning(rule: &str) -> &'static str {
    match rule {
        "harmful" => "what a model would learn by heart: loops, captions cut off or empty, markers",
        "repeated" => "the same words again of the same image",
        "unlike" => "least like what a model says of the image",
        "surplus" => "more synthetic captions than the real ones of the image bear",
        _ => "",
    }
}

fn examples(results: &CurateResults) -> Table {
    Table::of("Some captions that go", &results.examples)
        .text("rule", |example| &example.rule)
        .text("image", |example| &example.image_id)
        .text("caption", |example| &example.caption)
        .text("source", |example| &example.source)
        .text("why", |example| Cell::from(&example.reason).tone(Tone::Dim))
        .into()
}
