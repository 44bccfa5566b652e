//! How values are spread: bars, the median as a line, and the references as an outline.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::canvas::{Area, Canvas, Drawn, INK, SERIES, SIDE, WIDTH, X_AXIS, quiet, tick, write};

const HEIGHT: u32 = 260;
/// Width of the labels of the y-axis.
const Y_AXIS: u32 = 52;
/// Height of the legend.
const TOP: u32 = 30;

/// Draws the shares of the bins.
pub fn draw(
    edges: &[f64],
    shares: &[f64],
    overlay: Option<&[f64]>,
    median: f64,
    axis: &str,
) -> Option<Canvas> {
    let (low, high) = (*edges.first()?, *edges.last()?);
    let is_ordered = edges.windows(2).all(|pair| pair[0] < pair[1]);
    if !is_ordered || low < -1e12 || high > 1e12 {
        return None;
    }
    let all = shares.iter().chain(overlay.unwrap_or_default());
    let highest = all.fold(0.0, |a: f64, b| a.max(*b));
    Canvas::draw(HEIGHT, |area, marks| {
        legend(area, overlay.is_some())?;
        let mut chart = ChartBuilder::on(area)
            .margin_top(TOP)
            .margin_right(SIDE)
            .x_label_area_size(X_AXIS)
            .y_label_area_size(Y_AXIS)
            .build_cartesian_2d(low..high, 0.0..1.05 * highest)?;
        quiet(&mut chart.configure_mesh())
            .disable_x_mesh()
            .x_labels(6)
            .y_labels(5)
            .x_label_formatter(&|x| tick(*x, high - low))
            .y_label_formatter(&|y| format!("{}%", tick(100.0 * y, 100.0 * highest)))
            .x_desc(axis)
            .draw()?;
        let (_, top) = chart.backend_coord(&(low, 1.05 * highest));
        for (bin, share) in edges.windows(2).zip(shares) {
            let (x0, y0) = chart.backend_coord(&(bin[0], 0.0));
            let (x1, y1) = chart.backend_coord(&(bin[1], *share));
            let bar = [(x0, y1), ((x1 - 1).max(x0 + 1), y0)];
            area.draw(&Rectangle::new(bar, SERIES[0].filled()))?;
            let ends = [bin[0], bin[1]].map(|edge| tick(edge, bin[1] - bin[0]));
            let text = format!("{} to {}: {:.1}% of the captions", ends[0], ends[1], 100.0 * share);
            marks.within((x0, top), (x1, y0), text);
        }
        if let Some(overlay) = overlay {
            let bins = edges.windows(2).zip(overlay);
            let outline = bins.flat_map(|(bin, share)| [(bin[0], *share), (bin[1], *share)]);
            let outline: Vec<(f64, f64)> = outline.collect();
            chart.draw_series([PathElement::new(outline, SERIES[1].stroke_width(3))])?;
        }
        if (low..=high).contains(&median) {
            let line = [(median, 0.0), (median, 1.05 * highest)];
            chart.draw_series([PathElement::new(line, INK.stroke_width(2))])?;
        }
        Ok(())
    })
}

/// What bars, outline and line are.
fn legend<'a>(area: &Area<'a>, with_overlay: bool) -> Drawn<'a> {
    let left = Y_AXIS as i32;
    let square = [(left, 6), (left + 14, 20)];
    area.draw(&Rectangle::new(square, SERIES[0].filled()))?;
    write(area, "captions", (left + 20, 13), HPos::Left)?;
    if with_overlay {
        let outline = [(left + 102, 13), (left + 120, 13)];
        area.draw(&PathElement::new(outline, SERIES[1].stroke_width(3)))?;
        write(area, "references", (left + 126, 13), HPos::Left)?;
    }
    let x = WIDTH as i32 - 136;
    area.draw(&PathElement::new([(x, 5), (x, 21)], INK.stroke_width(2)))?;
    write(area, "median caption", (x + 8, 13), HPos::Left)
}
