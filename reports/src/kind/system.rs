//! What is said of one system and its scores, in a record of its own or as one of several.

use fgd_record::{Mark, Measure, Pairing, Record, ScoreResults, Slice};

use super::{captions, figures, provenance, set, spread, verdict};
use crate::document::number::{MISSING, ROUNDING, counted_if_known, interval};
use crate::document::{Cell, Document, Table, Tone, grouped, visible};

/// The page of one of several systems.
pub fn page(record: &Record, name: &str, results: &ScoreResults) -> Document {
    body(record, name, results).signed(record, provenance::tables(record, Some(name)))
}

/// All that its scores say, unsigned.
pub fn body(record: &Record, name: &str, results: &ScoreResults) -> Document {
    let references = provenance::input_name(record, "references");
    let mut document = Document::new(&format!("{name} against {references}"));
    verdict::score(&mut document, record, results);
    verdict::warnings(&mut document, record);
    document.line(subject(results, record));
    document.line(provenance::drawn(record));
    provenance::encoder_notices(&mut document, record);
    document.table(scores(results));
    notices(&mut document, results);
    document.figures(
        [
            figures::distances(results),
            figures::parts(&[(String::new(), results)]),
            spread::histogram_of_distances(results),
            spread::histogram_of_influences(results),
            spread::histogram_of_lengths(results),
            spread::infinity(results),
        ]
        .into_iter()
        .chain(results.slices.iter().map(figures::slice))
        .flatten(),
    );
    document.captions(record, Some(name));
    document.table(further(results));
    if let Some(texts) = &results.texts {
        document.table(captions::texts(texts));
    }
    for part in &results.slices {
        document.table(slice(part));
    }
    document.entries("Captions that hurt most", captions::worst(&results.worst));
    document
}

/// What was compared with what, by which encoder.
fn subject(results: &ScoreResults, record: &Record) -> String {
    let references = counted_if_known(results.references, "reference");
    let what = match results.pairing {
        Pairing::Paired => {
            format!(
                "{}, each against its own of {references}",
                counted_if_known(results.n, "image")
            )
        }
        Pairing::Unpaired => format!(
            "{} against {references}, not paired (distances between the two sets only)",
            counted_if_known(results.n, "caption")
        ),
    };
    format!("{what} · {}", provenance::encoder_name(record))
}

/// A row of the table of scores.
struct ScoreRow<'a> {
    name: &'static str,
    measure: Measure,
    marks: &'a [Mark],
    share: Option<f64>,
    meaning: String,
    tone: Tone,
}

