//! What a night owes: steps that failed or did not run, figures that are missing, conditions that could not be decided.
//! Each is a failure of the night unless the suite allows it by name.

use fgd_record::{Gate, NightlyFailure, NightlyFinding, NightlyStep, NightlyVerdict, StepOutcome};

use crate::nightly::assessment::Assessment;
use crate::nightly::history::{Kind, Outcome, Series};
use crate::nightly::suite::Suite;
use crate::nightly::timeline::Timeline;

/// Figures of the night before that nobody measured tonight although nothing failed: their system, their benchmark or
/// they themselves are gone. One that the suite allows to be gone is not looked for.
pub(super) fn gone(
    suite: &Suite,
    timeline: &Timeline,
    assessments: &[Assessment],
) -> Vec<Assessment> {
    let is_absent = |series: &&Series| {
        let mut of_system = assessments.iter().filter(|one| {
            one.entry.series.system == series.system && one.entry.series.kind == series.kind
        });
        // Where a step has failed, that is what is told.
        !of_system.clone().any(|one| matches!(one.entry.outcome, Outcome::Failed | Outcome::NotRun))
            && !of_system.any(|one| one.entry.series.metric == series.metric)
    };
    let last = timeline.last_night().into_iter().filter(is_absent);
    let missed = last.filter(|series| !is_allowed(suite, &series.system, Some(&series.metric)));
    missed
        .map(|series| {
            let (name, what) = match series.kind {
                Kind::Quality => (suite.systems.iter().any(|s| s.name == series.system), "system"),
                Kind::Speed => {
                    (suite.benchmarks.iter().any(|b| b.name == series.system), "benchmark")
                }
            };
            let why = match name {
                false => format!("the {what} is gone from the suite"),
                true => "the night before has this figure and tonight has not".to_owned(),
            };
            let reason =
                format!("{why}; put it back, or name it once in allow_failed to let it go");
            Assessment::missing(series.clone(), Outcome::NotRun, &reason)
        })
        .collect()
}

/// All failures: steps first, then figures without a step of theirs that failed, then conditions.
pub(super) fn all(
    suite: &Suite,
    steps: &[NightlyStep],
    findings: &[NightlyFinding],
    gates: &[(Gate, bool)],
) -> Vec<NightlyFailure> {
    let failed =
        |step: &&NightlyStep| matches!(step.outcome, StepOutcome::Failed | StepOutcome::NotRun);
    let mut failures: Vec<NightlyFailure> = (steps.iter().filter(failed))
        .map(|step| NightlyFailure {
            subject: step.name.clone(),
            reason: step.message.clone().unwrap_or_default(),
            allowed: is_allowed(suite, subject_of(&step.name), None)
                || suite.gates.allow_failed.contains(&step.name),
        })
        .collect();
    let told: Vec<&str> = steps.iter().filter(failed).map(|step| subject_of(&step.name)).collect();
    let mut figures: Vec<(&NightlyFinding, Vec<&str>)> = Vec::new();
    let missing = findings.iter().filter(|finding| finding.verdict == NightlyVerdict::Invalid);
    for finding in missing.filter(|finding| !told.contains(&finding.system.as_str())) {
        match figures
            .iter_mut()
            .find(|(first, _)| first.system == finding.system && first.reason == finding.reason)
        {
            Some((_, metrics)) => metrics.push(&finding.metric),
            None => figures.push((finding, vec![&finding.metric])),
        }
    }
    failures.extend(figures.into_iter().map(|(finding, metrics)| NightlyFailure {
        subject: format!("{} {}", finding.system, metrics.join(" ")),
        reason: finding.reason.clone(),
        allowed: metrics.iter().all(|metric| is_allowed(suite, &finding.system, Some(metric))),
    }));
    let open = gates.iter().filter(|(gate, is_explained)| {
        gate.passed.is_none() && !is_explained && !told.contains(&gate.condition.as_str())
    });
    failures.extend(open.map(|(gate, _)| NightlyFailure {
        subject: format!("condition {}", gate.condition),
        reason: gate.explanation.clone(),
        allowed: false,
    }));
    failures
}

/// Whether the suite allows a system or benchmark to fail, or one figure of it, written `SYSTEM FIGURE`.
fn is_allowed(suite: &Suite, system: &str, metric: Option<&str>) -> bool {
    suite.gates.allow_failed.iter().any(|name| {
        name == system || metric.is_some_and(|metric| *name == format!("{system} {metric}"))
    })
}

/// What a step is about: `base` of `score base`.
fn subject_of(step: &str) -> &str {
    let subject = step.split_once(' ').map_or(step, |(_, subject)| subject);
    subject.strip_suffix(" again").unwrap_or(subject)
}
