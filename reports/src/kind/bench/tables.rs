//! The tables of a benchmark: its headlines, its latencies, arrivals, the sweep, and where the time goes.

use fgd_record::{
    BenchResults, BoundBy, Headline, Measure, QueryLatency, Server, ServerOutcome, Stage, SweepCell,
};

use crate::document::number::{
    MISSING, bytes_unit, count, counted, duration, percent, plural, significant, time_unit, value,
};
use crate::document::{Cell, Table, Tone};

/// Standard errors in half of a 99% interval.
const HALF_WIDTH: f64 = 2.576;

/// The digits that a number and its bounds deserve, in a unit of which there are `factor`.
fn digits(measure: &Measure, factor: f64) -> impl Fn(f64) -> String {
    let number = measure.value.unwrap_or_default();
    // Half of what is known of the interval stands for the digits that the number deserves.
    let spread = factor * (measure.high.unwrap_or(number) - measure.low.unwrap_or(number));
    let least = (factor * number).abs() * 1e-4;
    let se = (spread > 0.0).then(|| (spread / 2.0 / HALF_WIDTH).max(least));
    move |number| match se {
        Some(_) => value(Some(factor * number), se),
        None => significant(factor * number),
    }
}

fn scaled(measure: &Measure, factor: f64) -> Cell {
    match measure.value {
        Some(number) => Cell::new(digits(measure, factor)(number), Some(number)),
        None => MISSING.into(),
    }
}

/// Both bounds, or the reason why there are none.
fn bounds(measure: &Measure, factor: f64) -> Cell {
    let digits = digits(measure, factor);
    let end = |end: Option<f64>| end.map_or(MISSING.to_string(), &digits);
    let reason = measure.reason.as_deref().unwrap_or_default();
    match (measure.value, measure.low, measure.high) {
        (None, _, _) => Cell::from(reason).tone(Tone::Dim),
        (_, None, None) => reason.into(),
        (_, low, high) => format!("[{}, {}]", end(low), end(high)).into(),
    }
}

/// The unit in which a headline reads best, and how many of it its own unit has.
pub fn unit(headline: &Headline) -> (&str, f64) {
    match (headline.unit.as_str(), headline.measured.value) {
        ("s", Some(number)) => time_unit(number),
        ("bytes", Some(number)) => bytes_unit(number),
        // Beside others in ms, a number that is missing has no unit that reads best.
        ("s" | "bytes", None) => (MISSING, 1.0),
        (other, _) => (other, 1.0),
    }
}

/// A headline's number in its best unit.
pub fn amount(headline: &Headline) -> Cell {
    scaled(&headline.measured, unit(headline).1)
}

/// A headline's bounds in its best unit.
pub fn interval(headline: &Headline) -> Cell {
    bounds(&headline.measured, unit(headline).1)
}

/// The figures to quote; the first is the one to look at.
pub fn headlines(results: &BenchResults) -> Table {
    let tone = |at| if at == 0 { Tone::Strong } else { Tone::Plain };
    Table::of("Result", results.headlines.iter().enumerate())
        .text("figure", |(_, headline)| &headline.name)
        .number("value", |(at, headline)| amount(headline).tone(tone(at)))
        .text("99% interval", |(_, headline)| interval(headline))
        .text("unit", |(_, headline)| unit(headline).0)
        .text("better", |(_, headline)| match headline.higher_is_better {
            true => "higher",
            false => "lower",
        })
        .optional()
        .remark(results.fastest().map_or(String::new(), |fastest| {
            format!("throughput is that of {}, the fastest below.", cell(fastest))
        }))
        .into()
}

/// Percentiles between the fastest and the slowest query.
pub fn latency(latency: &QueryLatency) -> Table {
    let (unit, factor) = time_unit(latency.mean);
    let mut rows = vec![("fastest".to_string(), Measure::exact(latency.min))];
    let percentiles = latency.percentiles.iter();
    rows.extend(percentiles.map(|p| (format!("p{}", p.percentile), p.seconds.clone())));
    rows.push(("slowest".to_string(), Measure::exact(latency.max)));
    let remark = match latency.design_effect > 1.05 {
        true => format!(
            "Neighbouring queries are alike: it took up to {} times as many for these intervals as independent ones.",
            significant(latency.design_effect)
        ),
        false => String::new(),
    };
    Table::of(&format!("Latency in {unit}"), &rows)
        .text("percentile", |(name, _)| name)
        .number("latency", |(_, seconds)| scaled(seconds, factor))
        .text("99% interval", |(_, seconds)| bounds(seconds, factor))
        .remark(remark)
        .into()
}

