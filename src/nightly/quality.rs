//! Verdicts on quality. What nothing has gone into anew must not move: that is gated exactly. What has changed is tested:
//! tonight's captions against the accepted ones, image by image, Holm's correction over the suite. What has changed and no
//! test decides is *moved* where it leaves the band of its intervals, or *regressed* where a gate is on it and it is worse: shown, and
//! not accepted by itself. The level to hold is that of the accepted captions.

use std::path::PathBuf;

use fgd_metrics::compare::holm;
use fgd_metrics::metric::FGD_PAIRED;
use fgd_metrics::series::Standing;
use fgd_record::{
    Acceptance, Comparability, Difference, NightlyVerdict, Record, Results, ScoreResults,
};

use super::assessment::{Assessment, Figure};
use super::history::{Kind, Outcome, Past, Point, Series};
use super::suite::Gates;
use super::timeline::Timeline;
use crate::jobs::compare::unlike;
use crate::jobs::scoring::metrics::{higher_is_better, numbers};

/// Relative change of a metric without an interval beyond which it has moved.
const ORDINARY: f64 = 0.05;

/// A metric of a score, as it stands in the history.
struct MetricValue<'a> {
    name: &'a str,
    figure: Figure,
    /// Why there is no value.
    reason: Option<String>,
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
    metrics(scores, gates).iter().filter(|metric| is_gated(gates, metric.name)).any(|metric| {
        let past = timeline.of(&series(suite, system, metric, record));
        let accepted = past.as_ref().and_then(last_accepted);
        accepted.is_none_or(|point| point.inputs != inputs)
    })
}

/// The metrics of a scored system, judged as far as the history alone can; those that need the paired test have a verdict
/// that holds unless [`test()`] has a better one. `before` is the system's record of the night before.
pub fn judge(
    timeline: &Timeline,
    record: &Record,
    (suite, system): (&str, &str),
    inputs: i64,
    before: Option<&Record>,
    gates: &Gates,
) -> Vec<Assessment> {
    let Results::Score(scores) = &record.results else {
        return Vec::new();
    };
    let judge_one = |metric: &MetricValue| {
        let series = series(suite, system, metric, record);
        let gated = is_gated(gates, metric.name);
        let past = timeline.of(&series);
        let is_known = timeline.has_measured(&series);
        let mut assessment = Assessment::new(series, metric.figure, inputs, gated);
        match past.filter(|past| !past.points.is_empty()) {
            _ if metric.figure.value.is_none() => {
                let reason = metric.reason.as_deref().unwrap_or("the metric has no value");
                assessment.entry.outcome = Outcome::NotValid;
                assessment.say(NightlyVerdict::Invalid, reason);
            }
            Some(past) => hold(&mut assessment, &past, gates.tolerance),
            None if is_known => {
                let why = before.and_then(|before| what_changed(before, record));
                let why =
                    why.unwrap_or("its references, its encoder or its definition changed".into());
                assessment.say(
                    NightlyVerdict::NewSeries,
                    format!("a new series: {why}; figures of before do not compare with it"),
                );
            }
            None => assessment.say(
                NightlyVerdict::InsufficientHistory,
                "the first night of this metric with these references and this encoder",
            ),
        }
        assessment
    };
    metrics(scores, gates).iter().map(judge_one).collect()
}

/// What keeps a record from being compared with the one of the night before, with the file or the encoder by name.
fn what_changed(before: &Record, tonight: &Record) -> Option<String> {
    let (now, then) = (&tonight.comparability, &before.comparability);
    let references = tonight.inputs.iter().find(|input| input.role == "references");
    let of_references =
        Comparability { references_sha256: then.references_sha256.clone(), ..now.clone() };
    let of_references = unlike(now, &of_references).map(|difference| match references {
        Some(input) => format!("{difference} in {}", input.path),
        None => difference,
    });
    let of_encoder =
        Comparability { references_sha256: now.references_sha256.clone(), ..then.clone() };
    let of_encoder = unlike(now, &of_encoder).map(|difference| match &tonight.encoder {
        Some(encoder) => format!("{difference}, now {}", encoder.id),
        None => difference,
    });
    let differences: Vec<String> = [of_references, of_encoder].into_iter().flatten().collect();
    let day = before.created.get(..10).unwrap_or(&before.created);
    (!differences.is_empty()).then(|| format!("{} (not as on {day})", differences.join(", and ")))
}

