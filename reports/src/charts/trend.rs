//! A series over time: its line, the spread of the nights behind a point, its band, and where its level changed.

use fgd_record::TrendPoint;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{
    Area, Canvas, Drawn, INK, SERIES, SIDE, X_AXIS, label, quiet, range, tick, write,
};
use crate::document::number::day;

const HEIGHT: u32 = 270;
/// Height of the legend.
const TOP: u32 = 32;
/// Width of the name of a day.
const DAY: i32 = 110;
/// Width of the labels of the y-axis.
const Y_AXIS: u32 = 76;

/// Draws the points at equal distances. `changes` are nights with which a level began.
pub fn draw(points: &[TrendPoint], changes: &[String], unit: &str) -> Option<Canvas> {
    let ends = |pair: Option<[f64; 2]>| pair.into_iter().flatten();
    let all =
        points.iter().flat_map(|p| p.value.into_iter().chain(ends(p.range)).chain(ends(p.band)));
    let (low, high) = range(all)?;
    let right = points.len() as f64 - 0.5;
    Canvas::draw(HEIGHT, |area, marks| {
        let mut chart = ChartBuilder::on(area)
            .margin_top(TOP)
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
        let bands = runs(points, |p| p.band).into_iter().map(|run| (run, 0.14));
        let ranges = runs(points, |p| p.range).into_iter().map(|run| (run, 0.3));
        for (run, strength) in bands.chain(ranges).filter(|(run, _)| run.len() > 1) {
            let color = SERIES[0].mix(strength).filled();
            chart.draw_series([Polygon::new(between(&run), color)])?;
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
            if let Some(index) = points.iter().position(|point| point.night >= *change) {
                let x = index as f64 - 0.5;
                let line = [(x, low), (x, high)];
                chart.draw_series([PathElement::new(line, INK.stroke_width(1))])?;
            }
        }
        for (index, point) in points.iter().enumerate() {
            let Some(value) = point.value else { continue };
            let mut text = format!("{}: {} {unit}", day(&point.night), tick(value, high - low));
            if point.regressed {
                text += ", regressed";
            }
            marks.at(chart.backend_coord(&(index as f64, value)), text);
        }
        legend(area, points, !changes.is_empty())?;
        let last = points.len() - 1;
        let ends = [0, last].map(|index| chart.backend_coord(&(index as f64, low)).0);
        let mut named = vec![(0, HPos::Left), (last, HPos::Right), (last / 2, HPos::Center)];
        named.truncate(match ends[1] - ends[0] {
            room if room >= 3 * DAY && last > 1 => 3,
            room if room >= 2 * DAY => 2,
            _ => 1,
        });
        for (index, side) in named {
            let (x, y) = chart.backend_coord(&(index as f64, low));
            label(area, &day(&points[index].night), (x, y + 8), Pos::new(side, VPos::Top))?;
        }
        Ok(())
    })
}

/// What line, shade, dots, crosses and upright lines are; of these only what the picture has.
fn legend<'a>(area: &Area<'a>, points: &[TrendPoint], has_changes: bool) -> Drawn<'a> {
    let mut x = SIDE as i32;
    let mut name = |area: &Area<'a>, text: &str| -> Result<i32, _> {
        let at = x;
        write(area, text, (x + 20, 13), HPos::Left)?;
        x += 38 + 9 * text.len() as i32;
        Ok(at)
    };
    if points.iter().any(|point| point.band.is_some()) {
        let at = name(area, "band")?;
        let shade = SERIES[0].mix(0.3).filled();
        area.draw(&Rectangle::new([(at, 5), (at + 14, 21)], shade))?;
    }
    if points.iter().any(|point| point.regressed) {
        let at = name(area, "regressed")?;
        area.draw(&Circle::new((at + 8, 13), 4, SERIES[1].filled()))?;
    }
    if points.iter().any(|point| point.failed > 0) {
        let at = name(area, "failed")?;
        area.draw(&Cross::new((at + 8, 13), 4, INK.stroke_width(2)))?;
    }
    if has_changes {
        let at = name(area, "new level")?;
        area.draw(&PathElement::new([(at + 8, 5), (at + 8, 21)], INK.stroke_width(1)))?;
    }
    Ok(())
}

/// Values of neighbouring points, with a gap where there is none.
fn runs<T: Copy>(
    points: &[TrendPoint],
    of: impl Fn(&TrendPoint) -> Option<T>,
) -> Vec<Vec<(f64, T)>> {
    let places = points.iter().enumerate();
    let values: Vec<_> = places.map(|(at, point)| Some((at as f64, of(point)?))).collect();
    let runs = values.split(Option::is_none).filter(|run| !run.is_empty());
    runs.map(|run| run.iter().flatten().copied().collect()).collect()
}

/// The shape between the lower and the upper ends.
fn between(run: &[(f64, [f64; 2])]) -> Vec<(f64, f64)> {
    let low = run.iter().map(|(x, [low, _])| (*x, *low));
    let high = run.iter().rev().map(|(x, [_, high])| (*x, *high));
    low.chain(high).collect()
}
