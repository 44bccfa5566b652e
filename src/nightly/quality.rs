//! Verdicts on quality. What nothing has gone into anew must not move: that is gated exactly. What has changed is tested:
//! tonight's captions against the accepted ones, image by image, Holm's correction over the suite.

use fgd_metrics::compare::holm;
use fgd_metrics::metric::FGD_PAIRED;
use fgd_metrics::series::Standing;
use fgd_record::{Difference, NightlyVerdict, Record, Results, ScoreResults};

use super::assessment::{Assessment, Figure};
use super::history::{Kind, Outcome, Past, Point, Series};
use super::suite::Gates;
use super::timeline::Timeline;
use crate::jobs::scoring::metrics::{higher_is_better, numbers};

/// A metric of a score, as it stands in the history.
struct MetricValue<'a> {
    name: &'a str,
    figure: Figure,
    higher_is_better: Option<bool>,
}

/// Whether a system must be compared with its accepted captions: a gated metric was last accepted with other inputs.
pub fn is_changed(
    timeline: &Timeline,
    record: &Record,
    suite: &str,
    system: &str,
    inputs: i64,
    gates: &Gates,
) -> bool {
    let Results::Score(scores) = &record.results else {
        return false;
    };
    metrics(scores).iter().filter(|metric| is_gated(gates, metric.name)).any(|metric| {
        let past = timeline.of(&series(suite, system, metric, record));
        let accepted = past.as_ref().and_then(last_accepted);
        accepted.is_none_or(|point| point.inputs != inputs)
    })
}

/// The metrics of a scored system, judged as far as the history alone can; those that need the paired test say so by
/// standing without a verdict until [`test()`] is through.
pub fn judge(
    timeline: &Timeline,
    record: &Record,
    (suite, system): (&str, &str),
    inputs: i64,
    gates: &Gates,
) -> Vec<Assessment> {
    let Results::Score(scores) = &record.results else {
        return Vec::new();
    };
    let judge_one = |metric: &MetricValue| {
        let series = series(suite, system, metric, record);
        let gated = is_gated(gates, metric.name);
        let past = timeline.of(&series);
        let mut assessment = Assessment::new(series, metric.figure, inputs, gated);
        exact(&mut assessment, past.as_ref().and_then(last_accepted), gates.tolerance);
        assessment
    };
    metrics(scores).iter().map(judge_one).collect()
}

/// Gates a metric whose inputs are those of the accepted night.
fn exact(assessment: &mut Assessment, accepted: Option<Point>, tolerance: f64) {
    use NightlyVerdict::{InsufficientHistory, Invalid, Regressed, Unchanged};
    let Some(value) = assessment.entry.value else {
        assessment.entry.outcome = Outcome::NotValid;
        return assessment.say(Invalid, "the metric has no value");
    };
    let Some((accepted, level)) = accepted.and_then(|point| Some((point, point.value?))) else {
        return assessment.say(
            InsufficientHistory,
            "the first night of this metric with these references and this encoder",
        );
    };
    assessment.finding.level = Some(level);
    assessment.finding.change = (level != 0.0).then(|| (value - level) / level.abs());
    if accepted.inputs != assessment.entry.inputs {
        return assessment
            .say(Unchanged, "what goes into it has changed; no gate is on this metric");
    }
    let allowed = tolerance * level.abs().max(1.0);
    assessment.finding.band = Some([level - allowed, level + allowed]);
    if (value - level).abs() <= allowed {
        assessment.say(Unchanged, "the same inputs, the same value");
    } else {
        assessment.say(
            Regressed,
            format!(
                "score drift: nothing that goes into it has changed, and it moved from {level} to {value} \
                 (allowed: {allowed:.1e}); this is a bug, or `fgd nightly accept` says that it is meant"
            ),
        );
    }
}

