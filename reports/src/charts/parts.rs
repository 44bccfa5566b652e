//! Sums as stacked bars, one row each: the name above, the bar below.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::canvas::{
    Area, Canvas, Drawn, Marks, ROW, SERIES, SIDE, X_AXIS, arrow, quiet, tick, write, write_row,
};
use super::scale::span;

/// Height of the legend.
const TOP: u32 = 30;

/// Draws the rows on one axis that begins at zero.
pub fn draw(names: &[String; 3], rows: &[(String, [f64; 3])]) -> Option<Canvas> {
    let sum = |parts: &[f64; 3]| parts.iter().sum::<f64>();
    let near = span(rows.iter().map(|(_, parts)| sum(parts)))?;
    let longest = near.high;
    if !(longest > 0.0 && longest < 1e12) {
        return None;
    }
    let height = TOP + ROW * rows.len() as u32 + X_AXIS;
    let axis = near.named("fgd_paired; lower is better");
    Canvas::draw(height, |area, marks| {
        legend(area, names)?;
        draw_rows(area, marks, names, rows, 1.02 * longest, &axis)
    })
}

/// A coloured square and a name for each part.
fn legend<'a>(area: &Area<'a>, names: &[String; 3]) -> Drawn<'a> {
    let mut x = SIDE as i32;
    for (name, color) in names.iter().zip(SERIES) {
        area.draw(&Rectangle::new([(x, 6), (x + 14, 20)], color.filled()))?;
        write(area, name, (x + 20, 13), HPos::Left)?;
        x += 34 + 9 * name.len() as i32;
    }
    Ok(())
}

fn draw_rows<'a>(
    area: &Area<'a>,
    marks: &mut Marks,
    names: &[String; 3],
    rows: &[(String, [f64; 3])],
    high: f64,
    axis: &str,
) -> Drawn<'a> {
    let count = rows.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin_top(TOP)
        .margin_left(SIDE)
        .margin_right(SIDE)
        .x_label_area_size(X_AXIS)
        .build_cartesian_2d(0.0..high, 0.0..count)?;
    quiet(&mut chart.configure_mesh())
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(5)
        .x_label_formatter(&|x| tick(*x, high))
        .x_desc(axis)
        .draw()?;
    for (i, (label, parts)) in rows.iter().enumerate() {
        let top = count - i as f64;
        let mut from = 0.0;
        for ((part, color), name) in parts.iter().zip(SERIES).zip(names) {
            let to = (from + part).min(high);
            let (x0, y0) = chart.backend_coord(&(from, top - 0.52));
            let (x1, y1) = chart.backend_coord(&(to, top - 0.92));
            // One unit of background between two parts tells them apart without colour.
            let bar = [(x0, y0), ((x1 - 1).max(x0), y1)];
            if from < high {
                area.draw(&Rectangle::new(bar, color.filled()))?;
                marks.within((x0, y0), (x1, y1), format!("{label}: {name} {part:.4}"));
            }
            from += part;
        }
        let (_, baseline) = chart.backend_coord(&(0.0, top - 0.26));
        write_row(area, label, &format!("{from:.4}"), baseline)?;
        if from > high {
            let (x, y) = chart.backend_coord(&(high, top - 0.72));
            arrow(area, x + 12, y, true)?;
        }
    }
    Ok(())
}
