//! What a compare record says: systems side by side, and which differences hold.

use super::captions::findings;
use super::number::{MISSING, count, counted, value};
use super::provenance::{encoder_name, encoder_notices};
use super::{Block, Cell, Column, Document, Entry, Field, Figure, Table, Tone, visible};
use super::{caption, differences, figure, provenance, set};
use fgd_record::{CompareResults, Contrast, Gate, Record, ScoreResults, System};

/// The document of a compare record.
pub fn document(record: &Record, results: &CompareResults) -> Document {
    let names: Vec<String> = results.systems.iter().map(|s| visible(&s.name)).collect();
    let mut blocks = vec![Block::Line {
        text: format!(
            "{} on the same {}, {} · {}",
            counted(results.systems.len() as u64, "system"),
            counted(results.n, "image"),
            counted(results.references, "reference"),
            encoder_name(record)
        ),
    }];
    blocks.extend(encoder_notices(record));
    blocks.extend(gates(&results.gates).map(Block::Table));
    blocks.push(Block::Table(systems(&results.systems)));
    let sets = results.systems.iter();
    blocks.extend(set::notices(
        sets.map(|s| (s.name.as_str(), &s.scores.fgd_set)),
    ));
    blocks.extend(differences::table(&results.differences).map(Block::Table));
    blocks.extend(differences::notices(&results.differences));
    blocks.extend(figures(results));
    let ran = results.systems.iter();
    let ran = ran.filter_map(|s| Some((s.name.as_str(), s.captioning.as_ref()?)));
    blocks.extend(caption::speeds(ran).map(Block::Table));
    blocks.extend(slices(&results.systems).into_iter().map(Block::Table));
    blocks.extend(differences::by_group(&results.differences).map(Block::Table));
    blocks.extend(contrasts(&results.contrasts));
    blocks.extend(findings(&record.findings).map(Block::Table));
    blocks.push(Block::Signature {
        text: visible(&record.signature),
    });
    Document {
        title: names.join(" vs "),
        blocks,
        appendix: provenance::tables(record),
    }
}

/// The pictures of a comparison: values, their parts, and one picture per metric compared.
fn figures(results: &CompareResults) -> Option<Block> {
    let systems: Vec<(String, &ScoreResults)> = results
        .systems
        .iter()
        .map(|system| (visible(&system.name), &system.scores))
        .collect();
    let mut figures: Vec<Figure> = [
        figure::paired(&systems),
        figure::set(&systems),
        figure::parts(&systems),
    ]
    .into_iter()
    .flatten()
    .collect();
    figures.extend(figure::differences(&results.differences));
    (!figures.is_empty()).then_some(Block::Figures { figures })
}

/// The metrics that the tables of several systems show, in their order.
fn shown_metrics(all: &[&ScoreResults]) -> Vec<(String, String)> {
    let mut further: Vec<(String, String)> = Vec::new();
    for scores in all {
        for (name, metric) in &scores.metrics {
            if !further.iter().any(|(known, _)| known == name) {
                further.push((name.clone(), metric.label.clone()));
            }
        }
    }
    further
}

/// All metrics of all systems, one row per system.
fn systems(systems: &[System]) -> Table {
    let all: Vec<&ScoreResults> = systems.iter().map(|s| &s.scores).collect();
    let further = shown_metrics(&all);
    let mut columns = vec![
        Column::text("system"),
        Column::number("fgd_paired"),
        Column::number("fgd_set"),
        Column::number("mean shift").optional(),
        Column::number("covariance").optional(),
        Column::number("misalignment").optional(),
        Column::number("mean_cosine"),
    ];
    columns.extend(
        further
            .iter()
            .map(|(_, label)| Column::number(label).optional()),
    );
    let mut table = Table::new("Systems", columns);
    for system in systems {
        let scores = &system.scores;
        let mut row = vec![Cell::system(&system.name)];
        row.extend(score_cells(scores));
        for (name, _) in &further {
            row.push(match scores.metrics.get(name) {
                Some(metric) => Cell::with_interval(&metric.measure),
                None => Cell::text(MISSING),
            });
        }
        table.rows.push(row);
    }
    table.remark = Some(
        "fgd_paired and fgd_set: lower is better; fgd_set with its bias removed, or raw where it says so. ± is half of the 95% interval.".into(),
    );
    table.sortable()
}