/// The distances, their parts and the mean cosine.
fn scores(results: &ScoreResults) -> Table {
    let row = |name, measure: &Measure, meaning: &str, tone| ScoreRow {
        name,
        measure: measure.clone(),
        marks: &[],
        share: None,
        meaning: meaning.to_string(),
        tone,
    };
    let number = |value, se| Measure { value, se, ..Measure::default() };
    let paired = &results.fgd_paired;
    let meaning = "lower is better: mean squared distance of a caption to its reference";
    let mut rows = vec![row("fgd_paired", paired, meaning, Tone::Strong)];
    if let Some(parts) = &results.decomposition {
        let sum = parts.mean_shift + parts.covariance + parts.misalignment;
        let meanings = [
            "another style or subject on the whole",
            "less, or another kind of variety",
            "fits the set, not its own image",
        ];
        let values = [parts.mean_shift, parts.covariance, parts.misalignment];
        let names = ["  mean shift", "  covariance", "  misalignment"];
        for ((name, part), meaning) in names.into_iter().zip(values).zip(meanings) {
            rows.push(ScoreRow {
                // What rounding leaves of no distance has no parts.
                share: (sum > ROUNDING).then(|| part / sum),
                ..row(name, &number(Some(part), paired.se), meaning, Tone::Plain)
            });
        }
    }
    let set = &results.fgd_set;
    let meaning = "lower is better: distance of the two sets";
    rows.push(row("fgd_set", &set.raw(), meaning, Tone::Strong));
    if set.bias.is_some() {
        let bias = number(set.bias, set.se);
        let meaning = "what this number of captions alone adds";
        rows.push(row("  bias", &bias, meaning, Tone::Plain));
        let meaning = "bias removed: the number to compare";
        let corrected = row("  corrected", &set.without_bias(), meaning, Tone::Strong);
        rows.push(ScoreRow { marks: &set.marks, ..corrected });
    }
    if let Some(infinity) = &results.fgd_infinity {
        let line = infinity.r2.map_or_else(String::new, |r2| format!(" (r² {r2:.3})"));
        let meaning = format!("set distance extrapolated to infinitely many captions{line}");
        rows.push(row("fgd_infinity", &infinity.value, &meaning, Tone::Plain));
    }
    let meaning = "higher is better: mean similarity of a caption to its reference";
    rows.push(row("mean_cosine", &results.mean_cosine, meaning, Tone::Plain));
    Table::of("Scores", &rows)
        .text("metric", |row| Cell::from(row.name).tone(row.tone))
        .number("value", |row| Cell::measure(&row.measure).tone(row.tone))
        .number("95% interval", |row| set::marked(Cell::interval(&row.measure), row.marks))
        .when(results.decomposition.is_some(), |table| {
            let share = |row: &ScoreRow<'_>| row.share.map_or_else(Cell::default, Cell::percent);
            table.number("share", share).optional()
        })
        .text("how to read it", |row| Cell::from(&row.meaning).tone(Tone::Dim))
        .optional()
        .into()
}

/// Warnings, and the reasons of what is missing.
fn notices(document: &mut Document, results: &ScoreResults) {
    if let Some(warning) = &results.fgd_set.warning {
        document.notice(Tone::Warning, format!("fgd_set: {warning}"));
    }
    let infinity = results.fgd_infinity.as_ref();
    let reasons = [
        ("fgd_paired", &results.fgd_paired.reason),
        ("fgd_set", &results.fgd_set.reason),
        ("mean_cosine", &results.mean_cosine.reason),
        ("fgd_infinity", infinity.map_or(&None, |i| &i.value.reason)),
    ];
    let further = results.metrics.values();
    let further = further.map(|metric| (metric.label.as_str(), &metric.measure.reason));
    let names = reasons.into_iter().chain(further);
    for (reason, names) in
        grouped(names.filter_map(|(name, reason)| Some((reason.as_ref()?, name))))
    {
        document.notice(Tone::Plain, format!("{MISSING} {}: {reason}", names.join(", ")));
    }
}

/// The further metrics that were asked for.
fn further(results: &ScoreResults) -> Table {
    let direction = |higher_is_better| match higher_is_better {
        Some(true) => "higher is better",
        Some(false) => "lower is better",
        None => "neither direction is better",
    };
    Table::of("Further metrics", results.metrics.values())
        .text("metric", |metric| &metric.label)
        .number("value", Cell::metric)
        .number("95% interval", |metric| Cell::new(interval(&metric.measure), metric.measure.se))
        .text("how to read it", |metric| {
            Cell::from(direction(metric.higher_is_better)).tone(Tone::Dim)
        })
        .optional()
        .into()
}

/// The numbers per group of images.
fn slice(slice: &Slice) -> Table {
    Table::of(&format!("By {}", visible(&slice.column)), &slice.parts)
        .text(&slice.column, |part| &part.value)
        .number("images", |part| Cell::count(part.results.n))
        .number("fgd_paired", |part| Cell::with_interval(&part.results.fgd_paired).strong())
        .number("fgd_set", |part| set::cell(&part.results.fgd_set))
        .optional()
        .number("mean_cosine", |part| Cell::measure(&part.results.mean_cosine))
        .optional()
        .sortable()
        .into()
}
