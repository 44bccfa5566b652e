//! Differences between systems: how large, how sure, on how many images.

use super::number::{MISSING, count, p_value, value};
use super::{Block, Cell, Column, Table, Tone, visible};
use fgd_record::{Difference, Measure};

/// The level below which a corrected p-value counts as a difference.
const LEVEL: f64 = 0.05;

/// What a difference says: better, worse, or nothing at this number of images.
fn verdict(difference: &Difference) -> (&'static str, Tone) {
    let p = difference.p_holm.or(difference.p_value);
    let (Some(p), Some(estimate)) = (p, difference.estimate.value) else {
        return ("not tested", Tone::Plain);
    };
    if p >= LEVEL || estimate == 0.0 {
        return ("not separable", Tone::Plain);
    }
    match difference.higher_is_better {
        None => ("different", Tone::Strong),
        Some(higher) if higher == (estimate > 0.0) => ("better", Tone::Good),
        Some(_) => ("worse", Tone::Bad),
    }
}

/// Pairwise differences.
pub fn table(differences: &[Difference]) -> Option<Table> {
    if differences.is_empty() {
        return None;
    }
    let mut table = Table::new(
        "Differences",
        vec![
            Column::text("metric"),
            Column::text("system"),
            Column::text("versus"),
            Column::number("difference"),
            Column::text("verdict"),
            Column::number("p (Holm)"),
            Column::number("win/tie/loss").optional(),
            Column::number("p").optional(),
            Column::number("detectable").optional(),
            Column::number("N needed").optional(),
        ],
    );
    for difference in differences {
        let estimate = &difference.estimate;
        let (word, tone) = verdict(difference);
        let needed = difference.n_needed.map_or(MISSING.to_string(), count);
        table.rows.push(vec![
            Cell::text(&difference.metric),
            Cell::system(&difference.system),
            Cell::system(&difference.versus),
            estimated(estimate, &difference.warning).tone(tone),
            Cell::text(word).tone(tone),
            Cell::number(p_value(difference.p_holm), difference.p_holm),
            Cell::number(outcomes(difference), difference.wins.map(|n| n as f64)),
            Cell::number(p_value(difference.p_value), difference.p_value),
            Cell::number(
                value(difference.minimum_detectable, estimate.se),
                difference.minimum_detectable,
            ),
            Cell::number(needed, difference.n_needed.map(|n| n as f64)),
        ]);
    }
    let mut tests: Vec<String> = differences
        .iter()
        .filter(|d| d.p_value.is_some() && !d.test.is_empty())
        .map(|d| visible(&d.test))
        .collect();
    tests.sort();
    tests.dedup();
    let tests = if tests.is_empty() {
        String::new()
    } else {
        format!(" Tests: {}.", tests.join("; "))
    };
    table.remark = Some(format!(
        "difference: system minus versus. detectable: the smallest true difference that this many images show with 80% power; N needed: images that would show the estimated one.{tests}"
    ));
    Some(table.sortable())
}

/// A difference with its interval, which is marked where it is not to be taken at its word.
fn estimated(estimate: &Measure, warning: &Option<String>) -> Cell {
    let mut cell = Cell::difference(estimate);
    if warning.is_some() {
        cell.text.push_str(" *");
    }
    cell
}

/// On how many images a system is better, equal and worse.
fn outcomes(difference: &Difference) -> String {
    match (difference.wins, difference.ties, difference.losses) {
        (Some(wins), Some(ties), Some(losses)) => {
            format!("{}/{}/{}", count(wins), count(ties), count(losses))
        }
        _ => MISSING.to_string(),
    }
}

/// What must be known of the differences: why they are missing or untested, and which intervals are marked. What is
/// said of several is said once.
pub fn notices(differences: &[Difference]) -> Vec<Block> {
    let mut said: Vec<(Tone, &str, Vec<String>)> = Vec::new();
    for difference in differences {
        let warning = difference.warning.as_deref();
        let reason = difference.estimate.reason.as_deref();
        let both = [(Tone::Warning, warning), (Tone::Plain, reason)];
        for (tone, text) in both.into_iter().filter_map(|(t, text)| Some((t, text?))) {
            let pair = format!(
                "{}, {} versus {}",
                difference.metric, difference.system, difference.versus
            );
            match said.iter_mut().find(|(_, known, _)| *known == text) {
                Some((_, _, pairs)) => pairs.push(pair),
                None => said.push((tone, text, vec![pair])),
            }
        }
    }
    said.into_iter()
        .map(|(tone, text, pairs)| {
            let mark = if tone == Tone::Warning { "*" } else { MISSING };
            let more = match pairs.len() {
                1 => String::new(),
                n => format!(" and {} more", n - 1),
            };
            let text = format!("{mark} {}{more}: {text}", pairs[0]);
            Block::Notice {
                tone,
                text: visible(&text),
            }
        })
        .collect()
}

/// Differences within groups of images.
pub fn by_group(differences: &[Difference]) -> Option<Table> {
    let mut table = Table::new(
        "Differences by group",
        vec![
            Column::text("metric"),
            Column::text("system"),
            Column::text("versus"),
            Column::text("group"),
            Column::number("images").optional(),
            Column::number("difference"),
        ],
    );
    for difference in differences {
        for slice in &difference.slices {
            table.rows.push(vec![
                Cell::text(&difference.metric),
                Cell::system(&difference.system),
                Cell::system(&difference.versus),
                Cell::text(&format!("{} = {}", slice.column, slice.value)),
                Cell::number(count(slice.n), Some(slice.n as f64)),
                estimated(&slice.estimate, &slice.warning),
            ]);
        }
    }
    if differences
        .iter()
        .flat_map(|d| &d.slices)
        .any(|slice| slice.warning.is_some())
    {
        let remark = "* no more images than dimensions: the interval is only indicative.";
        table.remark = Some(remark.into());
    }
    (!table.rows.is_empty()).then_some(table)
}
