//! Series over time, small enough to draw: many nights become few points, and the changes of level are marked.

use fgd_metrics::series::{Rule, Standing, baseline, change_points, median};
use fgd_record::{Trend, TrendChange, TrendPoint};
use rayon::prelude::*;

use super::history::{Kind, Night, Outcome, Past, Point};
use super::speed::{Runs, value};

/// Points of a trend, at most.
const POINTS: usize = 180;
/// A change of level in a chart of years is looked for with more care than one in a verdict.
const CHART_STATISTIC: f64 = 4.5;

/// The trends of all series that have something to show: of one figure under several keys the newest first.
pub fn all(pasts: &[Past], nights: &[Night], rule: &Rule) -> Vec<Trend> {
    let mut shown: Vec<&Past> = pasts.iter().filter(|past| newest(past).is_some()).collect();
    shown.sort_by_key(|past| {
        (&past.series.system, &past.series.metric, std::cmp::Reverse(newest(past)))
    });
    shown.par_iter().map(|past| trend(past, nights, rule)).collect()
}

/// The last night with a value.
fn newest(past: &Past) -> Option<usize> {
    past.points.iter().rfind(|point| point.value.is_some()).map(|point| point.night)
}

/// The trend of a series.
pub fn trend(past: &Past, nights: &[Night], rule: &Rule) -> Trend {
    let series = &past.series;
    let per_point = past.points.len().div_ceil(POINTS).max(1);
    // Counted from the end, so that the newest point is always a whole one.
    let first = past.points.len() % per_point;
    let (head, rest) = past.points.split_at(first);
    let buckets = (!head.is_empty()).then_some(head).into_iter().chain(rest.chunks(per_point));
    let changes = changes(past, nights, rule);
    let mut points: Vec<TrendPoint> = buckets.map(|bucket| point(bucket, nights)).collect();
    if series.kind == Kind::Speed {
        bands(past, rule, &changes, per_point, &mut points);
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
fn changes(past: &Past, nights: &[Night], rule: &Rule) -> Vec<(usize, TrendChange)> {
    let measured: Vec<(usize, f64)> = (past.points.iter().enumerate())
        .filter(|(_, point)| point.outcome == Outcome::Measured)
        .filter_map(|(index, point)| Some((index, point.value?)))
        .collect();
    let values: Vec<f64> = measured.iter().map(|(_, value)| *value).collect();
    let statistic = rule.change_statistic.max(CHART_STATISTIC);
    let found = change_points(&values, statistic);
    let starts: Vec<usize> =
        std::iter::once(0).chain(found.iter().map(|c| c.at)).chain([values.len()]).collect();
    let levels: Vec<f64> =
        starts.windows(2).map(|w| median(&values[w[0]..w[1]]).unwrap_or_default()).collect();
    found
        .iter()
        .zip(levels.windows(2))
        .filter_map(|(change, level)| {
            let index = measured[change.at].0;
            let night = nights.get(past.points[index].night)?;
            let moved = (level[1] - level[0]) / level[0].abs();
            let is_much = moved.is_finite() && moved.abs() >= rule.floor;
            // A quality moves for a reason, however little.
            (is_much || past.series.kind == Kind::Quality).then(|| {
                let change = TrendChange {
                    night: night.started.clone(),
                    commit: night.commit.clone(),
                    host: night.cpu.clone(),
                    change: if moved.is_finite() { moved } else { 0.0 },
                    accepted: past.levels.iter().any(|accepted| accepted.abs_diff(index) <= 7),
                };
                (index, change)
            })
        })
        .collect()
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
