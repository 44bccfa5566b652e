//! Values with their intervals, one row each: the name above, the interval below.

use plotters::prelude::*;

use super::canvas::{
    self, Area, Canvas, Drawn, INK, Marks, ROW, SERIES, X_AXIS, arrow, range, write_row,
};
use super::scale::{Span, span};
use crate::document::Interval;
use crate::document::number::significant;

const TOP: u32 = 6;

/// Draws the rows on one axis.
pub fn draw(rows: &[Interval], with_zero: bool, axis: &str) -> Option<Canvas> {
    let near = span(rows.iter().map(|row| row.value))?;
    let shown = || rows.iter().filter(|row| near.holds(row.value));
    let values = shown().map(|row| row.value);
    let ends = shown().filter_map(|row| row.interval).flatten();
    let (low, high) = range(values.chain(ends).chain(with_zero.then_some(0.0)))?;
    let height = TOP + ROW * rows.len() as u32 + X_AXIS;
    let axis = near.named(axis);
    Canvas::draw(height, |area, marks| {
        draw_rows(area, marks, rows, (low, high, near), with_zero, &axis)
    })
}

fn draw_rows<'a>(
    area: &Area<'a>,
    marks: &mut Marks,
    rows: &[Interval],
    (low, high, near): (f64, f64, Span),
    with_zero: bool,
    axis: &str,
) -> Drawn<'a> {
    let count = rows.len() as f64;
    let mut chart = canvas::rows(area, TOP, rows.len(), (low, high), axis)?;
    for (i, row) in rows.iter().enumerate() {
        // The interval runs through the lower third of its row, and zero through the lower half: above stands the name.
        let y = count - i as f64 - 0.76;
        if with_zero {
            let line = [(0.0, count - i as f64 - 1.0), (0.0, count - i as f64 - 0.52)];
            chart.draw_series([PathElement::new(line, INK.stroke_width(1))])?;
        }
        let (_, baseline) = chart.backend_coord(&(low, count - i as f64 - 0.3));
        write_row(area, &row.label, &row.text, baseline)?;
        let (left, top) = chart.backend_coord(&(low, count - i as f64));
        let (right, bottom) = chart.backend_coord(&(high, count - i as f64 - 1.0));
        marks.within((left, top), (right, bottom), hint(row));
        if !near.holds(row.value) {
            let (_, y) = chart.backend_coord(&(low, y));
            arrow(
                area,
                if row.value > near.high { right } else { left },
                y,
                row.value > near.high,
            )?;
            continue;
        }
        if let Some([from, to]) = row.interval {
            let line = [(from, y), (to, y)];
            chart.draw_series([PathElement::new(line, SERIES[0].stroke_width(3))])?;
            for end in [from, to] {
                let (x, y) = chart.backend_coord(&(end, y));
                let cap = [(x, y - 5), (x, y + 5)];
                area.draw(&PathElement::new(cap, SERIES[0].stroke_width(2)))?;
            }
        }
        chart.draw_series([Circle::new((row.value, y), 5, SERIES[0].filled())])?;
    }
    Ok(())
}

/// What a row says to those who point at it.
fn hint(row: &Interval) -> String {
    match row.interval {
        Some([low, high]) => {
            let ends = [low, high].map(significant);
            format!("{}: {}, between {} and {}", row.label, row.text, ends[0], ends[1])
        }
        None => format!("{}: {}", row.label, row.text),
    }
}
