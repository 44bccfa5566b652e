//! The set distance against 1/N, and the line to infinitely many captions.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, SERIES, SIDE, X_AXIS, quiet, range, tick, write};

const HEIGHT: u32 = 280;
/// Width of the labels of the y-axis.
const Y_AXIS: u32 = 60;

/// Draws the points (N and the distance at N), the line and its intercept with its interval.
pub fn draw(
    points: &[(f64, f64)],
    intercept: f64,
    ci95: Option<[f64; 2]>,
    slope: f64,
) -> Option<Canvas> {
    let fewest = points.iter().map(|(n, _)| *n).fold(f64::INFINITY, f64::min);
    let right = 1.0 / fewest;
    if !(right > 0.0 && right.is_finite()) {
        return None;
    }
    let distances = points.iter().map(|(_, distance)| *distance);
    let on_line = [intercept, intercept + slope * right];
    let (low, high) = range(distances.chain(on_line).chain(ci95.into_iter().flatten()))?;
    Canvas::draw(HEIGHT, |area, marks| {
        let mut chart = ChartBuilder::on(area)
            .margin_top(12)
            .margin_right(SIDE)
            .x_label_area_size(X_AXIS)
            .y_label_area_size(Y_AXIS)
            .build_cartesian_2d(-0.04 * right..1.06 * right, low..high)?;
        quiet(&mut chart.configure_mesh())
            .disable_x_mesh()
            .x_labels(5)
            .y_labels(6)
            .x_label_formatter(&|x| tick(*x, right))
            .y_label_formatter(&|y| tick(*y, high - low))
            .x_desc("1 / number of captions")
            .draw()?;
        let line = [(0.0, intercept), (right, intercept + slope * right)];
        chart.draw_series([PathElement::new(line, SERIES[0].stroke_width(2))])?;
        let circle = |(n, y): &(f64, f64)| Circle::new((1.0 / n, *y), 4, SERIES[0].filled());
        chart.draw_series(points.iter().map(circle))?;
        for (n, y) in points {
            let text = format!("{n} captions: {}", tick(*y, high - low));
            marks.at(chart.backend_coord(&(1.0 / n, *y)), text);
        }
        if let Some([from, to]) = ci95 {
            let whisker = [(0.0, from), (0.0, to)];
            chart.draw_series([PathElement::new(whisker, SERIES[1].stroke_width(3))])?;
        }
        chart.draw_series([Circle::new((0.0, intercept), 5, SERIES[1].filled())])?;
        let (x, y) = chart.backend_coord(&(0.0, intercept));
        marks.at((x, y), format!("infinitely many captions: {}", tick(intercept, high - low)));
        // Below the line, which rises from here.
        let at = (x + 12, y + 16);
        write(area, "infinitely many captions", at, HPos::Left)
    })
}
