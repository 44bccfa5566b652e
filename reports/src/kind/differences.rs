//! Differences between systems: how large, how sure, on how many images.

use fgd_record::{Difference, Mark, Measure};

use super::columns::Further;
use super::set::marked;
use crate::document::number::{MISSING, count, p_value, signed, signed_count};
use crate::document::{Cell, Document, Table, Tone, grouped};

/// The verdict of a test that no difference would pass.
const TOO_FEW: &str = "too few to tell";

/// Whether the test would find any difference: the exchange of five images or clusters finds none.
pub fn can_tell(difference: &Difference) -> bool {
    difference.minimum_detectable.is_some() || difference.estimate.value == Some(0.0)
}

/// What a difference says: better, worse, or nothing at this number of images.
pub fn verdict(difference: &Difference) -> Cell {
    let (Some(is_beyond_chance), Some(estimate)) =
        (difference.is_beyond_chance(), difference.estimate.value)
    else {
        return "not tested".into();
    };
    if !is_beyond_chance {
        return if can_tell(difference) { "not separable" } else { TOO_FEW }.into();
    }
    match difference.higher_is_better {
        None => Cell::from("different").strong(),
        Some(higher) if higher == (estimate > 0.0) => Cell::from("better").tone(Tone::Good),
        Some(_) => Cell::from("worse").tone(Tone::Bad),
    }
}

/// What the metric of a difference is called, here as where its values stand.
pub fn name<'a>(difference: &'a Difference, further: &Further<'a>) -> &'a str {
    let metric = difference.metric.as_str();
    further.get(metric).map_or(metric, |metric| &metric.label)
}

/// How large a difference is, or that of a group of images, with its sign; whole where its metric counts things.
pub fn size(difference: &Difference, estimate: &Measure, further: &Further<'_>) -> String {
    match further.get(difference.metric.as_str()).is_some_and(|metric| metric.is_count) {
        true => signed_count(estimate.value),
        false => signed(estimate.value, estimate.se),
    }
}

/// The same as a cell, with its interval and marks.
fn cell(
    difference: &Difference,
    estimate: &Measure,
    marks: &[Mark],
    further: &Further<'_>,
) -> Cell {
    let cell = Cell::new(size(difference, estimate, further), estimate.value);
    marked(cell.followed_by_interval(estimate), marks)
}

/// Pairwise differences, and below them what must be known of them.
pub fn table(document: &mut Document, differences: &[Difference], further: &Further<'_>) {
    let tested = differences.iter().filter(|d| d.p_value.is_some() && !d.test.is_empty());
    let mut tests: Vec<&str> = tested.map(|d| d.test.as_str()).collect();
    tests.sort_unstable();
    tests.dedup();
    let tests = match tests.is_empty() {
        true => String::new(),
        false => format!("Tests: {}.", tests.join("; ")),
    };
    let exchanged = differences.iter().any(|d| d.exchange_p_value.is_some());
    let table = Table::of("Differences", differences)
        .text("metric", |d| name(d, further))
        .text("system", |d| Cell::subject(&d.system))
        .text("versus", |d| Cell::subject(&d.versus))
        .number("difference", |d| {
            cell(d, &d.estimate, &d.marks, further).tone(verdict(d).tone)
        })
        .text("verdict", verdict)
        .number("p (Holm)", |d| Cell::new(p_value(d.p_holm), d.p_holm))
        .number("win/tie/loss", outcomes)
        .optional()
        .number("p", |d| Cell::new(p_value(d.p_value), d.p_value))
        .optional()
        .when(exchanged, |table| {
            let p = |d: &Difference| Cell::new(p_value(d.exchange_p_value), d.exchange_p_value);
            table.number("p (exchange)", p).optional()
        })
        .number("detectable", |d| Cell::value(d.minimum_detectable, d.estimate.se))
        .optional()
        .number("N needed", |d| Cell::count(d.n_needed))
        .optional()
        .explain("difference", "difference: system minus versus.")
        .explain(
            "p (exchange)",
            "p (exchange): that the captions are interchangeable, which systems that are equally far in different directions are not.",
        )
        .explain(
            "detectable",
            "detectable: the smallest true difference that this many images or clusters show with 80% power.",
        )
        .explain("N needed", "N needed: images that would show the estimated difference.")
        .remark(tests)
        .sortable();
    document.table(table);
    notices(document, differences, further);
}

/// On how many images a system is better, equal and worse.
fn outcomes(difference: &Difference) -> Cell {
    let text = match (difference.wins, difference.ties, difference.losses) {
        (Some(wins), Some(ties), Some(losses)) => {
            format!("{}/{}/{}", count(wins), count(ties), count(losses))
        }
        _ => MISSING.to_string(),
    };
    Cell::new(text, difference.wins.map(|n| n as f64))
}

/// Why differences are missing or untested. What is said of several is said once.
fn notices(document: &mut Document, differences: &[Difference], further: &Further<'_>) {
    let said = differences.iter().filter_map(|d| Some((d.estimate.reason.as_ref()?, d)));
    for (text, of) in grouped(said) {
        let first = format!("{}, {} versus {}", name(of[0], further), of[0].system, of[0].versus);
        let more = match of.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        document.notice(Tone::Plain, format!("{MISSING} {first}{more}: {text}"));
    }
}

/// Differences within groups of images.
pub fn by_group(differences: &[Difference], further: &Further<'_>) -> Table {
    let slices = || differences.iter().flat_map(|d| d.slices.iter().map(move |slice| (d, slice)));
    Table::of("Differences by group", slices())
        .text("metric", |(d, _)| name(d, further))
        .text("system", |(d, _)| Cell::subject(&d.system))
        .text("versus", |(d, _)| Cell::subject(&d.versus))
        .text("group", |(_, slice)| format!("{} = {}", slice.column, slice.value))
        .number("images", |(_, slice)| Cell::count(slice.n))
        .optional()
        .number("difference", |(d, slice)| cell(d, &slice.estimate, &slice.marks, further))
        .sortable()
        .into()
}
