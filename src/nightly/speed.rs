//! Verdicts on speed: the rule of [`fgd_metrics::series`] on the runs of one key, and a second measurement before a slow
//! figure counts.

use fgd_metrics::series::{Finding, Judgement, Reason, Rule, Run, is_suspicious, judge};
use fgd_record::{BenchResults, Headline, NightlyVerdict, Record, Results};
use fgd_store::digest::Digest;

use super::assessment::{Assessment, Figure};
use super::history::{Kind, Outcome, Past, Series, fingerprint};
use super::plan::json;
use super::suite::{Benchmark, Suite};
use super::timeline::Timeline;

/// A series as the rule takes it: the runs that were measured, as logarithms of costs, and where they stand in the past.
pub struct Runs {
    /// The runs, oldest first.
    pub runs: Vec<Run>,
    /// Of each run, the index of its point.
    pub points: Vec<usize>,
    /// The run with which the accepted level began.
    pub from: usize,
}

impl Runs {
    /// The runs of a past.
    pub fn of(past: &Past) -> Self {
        let higher = past.series.higher_is_better;
        let measured = past.points.iter().enumerate().filter_map(|(index, point)| {
            let value = point.value.filter(|_| point.outcome == Outcome::Measured)?;
            let run = Run { value: cost(value, higher)?, standing: point.standing };
            Some((run, index))
        });
        let (runs, points): (Vec<Run>, Vec<usize>) = measured.unzip();
        let level = past.levels.last().map_or(0, |level| level.from);
        let from = points.partition_point(|point| *point < level);
        Self { runs, points, from }
    }
}

/// The logarithm of a cost, larger is worse; `None` of what is not positive.
pub fn cost(value: f64, higher_is_better: Option<bool>) -> Option<f64> {
    let sign = if higher_is_better == Some(true) { -1.0 } else { 1.0 };
    (value.is_finite() && value > 0.0).then(|| sign * value.ln())
}

/// The figure of a cost.
pub fn value(cost: f64, higher_is_better: Option<bool>) -> f64 {
    if higher_is_better == Some(true) { (-cost).exp() } else { cost.exp() }
}

/// Whether one of the figures of a benchmark is worth a second measurement.
pub fn is_suspicious_run(
    timeline: &Timeline,
    suite: &Suite,
    benchmark: &Benchmark,
    record: &Record,
) -> bool {
    let Results::Bench(results) = &record.results else {
        return false;
    };
    let rule = suite.gates.speed.rule();
    results.headlines.iter().any(|headline| {
        let series = series(suite, benchmark, record, results, headline);
        let figure = headline.measured.value.and_then(|v| cost(v, series.higher_is_better));
        let past = timeline.of(&series);
        match (figure, past) {
            (Some(figure), Some(past)) => {
                let runs = Runs::of(&past);
                is_suspicious(&runs.runs, figure, runs.from, &rule)
            }
            _ => false,
        }
    })
}

/// The figures of a benchmark, each with what is to be said of it. With a second measurement the better of the two counts: what slows
/// a machine for a while only ever makes a figure worse (Chen & Revels 2016, arXiv:1608.04295).
pub fn judge_run(
    timeline: &Timeline,
    suite: &Suite,
    benchmark: &Benchmark,
    record: &Record,
    again: Option<&Record>,
) -> Vec<Assessment> {
    let Results::Bench(results) = &record.results else {
        return Vec::new();
    };
    let again = again.and_then(|record| match &record.results {
        Results::Bench(results) => Some(results),
        _ => None,
    });
    let rule = suite.gates.speed.rule();
    let assessments = results.headlines.iter().filter_map(|headline| {
        let series = series(suite, benchmark, record, results, headline);
        let second = again
            .and_then(|results| results.headlines.iter().find(|other| other.name == headline.name));
        let figure = figure(headline, second);
        let past = timeline.of(&series);
        // A figure that the run is too short for, and always was, is none.
        if figure.value.is_none() && past.is_none() {
            return None;
        }
        let is_renewed = past.is_none() && timeline.has_measured(&series);
        let mut assessment = Assessment::new(series, figure, 0, true);
        match figure.value.and_then(|v| cost(v, assessment.entry.series.higher_is_better)) {
            Some(_) if is_renewed => assessment.say(
                NightlyVerdict::NewSeries,
                "a new series: options, engine, number type or threads of the benchmark changed; figures of before do \
                 not compare with it",
            ),
            Some(figure) => say(&mut assessment, timeline, past.as_ref(), figure, &rule),
            None => {
                let reason = headline.measured.reason.clone();
                assessment.entry.outcome = Outcome::NotValid;
                assessment.say(
                    NightlyVerdict::Invalid,
                    reason.unwrap_or_else(|| "the figure is not a positive number".into()),
                );
            }
        }
        Some(assessment)
    });
    assessments.collect()
}

/// The figures of a benchmark that were not measured, or that do not count.
pub fn missing(
    timeline: &Timeline,
    suite: &Suite,
    benchmark: &Benchmark,
    outcome: Outcome,
    reason: &str,
) -> Vec<Assessment> {
    let known = timeline.latest_of(&benchmark.name, Kind::Speed, &timeline.tonight.host);
    if known.is_empty() {
        let name = [suite.name.as_str(), &benchmark.name, "run"];
        let series = Series::unmeasured(Kind::Speed, name, &timeline.tonight.host);
        return vec![Assessment::missing(series, outcome, reason)];
    }
    let of_series = |series: &Series| Assessment::missing(series.clone(), outcome, reason);
    known.into_iter().map(of_series).collect()
}