/// Judges changed systems by their comparisons: each a record of `fgd compare` of `accepted` and `tonight`.
pub fn test(all: &mut [Assessment], comparisons: &[(String, Record)], alpha: f64) {
    let mut tested: Vec<(usize, Difference)> = Vec::new();
    for (system, record) in comparisons {
        let Results::Compare(results) = &record.results else {
            continue;
        };
        for (index, assessment) in all.iter().enumerate() {
            let is_open = assessment.finding.gated
                && assessment.entry.value.is_some()
                && assessment.entry.series.kind == Kind::Quality
                && assessment.finding.system == *system;
            let difference = results.differences.iter().find(|difference| {
                difference.metric == assessment.finding.metric && difference.p_value.is_some()
            });
            if let Some(difference) = difference.filter(|_| is_open) {
                tested.push((index, difference.clone()));
            }
        }
    }
    let p_values: Vec<f64> = tested.iter().filter_map(|(_, d)| d.p_value).collect();
    for ((index, difference), p_holm) in tested.iter().zip(holm(&p_values)) {
        all[*index].finding.p_holm = Some(p_holm);
        say_tested(&mut all[*index], difference, p_holm, alpha);
    }
}

fn say_tested(assessment: &mut Assessment, difference: &Difference, p_holm: f64, alpha: f64) {
    use NightlyVerdict::{Improved, Regressed, Unchanged};
    // The record may name either side first.
    let sign = if difference.system == "tonight" { 1.0 } else { -1.0 };
    let Some(moved) = difference.estimate.value.map(|value| sign * value) else {
        return;
    };
    let accepted = assessment.entry.value.map(|value| value - moved);
    assessment.finding.level = accepted;
    assessment.finding.change =
        accepted.filter(|level| *level != 0.0).map(|level| moved / level.abs());
    let said = format!(
        "{} {} beside the accepted captions, p = {p_holm:.4} after Holm over the suite",
        if moved < 0.0 { "lower by" } else { "higher by" },
        format_args!("{:.4}", moved.abs())
    );
    let worse = match difference.higher_is_better {
        Some(higher) => (moved < 0.0) == higher,
        None => false,
    };
    if p_holm >= alpha || moved == 0.0 {
        let least = difference.minimum_detectable.map_or(String::new(), |least| {
            format!("; these images show differences of {least:.4} and more")
        });
        assessment.say(Unchanged, format!("no difference shown: {said}{least}"));
    } else if worse {
        assessment.say(Regressed, said);
    } else if difference.higher_is_better.is_some() {
        assessment.say(Improved, said);
    } else {
        assessment.say(Unchanged, format!("differs: {said}; neither direction is better"));
    }
}

/// The gated metrics of a system that has no score tonight.
pub fn missing(
    timeline: &Timeline,
    (suite, system): (&str, &str),
    outcome: Outcome,
    reason: &str,
    gates: &Gates,
) -> Vec<Assessment> {
    let known = timeline.latest_of(system, Kind::Quality, "");
    let of_gate = |metric: &String| {
        let series = known.iter().find(|series| series.metric == *metric);
        let series = series.map_or_else(|| unknown(suite, system, metric), |s| (*s).clone());
        Assessment::missing(series, outcome, reason)
    };
    gates.metrics.iter().map(of_gate).collect()
}

fn unknown(suite: &str, system: &str, metric: &str) -> Series {
    Series {
        suite: suite.into(),
        system: system.into(),
        metric: metric.into(),
        kind: Kind::Quality,
        definition: String::new(),
        host: String::new(),
        engine: String::new(),
        dtype: String::new(),
        threads: 0,
        unit: String::new(),
        higher_is_better: None,
    }
}

fn is_gated(gates: &Gates, metric: &str) -> bool {
    gates.metrics.iter().any(|name| name == metric)
}

fn last_accepted(past: &Past) -> Option<Point> {
    let accepted =
        |point: &&Point| point.outcome == Outcome::Measured && point.standing == Standing::Accepted;
    past.points.iter().rev().find(accepted).copied()
}

/// A quality is the same on every machine, so neither host nor threads are part of its key; the precision class of the
/// engine is part of the comparability key.
fn series(suite: &str, system: &str, metric: &MetricValue, record: &Record) -> Series {
    Series {
        definition: record.comparability.key.clone(),
        dtype: record.comparability.precision.clone(),
        higher_is_better: metric.higher_is_better,
        ..unknown(suite, system, metric.name)
    }
}

fn metrics(scores: &ScoreResults) -> Vec<MetricValue<'_>> {
    let all = numbers(scores).into_iter().map(|(name, measure)| MetricValue {
        name,
        figure: Figure { value: measure.value, interval: measure.interval(), first: None },
        higher_is_better: higher_is_better(name, scores),
    });
    // A further metric that a small set of captions does not have is no failure of the night.
    all.filter(|metric| metric.figure.value.is_some() || metric.name == FGD_PAIRED).collect()
}
