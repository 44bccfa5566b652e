//! Figures drawn as inline SVG by plotters: one file per kind of picture.
//!
//! Every picture is 420 units wide, so that its letters stay legible on a telephone, has a title and
//! a description for those who can not see it, and takes its colours from the page, whose sheet knows
//! each element by the colour it has on its own.

mod canvas;
mod curves;
mod extrapolation;
mod histogram;
mod intervals;
mod parts;
mod pen;
mod ranks;
mod raster;
pub mod scale;
mod spread;
mod trend;

use crate::document::{Figure, Plot};
use canvas::Canvas;

/// Draws a figure as an element of a page; `None` where its numbers leave nothing to draw. `id` must be unique in the page.
pub fn draw(figure: &Figure, id: &str) -> Option<String> {
    canvas(figure).map(|canvas| canvas.finish(id, &figure.title, &figure.caption))
}

/// Draws a figure for a place of its own, as SVG or, below, as the file of a PNG: with its title and `line` on the picture. `None` as
/// for [`draw`].
pub fn alone(figure: &Figure, line: &str) -> Option<String> {
    let canvas = canvas(figure)?.with_lines(&figure.title, line)?;
    Some(canvas.finish("chart", &figure.title, &figure.caption))
}

/// See [`alone`].
pub fn png(figure: &Figure, line: &str) -> Option<Vec<u8>> {
    canvas(figure)?.with_lines(&figure.title, line)?.png()
}

fn canvas(figure: &Figure) -> Option<Canvas> {
    match &figure.plot {
        Plot::Intervals { rows, with_zero, axis } => intervals::draw(rows, *with_zero, axis),
        Plot::Parts { names, rows } => parts::draw(names, rows),
        Plot::Histogram { edges, shares, overlay, median, axis } => {
            histogram::draw(edges, shares, overlay.as_deref(), *median, axis)
        }
        Plot::Extrapolation { points, intercept, ci95, slope } => {
            extrapolation::draw(points, *intercept, *ci95, *slope)
        }
        Plot::Spread { rows, axis } => spread::draw(rows, axis),
        Plot::Ranks { names, rows } => ranks::draw(names, rows),
        Plot::Curves { series, x, y } => curves::draw(series, x, y),
        Plot::Trend { points, changes, unit } => trend::draw(points, changes, unit),
    }
}
