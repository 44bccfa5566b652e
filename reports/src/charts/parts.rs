//! Sums as stacked bars, one row each: the name above, the bar below.

use super::canvas::{
    Area, Canvas, Drawn, GRID, INK, MUTED, SERIES, SIDE, WIDTH, X_AXIS, letters, strong_letters,
    tick,
};
use crate::document::width::clipped;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const ROW: u32 = 44;
/// Height of the legend.
const TOP: u32 = 30;
const NAME: usize = 28;

/// Draws the rows on one axis that begins at zero.
pub fn draw(names: &[String; 3], rows: &[(String, [f64; 3])]) -> Option<Canvas> {
    let sum = |parts: &[f64; 3]| parts.iter().sum::<f64>();
    let longest = rows.iter().map(|(_, parts)| sum(parts)).fold(0.0, f64::max);
    if !(longest > 0.0 && longest < 1e12) {
        return None;
    }
    let height = TOP + ROW * rows.len() as u32 + X_AXIS;
    Canvas::draw(height, |area| {
        legend(area, names)?;
        draw_rows(area, rows, 1.02 * longest)
    })
}

/// A coloured square and a name for each part.
fn legend<'a>(area: &Area<'a>, names: &[String; 3]) -> Drawn<'a> {
    let mut x = SIDE as i32;
    for (name, color) in names.iter().zip(SERIES) {
        area.draw(&Rectangle::new([(x, 6), (x + 14, 20)], color.filled()))?;
        let style = letters(&INK).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(name.as_str(), (x + 20, 13), style))?;
        x += 34 + 9 * name.len() as i32;
    }
    Ok(())
}

fn draw_rows<'a>(area: &Area<'a>, rows: &[(String, [f64; 3])], high: f64) -> Drawn<'a> {
    let count = rows.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin_top(TOP)
        .margin_left(SIDE)
        .margin_right(SIDE)
        .x_label_area_size(X_AXIS)
        .build_cartesian_2d(0.0..high, 0.0..count)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(5)
        .x_label_formatter(&|x| tick(*x, high))
        .x_desc("fgd_paired; lower is better")
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(GRID)
        .label_style(letters(&MUTED))
        .axis_desc_style(letters(&MUTED))
        .draw()?;
    for (i, (label, parts)) in rows.iter().enumerate() {
        let top = count - i as f64;
        let mut from = 0.0;
        for (part, color) in parts.iter().zip(SERIES) {
            let (x0, y0) = chart.backend_coord(&(from, top - 0.52));
            let (x1, y1) = chart.backend_coord(&(from + part, top - 0.92));
            // One unit of background between two parts tells them apart without colour.
            let bar = [(x0, y0), ((x1 - 1).max(x0), y1)];
            area.draw(&Rectangle::new(bar, color.filled()))?;
            from += part;
        }
        let (_, baseline) = chart.backend_coord(&(0.0, top - 0.26));
        if !label.is_empty() {
            let name = letters(&INK).pos(Pos::new(HPos::Left, VPos::Center));
            let left = SIDE as i32;
            area.draw(&Text::new(clipped(label, NAME), (left, baseline), name))?;
        }
        let value = strong_letters(&INK).pos(Pos::new(HPos::Right, VPos::Center));
        let right = (WIDTH - SIDE) as i32;
        area.draw(&Text::new(format!("{from:.4}"), (right, baseline), value))?;
    }
    Ok(())
}
