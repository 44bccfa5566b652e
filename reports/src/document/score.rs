//! What a score record says: one system against references.

use super::number::{MISSING, count, counted, interval, percent, value};
use super::{Block, Cell, Column, Document, Figure, Table, Tone, visible};
use super::{captions, figure, provenance, set, spread};
use fgd_record::{Pairing, Record, ScoreResults, Slice};

/// The document of a score record.
pub fn document(record: &Record, results: &ScoreResults) -> Document {
    let mut document = system(record, &record.system_name(), results);
    let signature = document.blocks.pop();
    (document.blocks).extend(captions::findings(&record.findings).map(Block::Table));
    document.blocks.extend(signature);
    document
}

/// The numbers of one system of a record.
pub fn system(record: &Record, name: &str, results: &ScoreResults) -> Document {
    let mut blocks = vec![Block::Line {
        text: subject(results, record),
    }];
    blocks.extend(provenance::encoder_notices(record));
    blocks.push(Block::Table(scores(results)));
    blocks.extend(notices(results));
    blocks.extend(figures(results));
    blocks.extend(further(results).map(Block::Table));
    blocks.extend(captions::texts(results).map(Block::Table));
    blocks.extend(results.slices.iter().map(|s| Block::Table(slice(s))));
    blocks.extend(captions::worst(&results.worst));
    blocks.push(Block::Signature {
        text: visible(&record.signature),
    });
    Document {
        title: format!(
            "{} against {}",
            visible(name),
            visible(&provenance::input_name(record, "references"))
        ),
        blocks,
        appendix: provenance::tables_of(record, Some(name)),
    }
}

/// What was compared with what, by which encoder.
fn subject(results: &ScoreResults, record: &Record) -> String {
    let what = match results.pairing {
        Pairing::Paired => format!(
            "{}, each against its own of {}",
            counted(results.n, "image"),
            counted(results.references, "reference")
        ),
        Pairing::Unpaired => format!(
            "{} against {} of other images (distances between the two sets only)",
            counted(results.n, "caption"),
            counted(results.references, "reference")
        ),
    };
    format!("{what} · {}", provenance::encoder_name(record))
}

/// The distances, their parts and the mean cosine.
pub fn scores(results: &ScoreResults) -> Table {
    let mut table = Table::new(
        "Scores",
        vec![
            Column::text("metric"),
            Column::number("value"),
            Column::number("95% interval"),
            Column::number("share").optional(),
            Column::text("how to read it").optional(),
        ],
    );
    let paired = &results.fgd_paired;
    table.rows.push(row(
        "fgd_paired",
        (paired.value, paired.se, paired.ci95),
        None,
        "lower is better: mean squared distance of a caption to its reference",
        Tone::Strong,
    ));
    if let Some(parts) = &results.decomposition {
        let sum = parts.mean_shift + parts.covariance + parts.misalignment;
        let share = |part: f64| (sum > 0.0).then(|| part / sum);
        for (name, part, meaning) in [
            (
                "  mean shift",
                parts.mean_shift,
                "another style or subject on the whole",
            ),
            (
                "  covariance",
                parts.covariance,
                "less, or another kind of variety",
            ),
            (
                "  misalignment",
                parts.misalignment,
                "fits the set, not its own image",
            ),
        ] {
            let part_row = row(
                name,
                (Some(part), paired.se, None),
                share(part),
                meaning,
                Tone::Plain,
            );
            table.rows.push(part_row);
        }
    }
    let set = &results.fgd_set;
    table.rows.push(row(
        "fgd_set",
        (set.value, set.se, None),
        None,
        "lower is better: distance of the two sets",
        Tone::Strong,
    ));
    if set.bias.is_some() {
        table.rows.push(row(
            "  bias",
            (set.bias, set.se, None),
            None,
            "what this number of captions alone adds",
            Tone::Plain,
        ));
        table.rows.push(row(
            "  corrected",
            (set.corrected, set.se, set.ci95),
            None,
            "bias removed: the number to compare",
            Tone::Strong,
        ));
    }
    if let Some(infinity) = &results.fgd_infinity {
        let measure = &infinity.value;
        table.rows.push(row(
            "fgd_infinity",
            (measure.value, measure.se, measure.ci95),
            None,
            &format!(
                "set distance extrapolated to infinitely many captions (r² {:.3})",
                infinity.r2
            ),
            Tone::Plain,
        ));
    }
    let cosine = &results.mean_cosine;
    table.rows.push(row(
        "mean_cosine",
        (cosine.value, cosine.se, cosine.ci95),
        None,
        "higher is better: mean similarity of a caption to its reference",
        Tone::Plain,
    ));
    if results.decomposition.is_none() {
        drop_column(&mut table, "share");
    }
    table
}

