//! A table as the templates take it: intervals and trends drawn in their cells, rows without a number folded away, and whether
//! its rows become cards on a narrow screen.

use minijinja::{Value, context};

use crate::charts::scale::{Span, span};
use crate::document::number::MISSING;
use crate::document::{Cell, Table, Tone};

/// Size of a drawing in a cell.
const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 14.0;
/// Space on both sides for a mark at the end.
const SIDE: f64 = 5.0;
/// Letters in a line of a narrow screen (390 pixels).
const NARROW: usize = 42;

/// The table. `id` is its place in the page.
pub fn view(table: &Table, id: &str) -> Value {
    let scales: Vec<Option<Span>> = (0..table.columns.len()).map(|at| scale(table, at)).collect();
    let has_number = |row: &Vec<Cell>| !is_without_numbers(table, row);
    let foldable = table.rows.iter().any(has_number);
    let (rows, folded): (Vec<_>, Vec<_>) =
        table.rows.iter().partition(|row| !foldable || has_number(row));
    let draw = |rows: Vec<&Vec<Cell>>| -> Vec<Value> {
        let cells = |row: &Vec<Cell>| -> Vec<Value> {
            row.iter().zip(&scales).map(|(cell, scale)| draw_cell(cell, *scale)).collect()
        };
        rows.into_iter().map(|row| Value::from(cells(row))).collect()
    };
    context! {
        block => "table",
        id,
        title => table.title,
        columns => table.columns,
        rows => draw(rows),
        folded => draw(folded),
        remark => table.remark(|_| true),
        sortable => table.sortable,
        stacked => is_stacked(table),
    }
}

/// Whether a narrow screen would cut off what the table is read for: three texts stand before its first number, or a text ends
/// its rows. Others lead with what matters, and scroll.
fn is_stacked(table: &Table) -> bool {
    let length = |text: &str| text.chars().count() + 1;
    let widest = |at: usize| table.rows.iter().map(|row| length(&row[at].text)).max();
    let columns = table.columns.iter().enumerate();
    let width: usize = columns.map(|(at, c)| length(&c.name).max(widest(at).unwrap_or(0))).sum();
    let texts_first = table.columns.iter().take_while(|column| !column.number).count();
    let ends_in_text = table.columns.last().is_some_and(|column| !column.number);
    width > NARROW && (texts_first > 2 || ends_in_text)
}

/// Whether every number of a row is missing, and that is no news.
fn is_without_numbers(table: &Table, row: &[Cell]) -> bool {
    let mut numbers = row.iter().zip(&table.columns).filter(|(_, column)| column.number);
    let is_missing = |cell: &Cell| matches!(cell.text.as_str(), MISSING | "");
    let any_missing = row.iter().any(|cell| cell.text == MISSING);
    let is_news = row.iter().any(|cell| matches!(cell.tone, Tone::Bad | Tone::Warning));
    any_missing && !is_news && numbers.all(|(cell, _)| is_missing(cell))
}

/// The axis that the intervals of a column share; `None` where there are not several.
fn scale(table: &Table, column: usize) -> Option<Span> {
    let cells = table.rows.iter().map(|row| &row[column]).filter(|cell| cell.interval.is_some());
    let cells: Vec<&Cell> = cells.collect();
    let near = span(cells.iter().filter_map(|cell| cell.sort)).filter(|_| cells.len() > 1)?;
    let shown = cells
        .iter()
        .filter(|cell| cell.sort.is_some_and(|value| (near.low..=near.high).contains(&value)));
    let ends = shown.flat_map(|cell| cell.interval.into_iter().flatten());
    let whole = ends.fold(near, |span, end| Span {
        low: span.low.min(end),
        high: span.high.max(end),
        ..span
    });
    (whole.high > whole.low).then_some(whole)
}

fn draw_cell(cell: &Cell, scale: Option<Span>) -> Value {
    let drawing = match (scale, cell.sort, cell.interval) {
        (Some(scale), Some(value), Some(interval)) => Some(bar(scale, value, interval)),
        _ => sparkline(&cell.trend),
    };
    context! {
        text => cell.text,
        sort => cell.sort,
        tone => cell.tone,
        href => cell.href,
        drawing => drawing.map(Value::from_safe_string),
    }
}

fn open(class: &str) -> String {
    format!("<svg class=\"{class}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" aria-hidden=\"true\">")
}

