//! What a leaderboard record says: who is ahead, and how sure that is.

use super::captions::findings;
use super::number::{MISSING, counted, value};
use super::provenance::{encoder_name, encoder_notices, input_name};
use super::{Block, Cell, Column, Document, Figure, Table, Tone, visible};
use super::{differences, figure, provenance, set};
use fgd_record::{LeaderboardResults, Measure, Record, Rejected, ScoreResults, Split, Standing};

/// The document of a leaderboard record.
pub fn document(record: &Record, results: &LeaderboardResults) -> Document {
    let mut blocks = vec![Block::Line {
        text: format!(
            "{} on {}, {} · ranked by {} · {}",
            counted(results.standings.len() as u64, "submission"),
            counted(results.n, "image"),
            counted(results.references, "reference"),
            visible(&results.ranked_by),
            encoder_name(record)
        ),
    }];
    blocks.extend(encoder_notices(record));
    blocks.extend(results.split.as_ref().map(split_line));
    blocks.push(Block::Table(standings(results)));
    let sets = results.standings.iter();
    blocks.extend(set::notices(
        sets.map(|s| (s.name.as_str(), &s.scores.fgd_set)),
    ));
    blocks.extend(figures(results));
    blocks.extend(differences::table(&results.differences).map(Block::Table));
    blocks.extend(differences::notices(&results.differences));
    blocks.extend(rejected(&results.rejected).map(Block::Table));
    blocks.extend(findings(&record.findings).map(Block::Table));
    blocks.push(Block::Signature {
        text: visible(&record.signature),
    });
    Document {
        title: format!(
            "Leaderboard, {}",
            visible(&input_name(record, "references"))
        ),
        blocks,
        appendix: provenance::tables(record),
    }
}

/// The pictures of a leaderboard.
fn figures(results: &LeaderboardResults) -> Option<Block> {
    let systems: Vec<(String, &ScoreResults)> = results
        .standings
        .iter()
        .map(|standing| (visible(&standing.name), &standing.scores))
        .collect();
    let figures: Vec<Figure> = [
        figure::paired(&systems),
        figure::set(&systems),
        figure::parts(&systems),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!figures.is_empty()).then_some(Block::Figures { figures })
}

/// How the images were split and what it did to the ranking.
fn split_line(split: &Split) -> Block {
    let source = match split.seed {
        Some(seed) => format!("drawn with seed {seed}"),
        None => format!("by column {}", visible(&split.source)),
    };
    let shake_up = match split.rank_correlation {
        Some(tau) => {
            format!(
                "; shake-up: Kendall's τ between public and private ranking {tau:.2} (1 = none)"
            )
        }
        None => String::new(),
    };
    Block::Line {
        text: format!(
            "public {}, private {}, {source}{shake_up}",
            counted(split.public, "image"),
            counted(split.private, "image")
        ),
    }
}

/// A range of ranks: `2`, or `2–4` where the systems in it are not separable.
pub fn rank_range(range: [u64; 2]) -> String {
    if range[0] == range[1] {
        range[0].to_string()
    } else {
        format!("{}–{}", range[0], range[1])
    }
}

/// How the rank moved from the public to the private part: `▲2`, `▼1`, `=`.
pub fn shift(standing: &Standing) -> (String, Option<f64>, Tone) {
    let (Some(public), Some(private)) = (standing.public_rank, standing.private_rank) else {
        return (MISSING.to_string(), None, Tone::Plain);
    };
    let up = public as f64 - private as f64;
    match public.cmp(&private) {
        std::cmp::Ordering::Greater => (format!("▲{}", public - private), Some(up), Tone::Good),
        std::cmp::Ordering::Less => (format!("▼{}", private - public), Some(up), Tone::Bad),
        std::cmp::Ordering::Equal => ("=".to_string(), Some(0.0), Tone::Plain),
    }
}

/// The ranking.
pub fn standings(results: &LeaderboardResults) -> Table {
    let split = results.split.is_some();
    let by_set = is_by_set(results);
    let mut columns = vec![
        Column::number("rank"),
        Column::text("range"),
        Column::text("system"),
        Column::number(if by_set { "fgd_set" } else { "fgd_paired" }),
    ];
    if split {
        columns.extend([
            Column::number("public"),
            Column::number("private"),
            Column::text("shake-up").optional(),
        ]);
    }
    if !by_set {
        columns.extend([
            Column::number("fgd_set").optional(),
            Column::number("mean shift").optional(),
            Column::number("covariance").optional(),
            Column::number("misalignment").optional(),
            Column::number("mean_cosine").optional(),
        ]);
    }
    let mut table = Table::new("Ranking", columns);
    for standing in &results.standings {
        table.rows.push(standing_row(standing, split, by_set));
    }
    table.remark = Some(
        "fgd_paired and fgd_set: lower is better, fgd_set with its bias removed; ± is half of the 95% interval. range: the ranks that the differences leave open; systems that share ranks are not separable.".into(),
    );
    table.sortable()
}

/// Whether the set distance ranks, as it does where references are of other images: nothing else is known then.
fn is_by_set(results: &LeaderboardResults) -> bool {
    results.ranked_by == "fgd_set"
}

fn standing_row(standing: &Standing, split: bool, by_set: bool) -> Vec<Cell> {
    let scores = &standing.scores;
    let [best, worst] = standing.rank_range;
    let mut row = vec![
        Cell::number(standing.rank.to_string(), Some(standing.rank as f64)),
        Cell {
            sort: Some(best as f64 + worst as f64 / 1e6),
            ..Cell::text(&rank_range(standing.rank_range))
        },
        Cell::system(&standing.name),
        match by_set {
            true => set::cell(&scores.fgd_set).tone(Tone::Strong),
            false => Cell::with_interval(&scores.fgd_paired).tone(Tone::Strong),
        },
    ];
    if split {
        let part = |measure: &Option<Measure>| match measure {
            Some(measure) => Cell::measure(measure),
            None => Cell::text(MISSING),
        };
        let (text, sort, tone) = shift(standing);
        row.extend([
            part(&standing.public),
            part(&standing.private),
            Cell {
                sort,
                ..Cell::text(&text).tone(tone)
            },
        ]);
    }
    if by_set {
        return row;
    }
    row.push(set::cell(&scores.fgd_set));
    let parts = scores.decomposition.as_ref();
    for part in [
        parts.map(|d| d.mean_shift),
        parts.map(|d| d.covariance),
        parts.map(|d| d.misalignment),
    ] {
        row.push(Cell::number(value(part, scores.fgd_paired.se), part));
    }
    row.push(Cell::measure(&scores.mean_cosine));
    row
}

fn rejected(rejected: &[Rejected]) -> Option<Table> {
    if rejected.is_empty() {
        return None;
    }
    let mut table = Table::new(
        "Not ranked",
        vec![
            Column::text("submission"),
            Column::text("reason"),
            Column::text("the first findings"),
        ],
    );
    for submission in rejected {
        let first: Vec<String> = submission
            .findings
            .iter()
            .take(3)
            .map(|f| match f.row {
                Some(row) => format!("row {row}: {}", f.message),
                None => f.message.clone(),
            })
            .collect();
        table.rows.push(vec![
            Cell::text(&submission.name).tone(Tone::Bad),
            Cell::text(&submission.reason),
            Cell::text(&first.join("; ")),
        ]);
    }
    Some(table)
}