type Number = (Option<f64>, Option<f64>, Option<[f64; 2]>);

fn row(
    name: &str,
    (number, se, ci): Number,
    share: Option<f64>,
    meaning: &str,
    tone: Tone,
) -> Vec<Cell> {
    let interval = if ci.is_some() {
        interval(number, se, ci)
    } else {
        String::new()
    };
    vec![
        Cell::text(name).tone(tone),
        Cell::number(value(number, se), number).tone(tone),
        Cell::number(interval, se),
        Cell::number(share.map(percent).unwrap_or_default(), share),
        Cell::text(meaning).tone(Tone::Dim),
    ]
}

fn drop_column(table: &mut Table, name: &str) {
    if let Some(at) = table.columns.iter().position(|c| c.name == name) {
        table.columns.remove(at);
        for row in &mut table.rows {
            row.remove(at);
        }
    }
}

/// Warnings, and the reasons of what is missing.
pub fn notices(results: &ScoreResults) -> Vec<Block> {
    let mut notices = Vec::new();
    if let Some(warning) = &results.fgd_set.warning {
        notices.push(Block::Notice {
            tone: Tone::Warning,
            text: format!("fgd_set: {}", visible(warning)),
        });
    }
    let reasons = [
        ("fgd_paired", results.fgd_paired.reason.as_deref()),
        ("fgd_set", results.fgd_set.reason.as_deref()),
        ("mean_cosine", results.mean_cosine.reason.as_deref()),
        (
            "fgd_infinity",
            results
                .fgd_infinity
                .as_ref()
                .and_then(|infinity| infinity.value.reason.as_deref()),
        ),
    ];
    let further = results
        .metrics
        .values()
        .map(|metric| (metric.label.as_str(), metric.measure.reason.as_deref()));
    let mut names_by_reason: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, reason) in reasons.into_iter().chain(further) {
        let Some(reason) = reason else { continue };
        match names_by_reason.iter_mut().find(|(r, _)| *r == reason) {
            Some((_, names)) => names.push(name),
            None => names_by_reason.push((reason, vec![name])),
        }
    }
    for (reason, names) in names_by_reason {
        notices.push(Block::Notice {
            tone: Tone::Plain,
            text: visible(&format!("{MISSING} {}: {reason}", names.join(", "))),
        });
    }
    notices
}

/// What a direction is called.
pub fn direction(higher_is_better: Option<bool>) -> &'static str {
    match higher_is_better {
        Some(true) => "higher is better",
        Some(false) => "lower is better",
        None => "neither direction is better",
    }
}

/// The further metrics that were asked for.
pub fn further(results: &ScoreResults) -> Option<Table> {
    if results.metrics.is_empty() {
        return None;
    }
    let mut table = Table::new(
        "Further metrics",
        vec![
            Column::text("metric"),
            Column::number("value"),
            Column::number("95% interval"),
            Column::text("how to read it").optional(),
        ],
    );
    for metric in results.metrics.values() {
        let measure = &metric.measure;
        table.rows.push(vec![
            Cell::text(&metric.label),
            Cell::measure(measure),
            Cell::number(
                interval(measure.value, measure.se, measure.ci95),
                measure.se,
            ),
            Cell::text(direction(metric.higher_is_better)).tone(Tone::Dim),
        ]);
    }
    Some(table)
}

/// The pictures of a system's numbers.
fn figures(results: &ScoreResults) -> Option<Block> {
    let figures: Vec<Figure> = [
        figure::distances(results),
        figure::parts(&[(String::new(), results)]),
        spread::histogram_of_distances(results),
        spread::histogram_of_influences(results),
        spread::histogram_of_lengths(results),
        spread::infinity(results),
    ]
    .into_iter()
    .flatten()
    .chain(results.slices.iter().filter_map(figure::slice))
    .collect();
    (!figures.is_empty()).then_some(Block::Figures { figures })
}

/// The numbers per group of images.
pub fn slice(slice: &Slice) -> Table {
    let mut table = Table::new(
        &format!("By {}", visible(&slice.column)),
        vec![
            Column::text(&slice.column),
            Column::number("images"),
            Column::number("fgd_paired"),
            Column::number("fgd_set").optional(),
            Column::number("mean_cosine").optional(),
        ],
    );
    for part in &slice.parts {
        let results = &part.results;
        let set = &results.fgd_set;
        table.rows.push(vec![
            Cell::text(&part.value),
            Cell::number(count(results.n), Some(results.n as f64)),
            Cell::with_interval(&results.fgd_paired).tone(Tone::Strong),
            set::cell(set),
            Cell::measure(&results.mean_cosine),
        ]);
    }
    table.sortable()
}