/// The interval as a line and the value as a point; an arrow where the value lies outside of the axis.
fn bar(scale: Span, value: f64, [low, high]: [f64; 2]) -> String {
    let place = |value: f64| {
        let share = ((value - scale.low) / (scale.high - scale.low)).clamp(0.0, 1.0);
        SIDE + share * (WIDTH - 2.0 * SIDE)
    };
    let middle = HEIGHT / 2.0;
    let zero = (scale.low < 0.0 && scale.high > 0.0).then(|| {
        let x = place(0.0);
        format!("<path class=\"zero\" d=\"M{x:.1} 0V{HEIGHT}\"/>")
    });
    let mark = if value > scale.high {
        format!("<path class=\"point\" d=\"M{:.1} 2l7 5-7 5z\"/>", WIDTH - 8.0)
    } else if value < scale.low {
        "<path class=\"point\" d=\"M8 2l-7 5 7 5z\"/>".to_owned()
    } else {
        let line = format!("M{:.1} {middle}H{:.1}", place(low), place(high));
        let x = place(value);
        format!(
            "<path class=\"line\" d=\"{line}\"/><circle class=\"point\" cx=\"{x:.1}\" cy=\"{middle}\" r=\"3.5\"/>"
        )
    };
    format!("{}{}{mark}</svg>", open("bar"), zero.unwrap_or_default())
}

/// Values as a line with a point at its end, gaps where there is none.
fn sparkline(trend: &[Option<f64>]) -> Option<String> {
    let span = span(trend.iter().copied().flatten())?;
    let count = trend.len().checked_sub(1).filter(|count| *count > 0)? as f64;
    let length = if span.high > span.low { span.high - span.low } else { 1.0 };
    let place = |at: usize, value: f64| {
        let share = ((value - span.low) / length).clamp(0.0, 1.0);
        let x = SIDE + at as f64 / count * (WIDTH - 2.0 * SIDE);
        (x, HEIGHT - 2.0 - share * (HEIGHT - 4.0))
    };
    let mut line = String::new();
    let mut pen = 'M';
    for (at, value) in trend.iter().enumerate() {
        match value {
            Some(value) => {
                let (x, y) = place(at, *value);
                line += &format!("{pen}{x:.1} {y:.1}");
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    let end = trend.last().copied().flatten().map(|value| {
        let (x, y) = place(trend.len() - 1, value);
        format!("<circle class=\"point\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>")
    });
    Some(format!(
        "{}<path class=\"line\" d=\"{line}\"/>{}</svg>",
        open("spark"),
        end.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_dashes_is_folded_and_a_value_out_of_the_axis_is_an_arrow() {
        let rows = [Some(0.10), Some(0.11), Some(0.12), Some(0.13), Some(5.0), None];
        let cell = |value: Option<f64>| Cell {
            interval: value.map(|value| [value - 0.01, value + 0.01]),
            ..Cell::new(value.map_or(MISSING.to_owned(), |value| value.to_string()), value)
        };
        let table: Table = Table::of("t", rows.iter())
            .text("system", |value| format!("{value:?}"))
            .number("distance", |value| cell(*value))
            .into();
        let view = view(&table, "c");
        let length = |name: &str| view.get_attr(name).unwrap().len();
        assert_eq!((length("rows"), length("folded")), (Some(5), Some(1)));
        let drawn = |row: usize| {
            let row = view.get_attr("rows").unwrap().get_item_by_index(row).unwrap();
            row.get_item_by_index(1).unwrap().get_attr("drawing").unwrap().to_string()
        };
        assert!(drawn(0).contains("circle") && drawn(4).contains("2l7 5-7 5z"), "{}", drawn(4));
    }

    #[test]
    fn rows_become_cards_where_a_narrow_screen_would_cut_off_their_end() {
        let ranking = Table::of("t", [0.5])
            .text("system", |_| "a submission of ours")
            .number("distance", |value| Cell::new("0.5000 ± 0.0001".to_owned(), Some(value)))
            .number("another", |value| Cell::new("0.5000 ± 0.0001".to_owned(), Some(value)));
        let scores = Table::of("t", [0.5])
            .text("metric", |_| "fgd_paired")
            .number("value", |value| Cell::new("0.5000".to_owned(), Some(value)))
            .text("how to read it", |_| "lower is better: distance of the two sets");
        let short = Table::of("t", [0.5]).text("a", |_| "b").text("c", |_| "d").text("e", |_| "f");
        let stacked = [ranking, scores, short].map(|table| is_stacked(&table.into()));
        assert_eq!(stacked, [false, true, false]);
    }

    #[test]
    fn a_trend_has_gaps_where_nothing_was_measured() {
        let drawn = sparkline(&[Some(1.0), None, Some(2.0), Some(3.0)]).unwrap();
        assert_eq!(drawn.matches('M').count(), 2);
        assert_eq!(sparkline(&[Some(1.0)]), None);
        assert_eq!(sparkline(&[]), None);
    }
}
