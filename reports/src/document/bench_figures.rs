//! Which pictures a benchmark has: the latency curve, its percentiles, throughput against batch size, the roofline.

use super::figure::{Axis, Figure, Interval, Plot, Series};
use super::number::{count, significant, time_unit};
use super::visible;
use fgd_record::{BenchResults, Ceilings, QueryLatency, Server, Stage, SweepCell};

/// The pictures; `None` where there is nothing to draw.
pub fn figures(results: &BenchResults) -> Option<Vec<Figure>> {
    let latency = results.latency.as_ref();
    let figures: Vec<Figure> = [
        latency.and_then(curve),
        latency.and_then(percentiles),
        results.server.as_ref().and_then(arrivals),
        throughput(&results.sweep, &results.item),
        (results.ceilings.as_ref()).and_then(|ceilings| roofline(ceilings, &results.stages)),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!figures.is_empty()).then_some(figures)
}

/// Latency against the share of queries that took longer, so that the slow ones get as much room as the fast ones.
fn curve(latency: &QueryLatency) -> Option<Figure> {
    let (unit, factor) = time_unit(latency.mean);
    let points: Vec<(f64, f64)> = (latency.curve.iter())
        .filter(|(share, _)| *share < 1.0)
        .map(|(share, seconds)| (1.0 / (1.0 - share), seconds * factor))
        .collect();
    if points.len() < 2 {
        return None;
    }
    let last = points.last().map_or(1.0, |(x, _)| *x);
    let ticks = [
        (2.0, "p50"),
        (10.0, "p90"),
        (100.0, "p99"),
        (1e3, "p99.9"),
        (1e4, "p99.99"),
    ]
    .into_iter()
    .filter(|(x, _)| *x <= last)
    .map(|(x, name)| (x, name.to_string()))
    .collect();
    Some(Figure {
        title: "Latency curve".into(),
        caption: format!(
            "The time within which a share of the queries was answered, from {} to {} {unit}.",
            significant(latency.min * factor),
            significant(latency.max * factor)
        ),
        plot: Plot::Curves {
            series: vec![Series {
                name: String::new(),
                points,
                line: true,
            }],
            x: Axis {
                name: "share of the queries".into(),
                logarithmic: true,
                ticks,
            },
            y: Axis {
                name: format!("latency, {unit}"),
                ..Axis::default()
            },
        },
        numbers: None,
    })
}

fn percentiles(latency: &QueryLatency) -> Option<Figure> {
    let (unit, factor) = time_unit(latency.mean);
    let rows: Vec<Interval> = (latency.percentiles.iter())
        .filter_map(|percentile| {
            let seconds = &percentile.seconds;
            let value = seconds.value? * factor;
            Some(Interval {
                label: format!("p{}", percentile.percentile),
                text: format!("{} {unit}", significant(value)),
                value,
                interval: seconds
                    .low
                    .zip(seconds.high)
                    .map(|(low, high)| [low * factor, high * factor]),
            })
        })
        .collect();
    (!rows.is_empty()).then(|| Figure {
        title: "Percentiles of the latency".into(),
        caption: "Points are percentiles, lines their 99% intervals by order statistics.".into(),
        plot: Plot::Intervals {
            rows,
            with_zero: false,
            axis: format!("latency, {unit}"),
        },
        numbers: None,
    })
}

/// The 99th percentile against the rate of arrivals.
fn arrivals(server: &Server) -> Option<Figure> {
    let (unit, factor) = time_unit(server.bound_seconds);
    let mut points: Vec<(f64, f64)> = (server.points.iter())
        .filter_map(|point| Some((point.rate, point.p99_seconds.value? * factor)))
        .filter(|(_, p99)| *p99 > 0.0)
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (first, last) = (points.first()?.0, points.last()?.0);
    let bound = server.bound_seconds * factor;
    (first < last && bound > 0.0).then(|| Figure {
        title: "Latency against the rate of arrivals".into(),
        caption: format!(
            "The 99th percentile at each rate that was tried; the bound is {} {unit}.",
            significant(bound)
        ),
        plot: Plot::Curves {
            series: vec![
                Series {
                    name: "p99".into(),
                    points,
                    line: true,
                },
                Series {
                    name: "bound".into(),
                    points: vec![(first, bound), (last, bound)],
                    line: true,
                },
            ],
            x: Axis {
                name: "queries per second".into(),
                ..Axis::default()
            },
            y: Axis {
                name: format!("p99 latency, {unit}"),
                logarithmic: true,
                ..Axis::default()
            },
        },
        numbers: None,
    })
}

