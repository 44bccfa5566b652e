//! A series over time: its line, the spread of the nights behind a point, its band, and where its level changed.

use fgd_record::TrendPoint;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{Canvas, INK, MUTED, SERIES, SIDE, X_AXIS, letters, quiet, range, tick};

const HEIGHT: u32 = 240;
/// Width of the labels of the y-axis.
const Y_AXIS: u32 = 76;

/// Draws the points at equal distances. `changes` are nights with which a level began.
pub fn draw(points: &[TrendPoint], changes: &[String], unit: &str) -> Option<Canvas> {
    let ends = |pair: Option<[f64; 2]>| pair.into_iter().flatten();
    let all = points
        .iter()
        .flat_map(|p| p.value.into_iter().chain(ends(p.range)).chain(ends(p.band)));
    let (low, high) = range(all)?;
    let right = points.len() as f64 - 0.5;
    Canvas::draw(HEIGHT, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_top(12)
            .margin_left(14)
            .margin_right(SIDE)
            .x_label_area_size(X_AXIS)
            .y_label_area_size(Y_AXIS)
            .build_cartesian_2d(-0.5..right, low..high)?;
        quiet(&mut chart.configure_mesh())
            .disable_x_mesh()
            .x_labels(0)
            .y_labels(5)
            .y_label_formatter(&|y| tick(*y, high - low))
            .y_desc(unit)
            .draw()?;
        for (of, strength) in [
            (
                (|p: &TrendPoint| p.band) as fn(&TrendPoint) -> Option<[f64; 2]>,
                0.14,
            ),
            (|p| p.range, 0.3),
        ] {
            for shape in areas(points, of) {
                chart.draw_series([Polygon::new(shape, SERIES[0].mix(strength).filled())])?;
            }
        }
        for run in runs(points, |p| p.value) {
            if let [(x, y)] = run[..] {
                chart.draw_series([Circle::new((x, y), 3, SERIES[0].filled())])?;
            } else {
                chart.draw_series([PathElement::new(run, SERIES[0].stroke_width(2))])?;
            }
        }
        for (index, point) in points.iter().enumerate() {
            let x = index as f64;
            if let Some(value) = point.value.filter(|_| point.regressed) {
                chart.draw_series([Circle::new((x, value), 4, SERIES[1].filled())])?;
            }
            if point.failed > 0 {
                let (x, y) = chart.backend_coord(&(x, low));
                area.draw(&Cross::new((x, y - 5), 4, INK.stroke_width(2)))?;
            }
        }
        for change in changes {
            let index = points.iter().position(|point| point.night >= *change);
            if let Some(index) = index {
                let x = index as f64 - 0.5;
                let line = [(x, low), (x, high)];
                chart.draw_series([PathElement::new(line, INK.stroke_width(1))])?;
            }
        }
        let last = points.len() - 1;
        let mut named = vec![(0, HPos::Left), (last, HPos::Right)];
        if last > 1 {
            named.push((last / 2, HPos::Center));
        }
        named.dedup_by_key(|(index, _)| *index);
        for (index, side) in named {
            let (x, y) = chart.backend_coord(&(index as f64, low));
            let style = letters(&MUTED).pos(Pos::new(side, VPos::Top));
            let night = &points[index].night;
            let day = night.get(..10).unwrap_or(night);
            area.draw(&Text::new(day, (x, y + 8), style))?;
        }
        Ok(())
    })
}

/// Values of neighbouring points, with a gap where there is none.
fn runs(points: &[TrendPoint], of: impl Fn(&TrendPoint) -> Option<f64>) -> Vec<Vec<(f64, f64)>> {
    let mut runs: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
    for (index, point) in points.iter().enumerate() {
        match of(point) {
            Some(value) => {
                let run = runs.last_mut().into_iter();
                run.for_each(|run| run.push((index as f64, value)));
            }
            None => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// The shapes between two lines.
fn areas(points: &[TrendPoint], of: fn(&TrendPoint) -> Option<[f64; 2]>) -> Vec<Vec<(f64, f64)>> {
    let low = runs(points, |p| of(p).map(|[low, _]| low));
    let high = runs(points, |p| of(p).map(|[_, high]| high));
    let closed = low.into_iter().zip(high).map(|(low, high)| {
        let mut shape = low;
        shape.extend(high.into_iter().rev());
        shape
    });
    closed.filter(|shape| shape.len() > 2).collect()
}
