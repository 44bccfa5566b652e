//! What a score record says: one system against references.

use super::number::{MISSING, count, counted, interval, percent, signed, value};
use super::{Block, Cell, Column, Document, Entry, Field, Figure, Table, Tone, visible};
use super::{figure, provenance};
use crate::record::{
    Distribution, Finding, Measure, Pairing, Record, ScoreResults, Severity, Slice, WorstCaption,
};

/// The document of a score record.
pub fn document(record: &Record, results: &ScoreResults) -> Document {
    let mut document = system(record, &record.system_name(), results);
    let signature = document.blocks.pop();
    (document.blocks).extend(findings(&record.findings).map(Block::Table));
    document.blocks.extend(signature);
    document
}

/// The numbers of one system of a record.
pub fn system(record: &Record, name: &str, results: &ScoreResults) -> Document {
    let mut blocks = vec![Block::Line {
        text: subject(results, record),
    }];
    blocks.extend(encoder_notice(record));
    blocks.push(Block::Table(scores(results)));
    blocks.extend(notices(results));
    blocks.extend(figures(results));
    blocks.extend(further(results).map(Block::Table));
    blocks.extend(texts(results).map(Block::Table));
    blocks.extend(results.slices.iter().map(|s| Block::Table(slice(s))));
    blocks.extend(worst(&results.worst));
    blocks.push(Block::Signature {
        text: visible(&record.signature),
    });
    Document {
        title: format!(
            "{} against {}",
            visible(name),
            visible(&input_name(record, "references"))
        ),
        blocks,
        appendix: provenance::tables(record),
    }
}

/// What reports call an input.
pub fn input_name(record: &Record, role: &str) -> String {
    record
        .inputs
        .iter()
        .find(|input| input.role == role)
        .map_or_else(|| role.to_string(), |input| input.name.clone())
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
    format!("{what} · {}", encoder_name(record))
}

/// The encoder in a few words.
pub fn encoder_name(record: &Record) -> String {
    match &record.encoder {
        Some(encoder) => format!(
            "encoder {} ({}, {} dimensions)",
            visible(&encoder.id),
            visible(&encoder.dtype),
            encoder.dim
        ),
        None => "embeddings as given".to_string(),
    }
}

/// What must be said where the numbers are not those that the name FGD stands for.
pub fn encoder_notice(record: &Record) -> Option<Block> {
    let text = match &record.encoder {
        Some(encoder) if encoder.is_gte_small => return None,
        Some(encoder) => format!(
            "NOT FGD: numbers of encoder {}. FGD is measured with thenlper/gte-small; never rank these beside it.",
            visible(&encoder.id)
        ),
        None => "The embeddings were given: whether these numbers are FGD depends on the encoder that made them.".to_string(),
    };
    Some(Block::Notice {
        tone: Tone::Warning,
        text,
    })
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
        (set.corrected, set.se, set.ci95),
        None,
        "lower is better: distance of the two sets, bias removed",
        Tone::Strong,
    ));
    table.rows.push(row(
        "  as measured",
        (set.value, set.se, None),
        None,
        "before the correction",
        Tone::Plain,
    ));
    table.rows.push(row(
        "  bias",
        (set.bias, set.se, None),
        None,
        "what this number of captions alone adds",
        Tone::Plain,
    ));
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
            measure_cell(measure),
            Cell::number(
                interval(measure.value, measure.se, measure.ci95),
                measure.se,
            ),
            Cell::text(direction(metric.higher_is_better)).tone(Tone::Dim),
        ]);
    }
    Some(table)
}

/// A measure's value.
pub fn measure_cell(measure: &Measure) -> Cell {
    Cell::number(value(measure.value, measure.se), measure.value)
}

/// A measure's value with its interval, in one cell.
pub fn measure_with_interval(measure: &Measure) -> Cell {
    let mut text = value(measure.value, measure.se);
    if measure.ci95.is_some() {
        text = format!(
            "{text} {}",
            interval(measure.value, measure.se, measure.ci95)
        );
    }
    Cell::number(text, measure.value)
}

/// The pictures of a system's numbers.
fn figures(results: &ScoreResults) -> Option<Block> {
    let figures: Vec<Figure> = [
        figure::distances(results),
        figure::parts(&[(String::new(), results)]),
        figure::histogram_of_distances(results),
        figure::histogram_of_influences(results),
        figure::histogram_of_lengths(results),
        figure::infinity(results),
    ]
    .into_iter()
    .flatten()
    .chain(results.slices.iter().filter_map(figure::slice))
    .collect();
    (!figures.is_empty()).then_some(Block::Figures { figures })
}

/// What the captions look like as texts.
fn texts(results: &ScoreResults) -> Option<Table> {
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
            measure_with_interval(&results.fgd_paired).tone(Tone::Strong),
            measure_with_interval(&Measure {
                value: set.corrected,
                se: set.se,
                ci95: set.ci95,
                reason: None,
            }),
            measure_cell(&results.mean_cosine),
        ]);
    }
    table.sortable()
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
