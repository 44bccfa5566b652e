//! What a caption record says: how many images have a caption, and how fast they got it.

use fgd_record::{CaptionResults, CheckpointInfo, Record};

use super::{IndexEntry, Kind, Listing, Subject, captions, numbers, provenance, verdict};
use crate::document::number::{MISSING, counted, percent};
use crate::document::{Cell, Document, Table, Tidy, Tone};

impl Kind for CaptionResults {
    fn document(&self, record: &Record) -> Document {
        let mut document = Document::new(&format!("Captions of {}", record.system_name()));
        verdict::caption(&mut document, self);
        document.line(subject(record.checkpoint.as_ref(), self));
        if let Some(by) = record.settings.get("select").and_then(|select| select["by"].as_str()) {
            let each = record.settings.get("generation").map(|how| &how["num_return_sequences"]);
            let each = each.and_then(|each| each.as_u64()).unwrap_or_default();
            document.line(format!("Of {each} captions of each image one is kept, chosen by {by}."));
        }
        document.table(figures(self));
        if let Some(reason) = &self.images_per_second.reason {
            let text = format!("{MISSING} images/s, tokens/s: {reason}");
            document.notice(Tone::Plain, text);
        }
        let failures = Table::of("Without a caption", &self.failures)
            .text("image", |failure| Cell::from(&failure.image_id).tone(Tone::Bad))
            .text("reason", |failure| &failure.reason);
        document.table(failures);
        document.table(captions::findings(&record.findings));
        document.signed(record, provenance::tables(record, None))
    }

    fn numbers(&self, record: &Record) -> Tidy {
        let mut rows = numbers::Numbers::new();
        rows.captioning(&record.system_name(), self);
        rows.finish()
    }

    fn listing(&self, record: &Record) -> Listing {
        Listing { page: Some(record.system_name()), entry: IndexEntry::Run }
    }

    fn subjects(&self, record: &Record) -> Vec<Subject<'_>> {
        vec![Subject { name: record.system_name(), captioning: Some(self), ..Subject::default() }]
    }
}

fn subject(checkpoint: Option<&CheckpointInfo>, results: &CaptionResults) -> String {
    let images = counted(results.images, "image");
    let Some(checkpoint) = checkpoint else {
        return images;
    };
    let adapter = match &checkpoint.adapter {
        Some((adapter, _)) => format!(" with adapter {adapter}"),
        None => String::new(),
    };
    let CheckpointInfo { id, dtype, device, .. } = checkpoint;
    format!("{images} · checkpoint {id}{adapter} ({dtype} on {device})")
}

fn figures(results: &CaptionResults) -> Table {
    let mut rows: Vec<(&str, Cell, String)> = Vec::new();
    let mut row = |what, number: Cell, meaning: &str| rows.push((what, number, meaning.into()));
    let strong = |cell: Cell| cell.strong();
    row("captions", strong(Cell::count(results.captions)), "");
    if !results.failures.is_empty() {
        let failed = Cell::count(results.failures.len() as u64).tone(Tone::Warning);
        row("without a caption", failed, "listed below");
    }
    if results.resumed > 0 {
        let meaning = "taken over from its journal";
        row("of an earlier run", Cell::count(results.resumed), meaning);
    }
    row("tokens", Cell::count(results.tokens), "of all captions");
    let meaning = "of this run, loading excluded";
    for (name, rate) in
        [("images/s", &results.images_per_second), ("tokens/s", &results.tokens_per_second)]
    {
        row(name, strong(Cell::significant(rate.value)), meaning);
    }
    if let Some(ms) = &results.caption_ms {
        let meaning = "milliseconds per caption: its image and its share of the batch";
        row("ms per caption, mean", Cell::significant(ms.mean), meaning);
        row("  median", Cell::significant(ms.p50), "");
        row("  90%", Cell::significant(ms.p90), "");
        if ms.p99.is_some() {
            row("  99%", Cell::significant(ms.p99), "");
        }
        row("  slowest", Cell::significant(ms.max), "");
    }
    row("batch", Cell::count(results.batch), "images per step");
    let meaning = "images whose vision part came from the cache; they cost less";
    row("features cached", Cell::count(results.cached_features), meaning);
    row("seconds", Cell::significant(results.seconds), "");
    let stages = &results.stages;
    for (name, seconds) in [
        ("  waiting for images", stages.preprocess),
        ("  vision", stages.vision),
        ("  language", stages.language),
    ] {
        let share = (results.seconds > 0.0).then(|| percent(seconds / results.seconds));
        row(name, Cell::significant(seconds), &share.unwrap_or_default());
    }
    row("seconds to load", Cell::significant(results.load_seconds), "");
    row("peak memory, GiB", gibibytes(results.peak_memory_bytes), "");
    Table::of("Captioning", &rows)
        .text("what", |(what, number, _)| Cell::from(*what).tone(number.tone))
        .number("value", |(_, number, _)| number.clone())
        .text("how to read it", |(_, _, meaning)| Cell::from(meaning).tone(Tone::Dim))
        .optional()
        .into()
}

/// Systems whose captioner ran, one row each.
pub fn speeds<'a>(systems: impl Iterator<Item = (&'a str, &'a CaptionResults)>) -> Table {
    let ms = |results: &'a CaptionResults| results.caption_ms.as_ref();
    Table::of("Captioning speed", systems)
        .text("system", |(name, _)| Cell::subject(name))
        .number("images/s", |(_, r)| Cell::significant(r.images_per_second.value))
        .number("tokens/s", |(_, r)| Cell::significant(r.tokens_per_second.value))
        .number("ms p50", |(_, r)| Cell::significant(ms(r).map(|ms| ms.p50)))
        .number("ms p90", |(_, r)| Cell::significant(ms(r).map(|ms| ms.p90)))
        .number("ms p99", |(_, r)| Cell::significant(ms(r).and_then(|ms| ms.p99)))
        .optional()
        .number("captions", |(_, r)| Cell::count(r.captions))
        .optional()
        .number("batch", |(_, r)| Cell::count(r.batch))
        .optional()
        .number("cached", |(_, r)| Cell::count(r.cached_features))
        .number("load s", |(_, r)| Cell::significant(r.load_seconds))
        .optional()
        .number("GiB", |(_, r)| gibibytes(r.peak_memory_bytes))
        .optional()
        .remark(
            "ms: milliseconds per caption. A rate is missing where every caption was taken over from an earlier run.",
        )
        .explain(
            "cached",
            "cached: images whose vision part came from the features cache, which makes them cheaper; compare speeds \
             where these counts agree.",
        )
        .sortable()
        .into()
}

fn gibibytes(bytes: Option<u64>) -> Cell {
    Cell::significant(bytes.map(|bytes| bytes as f64 / f64::from(1 << 30)))
}
