//! What a caption record says: how many images have a caption, and how fast they got it.

use super::number::{MISSING, count, counted, percent, significant};
use super::{Block, Cell, Column, Document, Table, Tone, provenance, visible};
use fgd_record::{CaptionFailure, CaptionResults, CheckpointInfo, Measure, Record};

/// The document of a caption record.
pub fn document(record: &Record, results: &CaptionResults) -> Document {
    let mut blocks = vec![Block::Line {
        text: subject(record.checkpoint.as_ref(), results),
    }];
    blocks.push(Block::Table(numbers(results)));
    blocks.extend(missing_rates(results));
    blocks.extend(failures(&results.failures).map(Block::Table));
    blocks.push(Block::Signature {
        text: visible(&record.signature),
    });
    Document {
        title: format!("Captions of {}", visible(&record.system_name())),
        blocks,
        appendix: provenance::tables(record),
    }
}

fn subject(checkpoint: Option<&CheckpointInfo>, results: &CaptionResults) -> String {
    let images = counted(results.images, "image");
    let Some(checkpoint) = checkpoint else {
        return images;
    };
    let adapter = match &checkpoint.adapter {
        Some((adapter, _)) => format!(" with adapter {}", visible(adapter)),
        None => String::new(),
    };
    format!(
        "{images} · checkpoint {}{adapter} ({} on {})",
        visible(&checkpoint.id),
        visible(&checkpoint.dtype),
        visible(&checkpoint.device)
    )
}

fn numbers(results: &CaptionResults) -> Table {
    let mut table = Table::new(
        "Captioning",
        vec![
            Column::text("what"),
            Column::number("value"),
            Column::text("how to read it").optional(),
        ],
    );
    let mut row = |what: &str, number: Cell, meaning: &str| {
        let tone = number.tone;
        table.rows.push(vec![
            Cell::text(what).tone(tone),
            number,
            Cell::text(meaning).tone(Tone::Dim),
        ]);
    };
    let strong = |cell: Cell| cell.tone(Tone::Strong);
    row("captions", strong(whole(results.captions)), "");
    if !results.failures.is_empty() {
        let failed = whole(results.failures.len() as u64).tone(Tone::Warning);
        row("without a caption", failed, "listed below");
    }
    if results.resumed > 0 {
        let meaning = "taken over from its journal";
        row("of an earlier run", whole(results.resumed), meaning);
    }
    row("tokens", whole(results.tokens), "of all captions");
    let rate = |measure: &Measure| strong(rate(measure));
    let meaning = "of this run, loading excluded";
    row("images/s", rate(&results.images_per_second), meaning);
    row("tokens/s", rate(&results.tokens_per_second), meaning);
    if let Some(ms) = &results.caption_ms {
        let meaning = "milliseconds per caption: its image and its share of the batch";
        row("ms per caption, mean", significant_cell(ms.mean), meaning);
        row("  median", significant_cell(ms.p50), "");
        row("  90%", significant_cell(ms.p90), "");
        if let Some(p99) = ms.p99 {
            row("  99%", significant_cell(p99), "");
        }
        row("  slowest", significant_cell(ms.max), "");
    }
    row("batch", whole(results.batch), "images per step");
    let cached = "images whose vision part came from the cache; they cost less";
    row("features cached", whole(results.cached_features), cached);
    let stages = &results.stages;
    for (name, seconds) in [
        ("seconds", results.seconds),
        ("  waiting for images", stages.preprocess),
        ("  vision", stages.vision),
        ("  language", stages.language),
    ] {
        let share = match name.starts_with(' ') && results.seconds > 0.0 {
            true => percent(seconds / results.seconds),
            false => String::new(),
        };
        row(name, significant_cell(seconds), &share);
    }
    row(
        "seconds to load",
        significant_cell(results.load_seconds),
        "",
    );
    row("peak memory, GiB", gibibytes(results.peak_memory_bytes), "");
    table
}

/// Why a rate is missing.
fn missing_rates(results: &CaptionResults) -> Option<Block> {
    let reason = results.images_per_second.reason.as_ref()?;
    Some(Block::Notice {
        tone: Tone::Plain,
        text: visible(&format!("{MISSING} images/s, tokens/s: {reason}")),
    })
}

fn failures(failures: &[CaptionFailure]) -> Option<Table> {
    if failures.is_empty() {
        return None;
    }
    let mut table = Table::new(
        "Without a caption",
        vec![Column::text("image"), Column::text("reason")],
    );
    table.rows = failures
        .iter()
        .map(|failure| {
            vec![
                Cell::text(&failure.image_id).tone(Tone::Bad),
                Cell::text(&failure.reason),
            ]
        })
        .collect();
    Some(table)
}

/// Systems whose captioner ran, one row each.
pub fn speeds<'a>(systems: impl Iterator<Item = (&'a str, &'a CaptionResults)>) -> Option<Table> {
    let mut table = Table::new(
        "Captioning speed",
        vec![
            Column::text("system"),
            Column::number("images/s"),
            Column::number("tokens/s"),
            Column::number("ms p50"),
            Column::number("ms p90"),
            Column::number("ms p99").optional(),
            Column::number("captions").optional(),
            Column::number("batch").optional(),
            Column::number("cached"),
            Column::number("load s").optional(),
            Column::number("GiB").optional(),
        ],
    );
    for (name, results) in systems {
        let ms = results.caption_ms.as_ref();
        let part = |value: Option<f64>| value.map_or_else(missing, significant_cell);
        table.rows.push(vec![
            Cell::system(name),
            rate(&results.images_per_second),
            rate(&results.tokens_per_second),
            part(ms.map(|ms| ms.p50)),
            part(ms.map(|ms| ms.p90)),
            part(ms.and_then(|ms| ms.p99)),
            whole(results.captions),
            whole(results.batch),
            whole(results.cached_features),
            significant_cell(results.load_seconds),
            gibibytes(results.peak_memory_bytes),
        ]);
    }
    table.remark = Some(
        "ms: milliseconds per caption. cached: images whose vision part came from the features cache, which makes \
         them cheaper; compare speeds where these counts agree. A rate is missing where every caption was taken over from \
         an earlier run."
            .into(),
    );
    (!table.rows.is_empty()).then(|| table.sortable())
}

fn whole(n: u64) -> Cell {
    Cell::number(count(n), Some(n as f64))
}

fn significant_cell(number: f64) -> Cell {
    Cell::number(significant(number), Some(number))
}

fn rate(measure: &Measure) -> Cell {
    measure.value.map_or_else(missing, significant_cell)
}

fn gibibytes(bytes: Option<u64>) -> Cell {
    let gib = bytes.map(|bytes| bytes as f64 / f64::from(1 << 30));
    gib.map_or_else(missing, significant_cell)
}

fn missing() -> Cell {
    Cell::number(MISSING.into(), None)
}
