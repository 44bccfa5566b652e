//! A night with everything that can befall one, and names that try everything a name can try.

use fgd_record::*;

use super::{HOSTILE, record};

/// Ninety nights of one series, with a change of level and a failed night.
fn trend(system: &str, metric: &str, unit: &str) -> Trend {
    let points = (0..90).map(|night| {
        let level = if night < 60 { 0.30 } else { 0.33 };
        let value = level + 0.002 * f64::from((night * 7) % 5);
        let failed = night == 40;
        TrendPoint {
            night: format!("2025-{:02}-{:02}T02:00:00Z", 1 + night / 28, 1 + night % 28),
            value: (!failed).then_some(value),
            range: (!failed).then_some([value - 0.004, value + 0.004]),
            band: Some([level - 0.01, level + 0.02]),
            regressed: night > 84,
            failed: u64::from(failed),
        }
    });
    Trend {
        system: system.into(),
        metric: metric.into(),
        unit: unit.into(),
        higher_is_better: Some(false),
        setting: "encoder single v1 · packed · f32 · 2 threads".into(),
        nights: 90,
        points: points.collect(),
        changes: vec![TrendChange {
            night: "2025-03-05T02:00:00Z".into(),
            commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
            host: "AMD EPYC 7763 64-Core Processor".into(),
            change: 0.1,
            accepted: true,
            acceptance: Some(accepted()),
        }],
    }
}

fn accepted() -> Acceptance {
    Acceptance { when: "2025-03-30T09:00:00Z".into(), note: "a cheaper captioner".into() }
}

fn finding(system: &str, metric: &str, verdict: NightlyVerdict) -> NightlyFinding {
    NightlyFinding {
        system: system.into(),
        metric: metric.into(),
        kind: "quality".into(),
        higher_is_better: Some(false),
        gated: true,
        verdict,
        reason: "the same inputs, the same value".into(),
        value: Some(0.3312),
        level: Some(0.3012),
        band: Some([0.3011, 0.3013]),
        change: Some(0.0996),
        ..NightlyFinding::default()
    }
}

/// The record of the night.
pub fn night() -> Record {
    let slow = NightlyFinding {
        kind: "speed".into(),
        unit: "s".into(),
        first: Some(0.351),
        since: Some("2025-03-05T02:00:00Z".into()),
        reason: "costs 10.0% more than the median of 30 accepted runs (ordinary: up to 3.0%), measured twice".into(),
        ..finding("encoder single", "latency_p50", NightlyVerdict::Regressed)
    };
    let drift = NightlyFinding {
        reason: "score drift: nothing that goes into it has changed".into(),
        ..finding(HOSTILE, "fgd_paired", NightlyVerdict::Regressed)
    };
    let missing = NightlyFinding {
        reason: "killed by signal 9: out of memory, or somebody killed it".into(),
        value: None,
        level: None,
        band: None,
        change: None,
        ..finding("tuned", "fgd_paired", NightlyVerdict::Invalid)
    };
    let better = NightlyFinding {
        p_holm: Some(0.0004),
        ..finding("base", "fgd_paired", NightlyVerdict::Improved)
    };
    let step = |name: &str, outcome: StepOutcome| NightlyStep {
        name: name.into(),
        outcome,
        seconds: 12.25,
        message: (outcome == StepOutcome::Failed).then(|| "killed by signal 9".into()),
        record: None,
    };
    let results = NightlyResults {
        suite: "captioners".into(),
        night: "2025-03-30T02:00:00Z".into(),
        verdict: NightlyVerdict::Regressed,
        findings: vec![
            slow,
            drift,
            missing,
            better,
            finding("winner", "cider", NightlyVerdict::Moved),
            NightlyFinding {
                accepted: Some(accepted()),
                ..finding("winner", "bleu_4", NightlyVerdict::Moved)
            },
            finding("other", "fgd_paired", NightlyVerdict::NewSeries),
            finding("winner", "fgd_paired", NightlyVerdict::InsufficientHistory),
            finding("winner", "mean_cosine", NightlyVerdict::Unchanged),
        ],
        gates: vec![
            Gate {
                condition: "base.fgd_paired<=0.3".into(),
                passed: Some(false),
                explanation: "base.fgd_paired is 0.3312, more than 0.3".into(),
            },
            Gate {
                condition: "tuned.fgd_paired<=base".into(),
                passed: None,
                explanation: "tuned has no fgd_paired".into(),
            },
        ],
        steps: vec![
            step("caption base", StepOutcome::Cached),
            step("score base", StepOutcome::Done),
            step("caption tuned", StepOutcome::Failed),
            step("bench encoder single", StepOutcome::NotRun),
        ],
        failures: vec![
            NightlyFailure {
                subject: "caption tuned".into(),
                reason: "killed by signal 9: out of memory, or somebody killed it".into(),
                allowed: false,
            },
            NightlyFailure {
                subject: "bench encoder single".into(),
                reason: "the time budget of the night was over before it".into(),
                allowed: true,
            },
        ],
        trends: vec![trend("encoder single", "latency_p50", "s"), trend(HOSTILE, "fgd_paired", "")],
    };
    record(Results::Nightly(Box::new(results)), "captioners")
}
