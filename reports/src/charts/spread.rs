//! How values are spread, one row each: the name above, a box from 25% to 75% with its median and whiskers from 5% to 95%.

use plotters::prelude::*;

use super::canvas::{self, Canvas, INK, ROW, SERIES, X_AXIS, range, tick, write_row};

const TOP: u32 = 6;

/// Draws the rows on one axis, which ends where the whiskers do.
pub fn draw(rows: &[(String, [f64; 7])], axis: &str) -> Option<Canvas> {
    let whiskers = rows.iter().flat_map(|(_, quantiles)| [quantiles[1], quantiles[5]]);
    let (low, high) = range(whiskers)?;
    let count = rows.len() as f64;
    Canvas::draw(TOP + ROW * rows.len() as u32 + X_AXIS, |area, marks| {
        let chart = canvas::rows(area, TOP, rows.len(), (low, high), axis)?;
        for (i, (label, quantiles)) in rows.iter().enumerate() {
            let [_, from, first, median, third, to, _] = *quantiles;
            let top = count - i as f64;
            let y = top - 0.76;
            let place = |value: f64| chart.backend_coord(&(value, y));
            let (_, middle) = place(median);
            let line = [place(from), place(to)];
            let body = [(place(first).0, middle - 7), (place(third).0, middle + 7)];
            let median_line = [(place(median).0, middle - 9), (place(median).0, middle + 9)];
            let names = [first, median, third].map(|value| tick(value, high - low));
            let (left, ceiling) = chart.backend_coord(&(low, top));
            let (right, floor) = chart.backend_coord(&(high, top - 1.0));
            let (_, baseline) = chart.backend_coord(&(low, top - 0.3));
            area.draw(&PathElement::new(line, SERIES[0].stroke_width(2)))?;
            area.draw(&Rectangle::new(body, SERIES[0].filled()))?;
            area.draw(&PathElement::new(median_line, INK.stroke_width(3)))?;
            write_row(area, label, &names[1], baseline)?;
            let text =
                format!("{label}: median {}, half between {} and {}", names[1], names[0], names[2]);
            marks.within((left, ceiling), (right, floor), text);
        }
        Ok(())
    })
}
