//! Lines and points on two axes, either of which may be logarithmic: plain numbers are drawn, their
//! logarithms placed, and the ticks named accordingly.

use std::ops::RangeInclusive;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{
    Canvas, GRID, MUTED, SERIES, SIDE, WIDTH, X_AXIS, label, letters, range, tick, write,
};
use crate::document::number::significant;
use crate::document::width::clipped;
use crate::document::{Axis, Series};

const HEIGHT: u32 = 300;
/// Width of the name of the y-axis with the space around it, of a letter of its labels, and of both at least.
const Y_NAME: u32 = 32;
const LETTER: u32 = 10;
const Y_AXIS: u32 = 72;
/// Letters of a name beside its line, and beside its point: there it fits on one of the two sides.
const NAME: usize = 18;
const POINT_NAME: usize = 14;
/// Height of a line of letters.
const LINE: i32 = 20;

/// Draws the series; `None` where a value has no place on its axis.
pub fn draw(series: &[Series], x: &Axis, y: &Axis) -> Option<Canvas> {
    let place = |(px, py): &(f64, f64)| Some((position(*px, x)?, position(*py, y)?));
    let place_all = |series: &Series| series.points.iter().map(place).collect::<Option<_>>();
    let placed: Vec<Vec<(f64, f64)>> = series.iter().map(place_all).collect::<Option<_>>()?;
    let all = || placed.iter().flatten();
    let (left, right) = range(all().map(|(x, _)| *x))?;
    let (low, high) = range(all().map(|(_, y)| *y))?;
    // What is counted from zero is shown from zero, unless it is points that all lie far above.
    let far_above = series.iter().all(|of| !of.line) && low > 0.5 * high;
    let low = if y.logarithmic || far_above { low } else { low.min(0.0) };
    let (x_ticks, y_ticks) = (ticks(x, left, right), ticks(y, low, high));
    let longest = |ticks: &[(f64, String)]| {
        let lengths = ticks.iter().map(|(_, name)| name.chars().count() as u32);
        LETTER * lengths.max().unwrap_or(0)
    };
    let y_axis = Y_AXIS.max(Y_NAME + longest(&y_ticks));
    // Every second or third tick where there is no room for all.
    let wanted = x_ticks.len() as u32 * (longest(&x_ticks) + LETTER);
    let every = wanted.div_ceil((WIDTH - SIDE).saturating_sub(y_axis).max(1)).max(1) as usize;
    Canvas::draw(HEIGHT, |area, marks| {
        let mut chart = ChartBuilder::on(area)
            .margin_top(16)
            .margin_left(14)
            .margin_right(SIDE)
            .x_label_area_size(X_AXIS)
            .y_label_area_size(y_axis)
            .build_cartesian_2d(left..right, low..high)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_labels(0)
            .y_labels(0)
            .x_desc(x.name.as_str())
            .y_desc(y.name.as_str())
            .axis_style(GRID)
            .axis_desc_style(letters(&MUTED))
            .draw()?;
        for (at, name) in x_ticks.iter().step_by(every) {
            let (px, py) = chart.backend_coord(&(*at, low));
            let mark = [(px, py), (px, py + 5)];
            area.draw(&PathElement::new(mark, GRID.stroke_width(1)))?;
            label(area, name, (px, py + 10), Pos::new(HPos::Center, VPos::Top))?;
        }
        for (at, name) in &y_ticks {
            let (px, py) = chart.backend_coord(&(left, *at));
            let line = [(px, py), ((WIDTH - SIDE) as i32, py)];
            area.draw(&PathElement::new(line, GRID.stroke_width(1)))?;
            label(area, name, (px - 6, py), Pos::new(HPos::Right, VPos::Center))?;
        }
        // What a name may not stand on: the lines and points, as far as they are drawn, and the names before it.
        let pixels =
            |points: &Vec<(f64, f64)>| points.iter().map(|p| chart.backend_coord(p)).collect();
        let mut ink: Vec<Vec<(i32, i32)>> = Vec::new();
        for (series, points) in series.iter().zip(&placed) {
            let line: Vec<(i32, i32)> = pixels(points);
            match series.line {
                true => ink.push(line),
                false => ink.extend(line.into_iter().map(|point| vec![point])),
            }
        }
        let mut taken: Vec<Place> = Vec::new();
        for (at, (series, points)) in series.iter().zip(&placed).enumerate() {
            // Points without a line have names of their own, so they need no colours.
            let color = SERIES[if series.line { at % SERIES.len() } else { 1 }];
            if series.line {
                chart.draw_series([PathElement::new(points.clone(), color.stroke_width(3))])?;
            }
            if !series.line || points.len() <= 12 {
                let size = if series.line { 3 } else { 6 };
                let circles = points.iter().map(|p| Circle::new(*p, size, color.filled()));
                chart.draw_series(circles)?;
            }
            for (point, (x_of, y_of)) in points.iter().zip(&series.points) {
                let [x_of, y_of] = [x_of, y_of].map(|value| significant(*value));
                let name = if series.name.is_empty() { "" } else { ": " };
                let text = format!("{}{name}{} {x_of}, {} {y_of}", series.name, x.name, y.name);
                marks.at(chart.backend_coord(point), text);
            }
            let Some(last) = points.last().filter(|_| !series.name.is_empty()) else {
                continue;
            };
            let (px, py) = chart.backend_coord(last);
            let (anchor, px, length) = match series.line {
                true => (HPos::Right, px, NAME),
                false if px > WIDTH as i32 * 3 / 5 => (HPos::Right, px - 10, POINT_NAME),
                false => (HPos::Left, px + 10, POINT_NAME),
            };
            let name = clipped(&series.name, length);
            let width = name.chars().count() as i32 * LETTER as i32;
            let from = if matches!(anchor, HPos::Right) { px - width } else { px };
            let wanted = if series.line { py - 12 } else { py };
            let place = free_place(&taken, &ink, from..=from + width, wanted);
            write(area, &name, (px, place.y), anchor)?;
            taken.push(place);
        }
        Ok(())
    })
}