/// Holds a metric against what was accepted: exactly where its inputs are those of an earlier night, by its band where
/// they are not.
fn hold(assessment: &mut Assessment, past: &Past, tolerance: f64) {
    use NightlyVerdict::{InsufficientHistory, Moved, Regressed, Unchanged};
    let (inputs, gated) = (assessment.entry.inputs, assessment.finding.gated);
    let Some(value) = assessment.entry.value else {
        return;
    };
    let accepted = last_accepted(past).filter(|point| point.value.is_some());
    let is_same = |point: &Point| point.inputs == inputs && point.value.is_some();
    let repeated = accepted.filter(is_same).or_else(|| {
        let measured = past.points.iter().rev().filter(|p| p.outcome == Outcome::Measured);
        measured.copied().find(is_same)
    });
    let allowed = |level: f64| tolerance * level.abs().max(1.0);
    if let Some(level) = repeated.and_then(|point| point.value)
        && (value - level).abs() > allowed(level)
    {
        hold_to(assessment, level, allowed(level));
        return assessment.say(
            Regressed,
            format!(
                "score drift: nothing that goes into it has changed, and it moved from {level} to {value} \
                 (allowed: {:.1e}); this is a bug, or `fgd nightly accept` says that it is meant",
                allowed(level)
            ),
        );
    }
    let Some((point, level)) = accepted.and_then(|point| Some((point, point.value?))) else {
        return assessment
            .say(InsufficientHistory, "no night of this metric has been accepted yet");
    };
    if point.inputs == inputs {
        hold_to(assessment, level, allowed(level));
        return assessment.say(Unchanged, "the same inputs, the same value");
    }
    assessment.is_changed = true;
    // Half the width of the interval of a difference between two that are independent.
    let half = |low: Option<f64>, high: Option<f64>| Some((high? - low?) / 2.0);
    let halves = half(point.low, point.high).zip(half(assessment.entry.low, assessment.entry.high));
    let width = halves.map_or(ORDINARY * level.abs(), |(a, b)| a.hypot(b)).max(allowed(level));
    hold_to(assessment, level, width);
    let untested =
        if gated { "no test image by image decides it" } else { "no gate is on this metric" };
    if (value - level).abs() <= width {
        let reason =
            format!("what goes into it has changed, and it stayed within its band; {untested}");
        assessment.say(Unchanged, reason);
    } else {
        let reason = format!(
            "what goes into it has changed, and it went from {level:.4} to {value:.4}, beyond its band; {untested}"
        );
        let is_worse = assessment.finding.higher_is_better == Some(value < level);
        assessment.say(if gated && is_worse { Regressed } else { Moved }, reason);
    }
}

/// The level that others are held to is that of the `accepted` captions of the night `started`: all their figures are, moved ones too, and
/// none of others is, tested or not, better or not: many small steps would go unseen.
pub fn settle(all: &mut [Assessment], accepted: &[(String, PathBuf)], started: &str) {
    use NightlyVerdict::{Moved, Regressed};
    let quality = |one: &&mut Assessment| one.entry.series.kind == Kind::Quality;
    for assessment in all.iter_mut().filter(quality) {
        let is_accepted = accepted.iter().any(|(system, _)| *system == assessment.finding.system);
        let standing = assessment.entry.standing;
        if standing == Standing::Accepted && !is_accepted && assessment.is_changed {
            assessment.entry.standing = Standing::Unproven;
        }
        let finding = &assessment.finding;
        // What was changed and no test decided went by its band.
        let went = matches!(finding.verdict, Moved | Regressed) && finding.p_holm.is_none();
        let Some(level) = finding.level.filter(|_| went && assessment.is_changed) else { continue };
        if standing == Standing::Suspicious && is_accepted {
            let note = "with the captions of that night".into();
            assessment.finding.accepted = Some(Acceptance { when: started.into(), note });
            assessment.entry.standing = Standing::Accepted;
            assessment.add(
                "; it is the level from now on, as tonight's captions are accepted with all their numbers",
            );
        } else {
            assessment.add(&format!(
                "; {level:.4} stays what is accepted until `fgd nightly accept` says otherwise"
            ));
        }
    }
}

fn hold_to(assessment: &mut Assessment, level: f64, width: f64) {
    let finding = &mut assessment.finding;
    finding.level = Some(level);
    finding.band = Some([level - width, level + width]);
    finding.change =
        finding.value.filter(|_| level != 0.0).map(|value| (value - level) / level.abs());
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
    use NightlyVerdict::{Improved, NewSeries, Regressed, Unchanged};
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
    let (verdict, reason) = if p_holm >= alpha || moved == 0.0 {
        let least = difference.minimum_detectable.map_or(String::new(), |least| {
            format!("; these images show differences of {least:.4} and more")
        });
        (Unchanged, format!("no difference shown: {said}{least}"))
    } else if worse {
        (Regressed, said)
    } else if difference.higher_is_better.is_some() {
        (Improved, said)
    } else {
        (Unchanged, format!("differs: {said}; neither direction is better"))
    };
    match assessment.finding.verdict {
        // The test is within the new series: under its references, on both captions.
        NewSeries => {
            let reason = format!("{}; {reason}", assessment.finding.reason);
            assessment.say(if verdict == Unchanged { NewSeries } else { verdict }, reason);
        }
        _ => assessment.say(verdict, reason),
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
        let unmeasured = || Series::unmeasured(Kind::Quality, [suite, system, metric], "");
        let series = series.map_or_else(unmeasured, |series| (*series).clone());
        Assessment::missing(series, outcome, reason)
    };
    gates.metrics.iter().map(of_gate).collect()
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
        ..Series::unmeasured(Kind::Quality, [suite, system, metric.name], "")
    }
}

fn metrics<'a>(scores: &'a ScoreResults, gates: &Gates) -> Vec<MetricValue<'a>> {
    let all = numbers(scores).into_iter().map(|(name, measure)| MetricValue {
        name,
        figure: Figure { value: measure.value, interval: measure.interval(), first: None },
        reason: measure.reason.map(|reason| format!("no value: {reason}")),
        higher_is_better: higher_is_better(name, scores),
    });
    // What no gate is on and a small set of captions does not have is no failure of the night; what it had once is, see
    // `night::gone`.
    let counts = |metric: &MetricValue| {
        metric.figure.value.is_some() || metric.name == FGD_PAIRED || is_gated(gates, metric.name)
    };
    all.filter(counts).collect()
}
