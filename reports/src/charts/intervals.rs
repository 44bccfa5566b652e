//! Values with their intervals, one row each: the name above, the interval below.

use plotters::prelude::*;

use super::canvas::{
    Area, Canvas, Drawn, INK, ROW, SERIES, SIDE, X_AXIS, quiet, range, tick, write_row,
};
use crate::document::Interval;

const TOP: u32 = 6;

/// Draws the rows on one axis.
pub fn draw(rows: &[Interval], with_zero: bool, axis: &str) -> Option<Canvas> {
    let values = rows.iter().map(|row| row.value);
    let ends = rows.iter().filter_map(|row| row.interval).flatten();
    let (low, high) = range(values.chain(ends).chain(with_zero.then_some(0.0)))?;
    let height = TOP + ROW * rows.len() as u32 + X_AXIS;
    Canvas::draw(height, |area| draw_rows(area, rows, (low, high), with_zero, axis))
}

fn draw_rows<'a>(
    area: &Area<'a>,
    rows: &[Interval],
    (low, high): (f64, f64),
    with_zero: bool,
    axis: &str,
) -> Drawn<'a> {
    let count = rows.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin_top(TOP)
        .margin_left(SIDE)
        .margin_right(SIDE)
        .x_label_area_size(X_AXIS)
        .build_cartesian_2d(low..high, 0.0..count)?;
    quiet(&mut chart.configure_mesh())
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(5)
        .x_label_formatter(&|x| tick(*x, high - low))
        .x_desc(axis)
        .draw()?;
    if with_zero {
        let line = [(0.0, 0.0), (0.0, count)];
        chart.draw_series([PathElement::new(line, INK.stroke_width(1))])?;
    }
    for (i, row) in rows.iter().enumerate() {
        // The interval runs through the lower third of its row.
        let y = count - i as f64 - 0.76;
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
        let (_, baseline) = chart.backend_coord(&(row.value, count - i as f64 - 0.3));
        write_row(area, &row.label, &row.text, baseline)?;
    }
    Ok(())
}