/// Where a value stands on its axis; `None` where the logarithm has none.
fn position(value: f64, axis: &Axis) -> Option<f64> {
    match axis.logarithmic {
        true => (value > 0.0).then(|| value.log10()),
        false => Some(value),
    }
}

/// Positions and names of the ticks between two positions.
fn ticks(axis: &Axis, from: f64, to: f64) -> Vec<(f64, String)> {
    if !axis.ticks.is_empty() {
        let placed = |(at, name): &(f64, String)| Some((position(*at, axis)?, name.clone()));
        let inside = |(at, _): &(f64, String)| (from..=to).contains(at);
        let placed = axis.ticks.iter().filter_map(placed);
        return placed.filter(inside).collect();
    }
    if axis.logarithmic {
        return logarithmic_ticks(from, to);
    }
    let step = round_step((to - from) / 5.0);
    let first = (from / step).ceil() as i64;
    (first..=(to / step).floor() as i64)
        .map(|i| (i as f64 * step, tick(i as f64 * step, to - from)))
        .collect()
}

/// Powers of ten, and 2 and 5 times them where there is room.
fn logarithmic_ticks(from: f64, to: f64) -> Vec<(f64, String)> {
    let parts: &[f64] = match to - from {
        decades if decades > 3.0 => &[1.0],
        decades if decades > 1.5 => &[1.0, 3.0],
        _ => &[1.0, 2.0, 5.0],
    };
    ((from.floor() as i32)..=(to.ceil() as i32))
        .flat_map(|power| parts.iter().map(move |part| part * 10f64.powi(power)))
        .filter(|value| (from..=to).contains(&value.log10()))
        .map(|value| (value.log10(), tick(value, value)))
        .collect()
}