/// Throughput against batch size, a line for each number of threads.
fn throughput(cells: &[SweepCell], item: &str) -> Option<Figure> {
    let mut threads: Vec<u64> = cells.iter().map(|cell| cell.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    let series: Vec<Series> = threads
        .iter()
        .map(|threads| {
            let mut points: Vec<(f64, f64)> = (cells.iter())
                .filter(|cell| cell.threads == *threads && cell.batch > 0)
                .filter_map(|cell| Some((cell.batch as f64, cell.items_per_second.value?)))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            Series {
                name: match threads {
                    1 => "1 thread".into(),
                    n => format!("{n} threads"),
                },
                points,
                line: true,
            }
        })
        .filter(|series| !series.points.is_empty())
        .collect();
    let mut batches: Vec<f64> = series
        .iter()
        .flat_map(|s| s.points.iter().map(|(x, _)| *x))
        .collect();
    batches.sort_by(f64::total_cmp);
    batches.dedup();
    (batches.len() > 1).then(|| Figure {
        title: "Throughput against batch size".into(),
        caption: format!(
            "How many {} were answered per second, in queries of so many.",
            visible(&format!("{item}s"))
        ),
        plot: Plot::Curves {
            series,
            x: Axis {
                name: "batch size".into(),
                logarithmic: true,
                ticks: batches
                    .iter()
                    .map(|batch| (*batch, count(*batch as u64)))
                    .collect(),
            },
            y: Axis {
                name: format!("{}/s", visible(&format!("{item}s"))),
                ..Axis::default()
            },
        },
        numbers: None,
    })
}

/// The roofline (Williams, Waterman & Patterson 2009): what a stage reaches below what the machine allows.
fn roofline(ceilings: &Ceilings, stages: &[Stage]) -> Option<Figure> {
    let (peak, bandwidth) = (ceilings.fma_gflop_per_second, ceilings.read_gb_per_second);
    let points: Vec<(&Stage, f64, f64)> = stages
        .iter()
        .filter_map(|stage| {
            let intensity = stage.gflop_per_unit? * 1e9 / stage.bytes_per_unit?;
            let speed = stage.gflop_per_second?;
            (intensity > 0.0 && speed > 0.0 && intensity.is_finite())
                .then_some((stage, intensity, speed))
        })
        .collect();
    if points.is_empty() || peak <= 0.0 || bandwidth <= 0.0 {
        return None;
    }
    let ridge = peak / bandwidth;
    let intensities = points.iter().map(|(_, intensity, _)| *intensity);
    let left = intensities.clone().fold(ridge / 4.0, f64::min) / 2.0;
    let right = intensities.fold(ridge * 4.0, f64::max) * 2.0;
    let roof = Series {
        name: format!("{} GFLOP/s", significant(peak)),
        points: vec![(left, left * bandwidth), (ridge, peak), (right, peak)],
        line: true,
    };
    let reached = points.into_iter().map(|(stage, intensity, speed)| Series {
        name: visible(&stage.name),
        points: vec![(intensity, speed)],
        line: false,
    });
    Some(Figure {
        title: "Roofline".into(),
        caption: format!(
            "Points are stages, the line is what the machine allows: {} GB/s of memory read on the left, {} GFLOP/s of multiply-adds on the right.",
            significant(bandwidth),
            significant(peak)
        ),
        plot: Plot::Curves {
            series: std::iter::once(roof).chain(reached).collect(),
            x: Axis {
                name: "operations per byte of weights".into(),
                logarithmic: true,
                ticks: Vec::new(),
            },
            y: Axis {
                name: "GFLOP/s".into(),
                logarithmic: true,
                ticks: Vec::new(),
            },
        },
        numbers: None,
    })
}
