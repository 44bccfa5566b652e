//! Series over time, small enough to draw: many nights become few points, and the changes of level are marked.

use fgd_metrics::series::{Rule, Standing, baseline, change_points, median};
use fgd_record::{Trend, TrendChange, TrendPoint};
use rayon::prelude::*;

use super::history::{Kind, Level, Night, Outcome, Past, Point};
use super::speed::{Runs, value};
use super::suite::Gates;

/// Points of a trend, at most.
const POINTS: usize = 180;
/// A change of level in a chart of years is looked for with more care than one in a verdict.
const CHART_STATISTIC: f64 = 4.5;
/// Nights between an accepted level and a change that a test finds, at most, for one to be the other.
const NEAR: usize = 7;

/// The trends of all series that have something to show: of one figure under several keys the newest first.
pub fn all(pasts: &[Past], nights: &[Night], gates: &Gates) -> Vec<Trend> {
    let mut shown: Vec<&Past> = pasts.iter().filter(|past| newest(past).is_some()).collect();
    shown.sort_by_key(|past| {
        (&past.series.system, &past.series.metric, std::cmp::Reverse(newest(past)))
    });
    shown.par_iter().map(|past| trend(past, nights, gates)).collect()
}

/// The last night with a value.
fn newest(past: &Past) -> Option<usize> {
    past.points.iter().rfind(|point| point.value.is_some()).map(|point| point.night)
}

/// The trend of a series.
pub fn trend(past: &Past, nights: &[Night], gates: &Gates) -> Trend {
    let series = &past.series;
    let per_point = past.points.len().div_ceil(POINTS).max(1);
    // Counted from the end, so that the newest point is always a whole one.
    let first = past.points.len() % per_point;
    let (head, rest) = past.points.split_at(first);
    let buckets = (!head.is_empty()).then_some(head).into_iter().chain(rest.chunks(per_point));
    let changes = changes(past, nights, gates);
    let mut points: Vec<TrendPoint> = buckets.map(|bucket| point(bucket, nights)).collect();
    if series.kind == Kind::Speed {
        bands(past, &gates.speed.rule(), &changes, per_point, &mut points);
    }
    Trend {
        system: series.system.clone(),
        metric: series.metric.clone(),
        unit: series.unit.clone(),
        higher_is_better: series.higher_is_better,
        setting: setting(past, nights),
        nights: past.points.len() as u64,
        points,
        changes: changes.into_iter().map(|(_, change)| change).collect(),
    }
}

/// What the figures have in common; a key says nothing to people, so of a quality it says when it was in use.
fn setting(past: &Past, nights: &[Night]) -> String {
    let series = &past.series;
    if series.kind == Kind::Quality {
        let day = |point: Option<&Point>| {
            point.and_then(|point| nights.get(point.night)?.started.get(..10)).unwrap_or_default()
        };
        let measured = || past.points.iter().filter(|point| point.value.is_some());
        let (first, last) = (day(measured().next()), day(measured().next_back()));
        return format!("{first} to {last} · key {}", series.definition);
    }
    let words = [&series.definition, &series.engine, &series.dtype];
    let mut words: Vec<String> = words.into_iter().filter(|w| !w.is_empty()).cloned().collect();
    words.push(format!("{} threads", series.threads));
    words.push(format!("machine {}", series.host));
    words.join(" · ")
}

fn point(bucket: &[Point], nights: &[Night]) -> TrendPoint {
    let values: Vec<f64> = (bucket.iter())
        .filter(|point| point.outcome == Outcome::Measured)
        .filter_map(|point| point.value)
        .collect();
    let range =
        values.iter().copied().reduce(f64::min).zip(values.iter().copied().reduce(f64::max));
    let end = |of: fn(&Point) -> Option<f64>| {
        let ends: Vec<f64> = bucket.iter().filter_map(of).collect();
        median(&ends)
    };
    let last = bucket.last().and_then(|point| nights.get(point.night));
    TrendPoint {
        night: last.map_or_else(String::new, |night| night.started.clone()),
        value: median(&values),
        range: range.filter(|_| bucket.len() > 1).map(|(low, high)| [low, high]),
        band: end(|point| point.low).zip(end(|point| point.high)).map(|(low, high)| [low, high]),
        regressed: bucket.iter().any(|point| point.standing == Standing::Regressed),
        failed: bucket.iter().filter(|point| point.outcome != Outcome::Measured).count() as u64,
    }
}

/// The changes of level, each with the index of its point.
fn changes(past: &Past, nights: &[Night], gates: &Gates) -> Vec<(usize, TrendChange)> {
    let found = match past.series.kind {
        Kind::Quality => exact_changes(past, gates.tolerance),
        Kind::Speed => shown_changes(past, &gates.speed.rule()),
    };
    let change = |found: Change| {
        let night = nights.get(past.points[found.from].night)?;
        let acceptance = found.level.map(|level| level.acceptance.clone());
        let change = TrendChange {
            night: night.started.clone(),
            commit: night.commit.clone(),
            host: night.cpu.clone(),
            change: if found.moved.is_finite() { found.moved } else { 0.0 },
            accepted: found.accepted,
            acceptance,
        };
        Some((found.from, change))
    };
    found.into_iter().filter_map(change).collect()
}