/// 1, 2 or 5 times a power of ten, near `length`.
fn round_step(length: f64) -> f64 {
    let power = 10f64.powf(length.log10().floor());
    let steps = [(1.5, 1.0), (3.5, 2.0), (7.5, 5.0)];
    let step = steps.into_iter().find(|(below, _)| length / power < *below);
    power * step.map_or(10.0, |(_, step)| step)
}

/// Where a name stands: from the left to the right of its letters, and at which height.
struct Place {
    x: RangeInclusive<i32>,
    y: i32,
}

/// The place nearest to a height where letters between `x` stand neither on another name nor, if that can be had, on ink.
fn free_place(
    taken: &[Place],
    ink: &[Vec<(i32, i32)>],
    x: RangeInclusive<i32>,
    wanted: i32,
) -> Place {
    let is_free = |y: i32| {
        let is_apart = |other: &Place| {
            (other.y - y).abs() >= LINE || other.x.end() < x.start() || x.end() < other.x.start()
        };
        taken.iter().all(is_apart)
    };
    let is_clear = |y: i32| ink.iter().all(|line| !crosses(line, &x, y));
    let inside = 8..HEIGHT as i32 - X_AXIS as i32;
    let near = || (0..HEIGHT as i32).flat_map(|d| [wanted - d, wanted + d]);
    let mut free = near().filter(|y| inside.contains(y) && is_free(*y));
    let clear = free.clone().find(|y| is_clear(*y));
    let y = clear.or_else(|| free.next()).unwrap_or(wanted);
    Place { x, y }
}

/// Whether a line, or a single point, runs through letters between `x` at the height `y`.
fn crosses(line: &[(i32, i32)], x: &RangeInclusive<i32>, y: i32) -> bool {
    let ends = |at: usize| (line[at], line[(at + 1).min(line.len() - 1)]);
    (0..line.len()).map(ends).any(|(a, b)| {
        let (a, b) = if a.0 <= b.0 { (a, b) } else { (b, a) };
        let (from, to) = (a.0.max(*x.start()), b.0.min(*x.end()));
        let height = |at: i32| match b.0 - a.0 {
            0 => a.1,
            length => a.1 + (b.1 - a.1) * (at - a.0) / length,
        };
        let (first, last) = match a.0 == b.0 {
            true => (a.1.min(b.1), a.1.max(b.1)),
            false => (height(from).min(height(to)), height(from).max(height(to))),
        };
        from <= to && first <= y + LINE / 2 && last >= y - LINE / 2
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_inside_the_axis() {
        let names = |ticks: Vec<(f64, String)>| ticks.into_iter().map(|(_, name)| name).collect();
        let plain: Vec<String> = names(ticks(&Axis::default(), -2.0, 103.0));
        assert_eq!(plain, ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(names(logarithmic_ticks(0.0, 2.0)), ["1", "3", "10", "30", "100"]);
    }

    #[test]
    fn names_stand_neither_on_each_other_nor_on_lines() {
        let mut taken: Vec<Place> = Vec::new();
        let falling = [vec![(0, 40), (200, 110)], vec![(150, 160)]];
        for _ in 0..4 {
            let place = free_place(&taken, &falling, 100..=180, 100);
            assert!(taken.iter().all(|other| (other.y - place.y).abs() >= LINE), "{}", place.y);
            assert!(falling.iter().all(|line| !crosses(line, &place.x, place.y)), "{}", place.y);
            taken.push(place);
        }
        assert_eq!(free_place(&taken, &[], 190..=200, 100).y, 100, "beside them there is room");
    }

    #[test]
    fn a_value_without_a_logarithm_is_not_drawn() {
        let series = [Series::line("a", vec![(1.0, 0.0), (2.0, 1.0)])];
        let axis = Axis::logarithmic("");
        assert!(draw(&series, &axis, &axis).is_none());
        assert!(draw(&series, &Axis::default(), &Axis::default()).is_some());
    }
}