/// Distances, parts and cosine of one system.
fn score_cells(scores: &ScoreResults) -> Vec<Cell> {
    let set = &scores.fgd_set;
    let part = |pick: fn(&fgd_record::Decomposition) -> f64| {
        let number = scores.decomposition.as_ref().map(pick);
        Cell::number(value(number, scores.fgd_paired.se), number)
    };
    vec![
        Cell::with_interval(&scores.fgd_paired).tone(Tone::Strong),
        set::cell(set),
        part(|d| d.mean_shift),
        part(|d| d.covariance),
        part(|d| d.misalignment),
        Cell::with_interval(&scores.mean_cosine),
    ]
}

fn gates(gates: &[Gate]) -> Option<Table> {
    if gates.is_empty() {
        return None;
    }
    let mut table = Table::new(
        "Gates",
        vec![
            Column::text("condition"),
            Column::text("holds"),
            Column::text("because"),
        ],
    );
    for gate in gates {
        let (word, tone) = match gate.passed {
            Some(true) => ("yes", Tone::Good),
            Some(false) => ("NO", Tone::Bad),
            None => ("undecided", Tone::Warning),
        };
        table.rows.push(vec![
            Cell::text(&gate.condition),
            Cell::text(word).tone(tone),
            Cell::text(&gate.explanation),
        ]);
    }
    Some(table)
}

/// One table per way of grouping: a row per group, a column per system.
fn slices(systems: &[System]) -> Vec<Table> {
    let mut columns: Vec<&str> = Vec::new();
    for slice in systems.iter().flat_map(|s| &s.scores.slices) {
        if !columns.contains(&slice.column.as_str()) {
            columns.push(&slice.column);
        }
    }
    columns
        .into_iter()
        .map(|column| slice_table(systems, column))
        .collect()
}

fn slice_table(systems: &[System], column: &str) -> Table {
    let mut head = vec![Column::text(column), Column::number("images")];
    head.extend(systems.iter().map(|s| Column::number(&s.name)));
    let mut table = Table::new(&format!("fgd_paired by {}", visible(column)), head);
    let part = |system: &System, value: &str| {
        let slice = system.scores.slices.iter().find(|s| s.column == column)?;
        let part = slice.parts.iter().find(|p| p.value == value)?;
        Some(part.results.clone())
    };
    let mut values: Vec<&str> = Vec::new();
    for slice in systems.iter().flat_map(|s| &s.scores.slices) {
        for part in slice.parts.iter().filter(|_| slice.column == column) {
            if !values.contains(&part.value.as_str()) {
                values.push(&part.value);
            }
        }
    }
    for value in values {
        let results: Vec<Option<ScoreResults>> = systems.iter().map(|s| part(s, value)).collect();
        let n = results.iter().flatten().map(|r| r.n).next().unwrap_or(0);
        let mut row = vec![Cell::text(value), Cell::number(count(n), Some(n as f64))];
        row.extend(results.iter().map(|r| match r {
            Some(results) => Cell::with_interval(&results.fgd_paired),
            None => Cell::text(MISSING),
        }));
        table.rows.push(row);
    }
    table
}

fn contrasts(contrasts: &[Contrast]) -> Option<Block> {
    if contrasts.is_empty() {
        return None;
    }
    let entries = contrasts
        .iter()
        .map(|contrast| {
            let mut fields: Vec<Field> = contrast
                .captions
                .iter()
                .map(|c| {
                    let label = match c.distance {
                        Some(_) => format!("{} {}", value(c.distance, Some(0.01)), c.system),
                        None => c.system.clone(),
                    };
                    Field::new(&label, &c.caption)
                })
                .collect();
            fields.extend(
                contrast
                    .references
                    .iter()
                    .map(|r| Field::new("reference", r)),
            );
            Entry {
                title: visible(&contrast.image_id),
                detail: String::new(),
                fields,
                thumbnail_jpeg: contrast.thumbnail_jpeg.clone(),
            }
        })
        .collect();
    Some(Block::Entries {
        title: "Images on which the systems differ most (with the distance of each caption)".into(),
        entries,
    })
}