/// A level that is another one than that before it.
struct Change<'a> {
    /// Index of the point that it begins with.
    from: usize,
    /// Relative change.
    moved: f64,
    accepted: bool,
    /// What somebody said who accepted it.
    level: Option<&'a Level>,
}

fn measured(past: &Past) -> impl Iterator<Item = (usize, f64, Standing)> {
    let points = past.points.iter().enumerate();
    let measured = points.filter(|(_, point)| point.outcome == Outcome::Measured);
    measured.filter_map(|(index, point)| Some((index, point.value?, point.standing)))
}

/// Those of a quality, which has no noise: its level is the value that is accepted, and begins with the first night of that value. What
/// stands as a regression or has moved is a change that nobody has accepted.
fn exact_changes(past: &Past, tolerance: f64) -> Vec<Change<'_>> {
    let is_same = |a: f64, b: f64| (a - b).abs() <= tolerance * a.abs().max(1.0);
    let mut all = measured(past);
    let Some((first, value, _)) = all.find(|(_, _, standing)| *standing == Standing::Accepted)
    else {
        return Vec::new();
    };
    let (mut level, mut run, mut found) = (value, (first, value), Vec::new());
    let mut open = None;
    for (index, value, standing) in all {
        if !is_same(run.1, value) {
            run = (index, value);
        }
        open = None;
        if is_same(level, value) || standing == Standing::Unproven {
            continue;
        }
        let accepted = standing == Standing::Accepted;
        let of_run = |level: &&Level| (run.0..=index).contains(&level.from);
        let change = Change {
            from: run.0,
            moved: (value - level) / level.abs(),
            accepted,
            level: past.levels.iter().rfind(of_run).filter(|_| accepted),
        };
        match accepted {
            true => {
                found.push(change);
                level = value;
            }
            false => open = Some(change),
        }
    }
    found.extend(open);
    found
}

/// Those of a speed: what a test finds in its noise, and what somebody accepted.
fn shown_changes<'a>(past: &'a Past, rule: &Rule) -> Vec<Change<'a>> {
    let (places, values): (Vec<usize>, Vec<f64>) =
        measured(past).map(|(index, value, _)| (index, value)).unzip();
    let statistic = rule.change_statistic.max(CHART_STATISTIC);
    let mut starts: Vec<usize> = change_points(&values, statistic).iter().map(|c| c.at).collect();
    for level in &past.levels {
        let at = places.partition_point(|place| *place < level.from);
        let is_known = starts.iter().any(|start| start.abs_diff(at) <= NEAR);
        if !is_known && (1..values.len()).contains(&at) {
            starts.push(at);
        }
    }
    starts.sort_unstable();
    let ends: Vec<usize> = [0].into_iter().chain(starts.clone()).chain([values.len()]).collect();
    let levels: Vec<f64> =
        ends.windows(2).map(|w| median(&values[w[0]..w[1]]).unwrap_or_default()).collect();
    let change = |(start, level): (&usize, &[f64])| {
        let from = places[*start];
        let moved = (level[1] - level[0]) / level[0].abs();
        let level = past.levels.iter().rfind(|level| level.from.abs_diff(from) <= NEAR);
        let is_much = moved.is_finite() && moved.abs() >= rule.floor;
        (is_much || level.is_some()).then_some(Change {
            from,
            moved,
            accepted: level.is_some(),
            level,
        })
    };
    starts.iter().zip(levels.windows(2)).filter_map(change).collect()
}

/// The bounds of ordinary runs, by level.
fn bands(
    past: &Past,
    rule: &Rule,
    changes: &[(usize, TrendChange)],
    per_point: usize,
    points: &mut [TrendPoint],
) {
    let Runs { mut runs, points: places, .. } = Runs::of(past);
    // A band describes what was, whether it was accepted or not.
    for run in &mut runs {
        run.standing = Standing::Accepted;
    }
    let higher = past.series.higher_is_better;
    for point in points.iter_mut() {
        // The interval of one run is not the band of many.
        point.band = None;
    }
    let first = past.points.len() % per_point;
    let mut starts: Vec<usize> = vec![0];
    starts.extend(changes.iter().map(|(index, _)| places.partition_point(|place| place < index)));
    starts.push(runs.len());
    let all_runs = Rule { window: usize::MAX, ..*rule };
    for level in starts.windows(2).filter(|level| level[0] < level[1]) {
        let Some(base) = baseline(&runs[level[0]..level[1]], 0, &all_runs) else {
            continue;
        };
        let ends = [base.level - base.below, base.level + base.above].map(|end| value(end, higher));
        let band = [ends[0].min(ends[1]), ends[0].max(ends[1])];
        let from = places[level[0]];
        let to = places[level[1] - 1];
        for (index, point) in points.iter_mut().enumerate() {
            let last = match first {
                0 => (index + 1) * per_point - 1,
                first => first + index * per_point - 1,
            };
            if (from..=to).contains(&last) {
                point.band = Some(band);
            }
        }
    }
}
