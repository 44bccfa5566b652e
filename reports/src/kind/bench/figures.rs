//! Which pictures a benchmark has: the latency curve, its percentiles, throughput against batch size, the roofline.

use fgd_record::{BenchResults, Ceilings, QueryLatency, Server, Stage, SweepCell};

use crate::document::number::{count, counted, plural, significant, time_unit};
use crate::document::{Axis, Figure, Interval, Plot, Series, visible};

/// The pictures; none where there is nothing to draw.
pub fn figures(results: &BenchResults) -> impl Iterator<Item = Figure> {
    let latency = results.latency.as_ref();
    let ceilings = results.ceilings.as_ref();
    [
        latency.and_then(curve),
        latency.and_then(percentiles),
        results.server.as_ref().and_then(arrivals),
        throughput(&results.sweep, &results.item),
        ceilings.and_then(|ceilings| roofline(ceilings, &results.stages)),
    ]
    .into_iter()
    .flatten()
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
    let ticks = [(2.0, "p50"), (10.0, "p90"), (100.0, "p99"), (1e3, "p99.9"), (1e4, "p99.99")];
    let ticks = ticks.into_iter().filter(|(x, _)| *x <= last);
    let caption = format!(
        "The time within which a share of the queries was answered, from {} to {} {unit}.",
        significant(latency.min * factor),
        significant(latency.max * factor)
    );
    let plot = Plot::Curves {
        series: vec![Series::line("", points)],
        x: Axis {
            ticks: ticks.map(|(x, name)| (x, name.to_string())).collect(),
            ..Axis::logarithmic("share of the queries")
        },
        y: Axis::linear(format!("latency, {unit}")),
    };
    Some(Figure::new("Latency curve", caption, plot))
}

fn percentiles(latency: &QueryLatency) -> Option<Figure> {
    let (unit, factor) = time_unit(latency.mean);
    let rows = latency.percentiles.iter().filter_map(|percentile| {
        let value = percentile.seconds.value? * factor;
        let interval = percentile.seconds.interval();
        Some(Interval {
            label: format!("p{}", percentile.percentile),
            text: format!("{} {unit}", significant(value)),
            value,
            interval: interval.map(|ends| ends.map(|end| end * factor)),
        })
    });
    let rows: Vec<Interval> = rows.collect();
    if rows.is_empty() {
        return None;
    }
    let plot = Plot::Intervals { rows, with_zero: false, axis: format!("latency, {unit}") };
    let caption = "Points are percentiles, lines their 99% intervals by order statistics.";
    Some(Figure::new("Percentiles of the latency", caption, plot))
}

/// The 99th percentile against the rate of arrivals.
fn arrivals(server: &Server) -> Option<Figure> {
    let (unit, factor) = time_unit(server.bound_seconds);
    let points = server.points.iter();
    let points = points.filter_map(|point| Some((point.rate, point.p99_seconds.value? * factor)));
    let points = from_left_to_right(points.filter(|(_, p99)| *p99 > 0.0));
    let (first, last) = (points.first()?.0, points.last()?.0);
    let bound = server.bound_seconds * factor;
    if first >= last || bound <= 0.0 {
        return None;
    }
    let caption = format!(
        "The 99th percentile at each rate that was tried; the bound is {} {unit}.",
        significant(bound)
    );
    let bound = vec![(first, bound), (last, bound)];
    let plot = Plot::Curves {
        series: vec![Series::line("p99", points), Series::line("bound", bound)],
        x: Axis::linear("queries per second"),
        y: Axis::logarithmic(format!("p99 latency, {unit}")),
    };
    Some(Figure::new("Latency against the rate of arrivals", caption, plot))
}

/// Throughput against batch size, a line for each number of threads.
fn throughput(cells: &[SweepCell], item: &str) -> Option<Figure> {
    let sorted = |mut numbers: Vec<u64>| {
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    };
    let measured = || cells.iter().filter(|c| c.batch > 0 && c.items_per_second.value.is_some());
    let batches = sorted(measured().map(|cell| cell.batch).collect());
    let threads = sorted(measured().map(|cell| cell.threads).collect());
    if batches.len() < 2 {
        return None;
    }
    let series = threads.into_iter().map(|threads| {
        let of_threads = measured().filter(|cell| cell.threads == threads);
        let points =
            of_threads.filter_map(|cell| Some((cell.batch as f64, cell.items_per_second.value?)));
        Series::line(counted(threads, "thread"), from_left_to_right(points))
    });
    let items = visible(&plural(item));
    let ticks = batches.iter().map(|batch| (*batch as f64, count(*batch)));
    let plot = Plot::Curves {
        series: series.collect(),
        x: Axis { ticks: ticks.collect(), ..Axis::logarithmic("batch size") },
        y: Axis::linear(format!("{items}/s")),
    };
    let caption = format!("How many {items} were answered per second, in queries of so many.");
    Some(Figure::new("Throughput against batch size", caption, plot))
}

fn from_left_to_right(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = points.collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// The roofline (Williams, Waterman & Patterson 2009): what a stage reaches below what the machine allows.
fn roofline(ceilings: &Ceilings, stages: &[Stage]) -> Option<Figure> {
    let (peak, bandwidth) = (ceilings.arithmetic(), ceilings.read_gb_per_second);
    let points = stages.iter().filter_map(|stage| {
        let intensity = stage.gflop_per_unit? * 1e9 / stage.bytes_per_unit?;
        let speed = stage.gflop_per_second?;
        let is_on_both_axes = intensity > 0.0 && speed > 0.0 && intensity.is_finite();
        is_on_both_axes.then_some((stage, intensity, speed))
    });
    let points: Vec<(&Stage, f64, f64)> = points.collect();
    if points.is_empty() || peak <= 0.0 || bandwidth <= 0.0 {
        return None;
    }
    let ridge = peak / bandwidth;
    let intensities = points.iter().map(|(_, intensity, _)| *intensity);
    let left = intensities.clone().fold(ridge / 4.0, f64::min) / 2.0;
    let right = intensities.fold(ridge * 4.0, f64::max) * 2.0;
    let roof = Series::line(
        format!("{} GFLOP/s", significant(peak)),
        vec![(left, left * bandwidth), (ridge, peak), (right, peak)],
    );
    let reached = points.into_iter().map(|(stage, intensity, speed)| Series {
        line: false,
        ..Series::line(visible(&stage.name), vec![(intensity, speed)])
    });
    let caption = format!(
        "Points are stages, the line is what the machine allows: {} GB/s of memory read on the left, {} GFLOP/s of arithmetic on the right.",
        significant(bandwidth),
        significant(peak)
    );
    let plot = Plot::Curves {
        series: std::iter::once(roof).chain(reached).collect(),
        x: Axis::logarithmic("operations per byte of weights"),
        y: Axis::logarithmic("GFLOP/s"),
    };
    Some(Figure::new("Roofline", caption, plot))
}