/// Every rate of arrivals that was tried.
pub fn server(server: &Server) -> Table {
    let title = format!(
        "Arrivals at random (seed {}), 99% of them to be answered within {}",
        server.seed,
        duration(server.bound_seconds)
    );
    let (unit, factor) = time_unit(server.bound_seconds);
    Table::of(&title, &server.points)
        .number("queries/s", |point| Cell::significant(point.rate))
        .number("queries", |point| Cell::count(point.queries))
        .number("answered/s", |point| Cell::significant(point.answered_per_second))
        .number(&format!("p99, {unit}"), |point| scaled(&point.p99_seconds, factor))
        .text("99% interval", |point| bounds(&point.p99_seconds, factor))
        .text("bound", |point| match point.outcome {
            ServerOutcome::Kept => Cell::from("kept").tone(Tone::Good),
            ServerOutcome::Missed => Cell::from("missed").tone(Tone::Bad),
            ServerOutcome::Undecided => "not decided".into(),
            ServerOutcome::Overloaded => Cell::from("overloaded").tone(Tone::Bad),
        })
        .remark("Latency counts from the scheduled arrival, so waiting counts too. The last row is the run that the latencies are of.")
        .into()
}

/// A combination of a sweep, in words.
pub fn cell(cell: &SweepCell) -> String {
    format!("{} and batch {}", counted(cell.threads, "thread"), count(cell.batch))
}

/// Batch sizes and threads; the fastest stands out.
pub fn sweep(results: &BenchResults) -> Table {
    let cells = &results.sweep;
    let has_tokens = cells.iter().any(|cell| cell.tokens_per_second.is_some());
    let tone = |cell: &SweepCell| match results.fastest() == Some(cell) {
        true => Tone::Strong,
        false => Tone::Plain,
    };
    Table::of("Batch sizes and threads", cells)
        .number("threads", |cell| Cell::count(cell.threads))
        .number("batch", |cell| Cell::count(cell.batch))
        .number(&format!("{}/s", plural(&results.item)), |cell| {
            scaled(&cell.items_per_second, 1.0).tone(tone(cell))
        })
        .text("99% interval", |cell| bounds(&cell.items_per_second, 1.0))
        .optional()
        .when(has_tokens, |table| {
            let tokens = |cell: &SweepCell| Cell::significant(cell.tokens_per_second);
            table.number("tokens/s", tokens).optional()
        })
        .number("p50, ms", |cell| scaled(&cell.p50_seconds, 1e3))
        .number("queries", |cell| Cell::count(cell.queries))
        .optional()
        .sortable()
        .into()
}

/// Where the time of a query goes, and what the machine would allow.
pub fn stages(stages: &[Stage]) -> Table {
    let counts_work = stages.iter().any(|stage| stage.gflop_per_unit.is_some());
    let rest = 1.0 - stages.iter().map(|stage| stage.share).sum::<f64>();
    let ceilings = "What a stage lacks to 100% of its ceiling is what is left to gain.";
    let unknown = format!("{} of the time is in none of these.", percent(rest));
    let remarks = [(counts_work, ceilings), (rest > 0.005, &unknown)];
    let remarks = remarks.into_iter().filter_map(|(holds, text)| holds.then_some(text));
    Table::of("Stages", stages)
        .text("where the time goes", |stage| &stage.name)
        .number("share", |stage| Cell::percent(stage.share))
        .number("ms", |stage| Cell::significant(stage.seconds_per_unit * 1e3))
        .text("per", |stage| &stage.unit)
        .when(counts_work, |table| {
            table
                .number("GFLOP", |stage| Cell::significant(stage.gflop_per_unit))
                .optional()
                .number("GFLOP/s", |stage| Cell::significant(stage.gflop_per_second))
                .number("GB/s", |stage| Cell::significant(stage.gb_per_second))
                .optional()
                .number("of ceiling", |stage| Cell::percent(stage.share_of_ceiling()))
                .text("bound by", |stage| match stage.bound_by {
                    Some(BoundBy::Arithmetic) => "arithmetic",
                    Some(BoundBy::Memory) => "reading weights",
                    None => MISSING,
                })
                .optional()
        })
        .remark(remarks.collect::<Vec<_>>().join(" "))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_has_no_unit_beside_milliseconds() {
        let latency = |measured: Measure| Headline {
            name: "latency_p99".into(),
            unit: "s".into(),
            higher_is_better: false,
            measured,
        };
        assert_eq!(unit(&latency(Measure::exact(0.002))).0, "ms");
        assert_eq!(unit(&latency(Measure::missing("too few"))).0, MISSING);
    }
}