fn figure(first: &Headline, second: Option<&Headline>) -> Figure {
    let of = |headline: &Headline| Figure {
        value: headline.measured.value,
        interval: headline.measured.low.zip(headline.measured.high).map(|(low, high)| [low, high]),
        first: None,
    };
    let (one, two) = (of(first), second.map(of));
    let Some((two, a, b)) = two.and_then(|two| Some((two, one.value?, two.value?))) else {
        return one;
    };
    let second_is_better = if first.higher_is_better { b > a } else { b < a };
    Figure { first: Some(a), ..if second_is_better { two } else { one } }
}

fn say(
    assessment: &mut Assessment,
    timeline: &Timeline,
    past: Option<&Past>,
    figure: f64,
    rule: &Rule,
) {
    let higher = assessment.entry.series.higher_is_better;
    let runs = past.map(Runs::of);
    let none = Runs { runs: Vec::new(), points: Vec::new(), from: 0 };
    let Runs { runs, points, from } = runs.unwrap_or(none);
    let judgement = judge(&runs, figure, from, rule);
    if let Some(base) = &judgement.baseline {
        let ends = [base.level - base.below, base.level + base.above].map(|end| value(end, higher));
        assessment.finding.level = Some(value(base.level, higher));
        assessment.finding.band = Some([ends[0].min(ends[1]), ends[0].max(ends[1])]);
        assessment.finding.change = Some(value(figure, higher) / value(base.level, higher) - 1.0);
    }
    let night_of = |run: usize| match (points.get(run), past) {
        (Some(point), Some(past)) => {
            timeline.nights.get(past.points[*point].night).map(|night| night.started.clone())
        }
        _ => Some(timeline.tonight.started.clone()),
    };
    assessment.finding.since = judgement.since.and_then(night_of);
    let verdict = match judgement.finding {
        Finding::Improved => NightlyVerdict::Improved,
        Finding::Unchanged => NightlyVerdict::Unchanged,
        Finding::Regressed => NightlyVerdict::Regressed,
        Finding::InsufficientHistory => NightlyVerdict::InsufficientHistory,
    };
    let reason = explained(&judgement, rule, assessment.finding.first.is_some(), &night_of);
    assessment.say(verdict, reason);
    assessment.entry.standing = judgement.standing;
}

fn explained(
    judgement: &Judgement,
    rule: &Rule,
    was_repeated: bool,
    night_of: &dyn Fn(usize) -> Option<String>,
) -> String {
    let day = |run: usize| {
        night_of(run).map_or("tonight".into(), |night| night.get(..10).unwrap_or(&night).to_owned())
    };
    let off = match (judgement.change, judgement.baseline) {
        (Some(change), Some(base)) => format!(
            "{} the median of {} accepted runs (ordinary: up to {:.1}%)",
            if change > 1.0 {
                format!("costs {:.1} times as much as", 1.0 + change)
            } else if change > 0.0 {
                format!("costs {:.1}% more than", 100.0 * change)
            } else {
                format!("costs {:.1}% less than", -100.0 * change)
            },
            base.at_level,
            100.0 * if change > 0.0 { base.above.exp_m1() } else { -(-base.below).exp_m1() }
        ),
        _ => String::new(),
    };
    let twice = if was_repeated { ", measured twice" } else { "" };
    match judgement.reason {
        Reason::Ordinary => format!("within the ordinary: {off}"),
        Reason::FirstNight => {
            format!("suspicious: {off}{twice}; it counts if the next night agrees")
        }
        Reason::TwoNights => match judgement.since {
            Some(since) => format!("{off}{twice}, since the night of {}", day(since)),
            None => format!("{off}, two nights in a row"),
        },
        Reason::Severe => format!("{off}{twice}, and far beyond any of them"),
        Reason::LevelChanged(change) => format!(
            "the level changed with the night of {} (rank-sum statistic {:.1}): {off}{twice}",
            day(change.at),
            change.statistic
        ),
        Reason::TooFew(runs) => {
            format!("{runs} accepted runs of this key; {} are needed", rule.min_runs)
        }
    }
}

fn series(
    suite: &Suite,
    benchmark: &Benchmark,
    record: &Record,
    results: &BenchResults,
    headline: &Headline,
) -> Series {
    let options = Digest::new("options of a benchmark", 1)
        .field("request", json(&benchmark.request()))
        .finish();
    let (engine, dtype) = match (&record.encoder, &record.checkpoint) {
        (Some(encoder), _) => (encoder.engine.clone(), encoder.dtype.clone()),
        (None, Some(checkpoint)) => (checkpoint.device.clone(), checkpoint.dtype.clone()),
        (None, None) => (String::new(), String::new()),
    };
    Series {
        suite: suite.name.clone(),
        system: benchmark.name.clone(),
        metric: headline.name.clone(),
        kind: Kind::Speed,
        definition: format!(
            "{} {} v{} {}",
            results.target.name(),
            results.scenario.name(),
            results.definition_version,
            &options[..8]
        ),
        host: fingerprint(&record.host),
        engine,
        dtype,
        threads: u32::try_from(record.host.threads).unwrap_or(u32::MAX),
        unit: headline.unit.clone(),
        higher_is_better: Some(headline.higher_is_better),
    }
}
