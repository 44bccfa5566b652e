//! The results of `fgd nightly`: what a suite measured in a night, beside its history.

use serde::{Deserialize, Serialize};

use super::trend::Trend;

/// A night of a suite.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NightlyResults {
    /// Name of the suite.
    pub suite: String,
    /// When the night began: RFC 3339, UTC.
    pub night: String,
    /// The verdict on the night as a whole: the worst of its findings.
    pub verdict: NightlyVerdict,
    /// Every series that the night was to measure, the most urgent first.
    pub findings: Vec<NightlyFinding>,
    /// The conditions of the suite.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<super::Gate>,
    /// What was run.
    pub steps: Vec<NightlyStep>,
    /// What the night owes: steps that failed, figures that are missing, conditions that could not be decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<NightlyFailure>,
    /// Every series over time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trends: Vec<Trend>,
}

/// Names that a headline spells out; the others are counted.
const NAMED: usize = 6;
/// Characters of a reason in a headline.
const BRIEF: usize = 160;

impl NightlyResults {
    /// The worst that is open: of figures that nobody has accepted, of conditions, and of what is not allowed to fail.
    pub fn worst(&self) -> NightlyVerdict {
        if self.gates.iter().any(|gate| gate.passed == Some(false)) {
            return NightlyVerdict::Regressed;
        }
        let open = self.findings.iter().filter(|finding| finding.accepted.is_none());
        let figures = open.map(|finding| finding.verdict);
        // Of figures that are missing only those count that the suite does not allow to be.
        let figures = figures.filter(|verdict| *verdict != NightlyVerdict::Invalid);
        let failed = self.has_failed().then_some(NightlyVerdict::Invalid);
        figures.chain(failed).min().unwrap_or_default()
    }

    /// The night in one line: what regressed, what failed and why, or that nothing did.
    pub fn headline(&self) -> String {
        let parts = self.headlines().into_iter().map(|(_, text)| text);
        parts.collect::<Vec<_>>().join(". ")
    }

    /// What is said of the night, each with the verdict it is about; of what is allowed to fail it is that nothing follows.
    pub fn headlines(&self) -> Vec<(NightlyVerdict, String)> {
        use NightlyVerdict::{
            Improved, InsufficientHistory, Invalid, Moved, NewSeries, Regressed, Unchanged,
        };
        let crossed = self.gates.iter().filter(|gate| gate.passed == Some(false));
        let mut regressed = self.titles(Regressed);
        regressed.extend(crossed.map(|gate| gate.condition.clone()));
        let failed: Vec<String> = (self.failures.iter().filter(|failure| !failure.allowed))
            .map(|failure| format!("{} ({})", failure.subject, brief(&failure.reason)))
            .collect();
        let allowed = self.failures.iter().filter(|failure| failure.allowed);
        let is_green = regressed.is_empty() && failed.is_empty();
        let is_first = |f: &NightlyFinding| f.verdict == InsufficientHistory;
        let nothing = match self.findings.iter().all(is_first) {
            true => (InsufficientHistory, "NOTHING TO COMPARE WITH YET".to_owned()),
            false => (Unchanged, "NO REGRESSION".to_owned()),
        };
        let allowed: Vec<String> = allowed.map(|failure| failure.subject.clone()).collect();
        let accepted = self.findings.iter().filter_map(|finding| {
            let accepted = finding.accepted.as_ref()?;
            Some(format!("{} {} {accepted}", finding.system, finding.metric))
        });
        let parts = [
            named(Regressed, "REGRESSED", &regressed),
            named(Invalid, "FAILED", &failed),
            is_green.then_some(nothing),
            named(Moved, "MOVED, UNTESTED", &self.titles(Moved)),
            named(NewSeries, "NEW SERIES", &self.titles(NewSeries)),
            named(Improved, "IMPROVED", &self.titles(Improved)),
            named(InsufficientHistory, "ACCEPTED", &accepted.collect::<Vec<_>>()),
            named(InsufficientHistory, "allowed to fail", &allowed),
        ];
        parts.into_iter().flatten().collect()
    }

    /// Whether something failed that the suite does not allow to.
    pub fn has_failed(&self) -> bool {
        self.failures.iter().any(|failure| !failure.allowed)
    }

    /// The figures of a verdict that nobody has accepted.
    fn titles(&self, verdict: NightlyVerdict) -> Vec<String> {
        let is_open = |f: &&NightlyFinding| f.verdict == verdict && f.accepted.is_none();
        let findings = self.findings.iter().filter(is_open);
        findings.map(|finding| format!("{} {}", finding.system, finding.metric)).collect()
    }
}

fn named(
    verdict: NightlyVerdict,
    what: &str,
    names: &[String],
) -> Option<(NightlyVerdict, String)> {
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown = &names[..names.len().min(NAMED)];
    (!names.is_empty()).then(|| (verdict, format!("{what}: {}{more}", shown.join(", "))))
}

/// The end of a reason, which of a process that failed is its error.
fn brief(reason: &str) -> String {
    // The lines of a process are joined by semicolons; `error: ` inside of one is part of what it says.
    let last = reason.rsplit_once("; error: ").or_else(|| reason.split_once(": error: "));
    let error = last.map_or(reason, |(_, error)| error);
    match error.char_indices().nth(BRIEF) {
        Some((end, _)) => format!("{}…", &error[..end]),
        None => error.to_owned(),
    }
}

/// What is said of a figure.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum NightlyVerdict {
    /// Worse than what was accepted.
    Regressed,
    /// There is no figure that counts: the step failed, did not run, or its benchmark is not valid.
    Invalid,
    /// Beyond its band where no gate holds it; it is not accepted before somebody says so.
    Moved,
    /// The first figure since its references, its encoder or its definition changed.
    NewSeries,
    /// Better than what was accepted.
    Improved,
    /// Too few accepted nights to say anything.
    InsufficientHistory,
    /// As it was.
    #[default]
    Unchanged,
}

impl NightlyVerdict {
    /// All verdicts, the most urgent first.
    pub const ALL: [Self; 7] = [
        Self::Regressed,
        Self::Invalid,
        Self::Moved,
        Self::NewSeries,
        Self::Improved,
        Self::InsufficientHistory,
        Self::Unchanged,
    ];

    /// The verdict in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::Invalid => "invalid",
            Self::Moved => "moved",
            Self::NewSeries => "new series",
            Self::Improved => "improved",
            Self::InsufficientHistory => "insufficient history",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Tonight's figure of one series.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NightlyFinding {
    /// The system or the benchmark.
    pub system: String,
    /// The metric or the benchmark's figure.
    pub metric: String,
    /// `quality` or `speed`.
    pub kind: String,
    /// Unit of the figure, empty where it has none.
    pub unit: String,
    /// Whether a higher value is better; `None` where neither direction is.
    pub higher_is_better: Option<bool>,
    /// Whether the suite gates it; other figures are followed without a verdict of their own.
    pub gated: bool,
    /// What is said of it.
    pub verdict: NightlyVerdict,
    /// Why, in a sentence.
    pub reason: String,
    /// The figure that counts.
    pub value: Option<f64>,
    /// The first measurement, where it was measured again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<f64>,
    /// What it is held against: the accepted value, or the median of the accepted runs.
    pub level: Option<f64>,
    /// Between what bounds it counts as unchanged.
    pub band: Option<[f64; 2]>,
    /// Relative change of the figure from its level.
    pub change: Option<f64>,
    /// The night with which a regression began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// p-value of a paired test, after Holm's correction over the suite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_holm: Option<f64>,
    /// That what stood out is the level to hold from this night on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Acceptance>,
}

/// That a level was taken for good.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// When: RFC 3339, UTC.
    pub when: String,
    /// What was said of it; empty where nothing was.
    pub note: String,
}

/// As it stands behind what was accepted.
impl std::fmt::Display for Acceptance {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "since {}", self.when.get(..10).unwrap_or(&self.when))?;
        match self.note.as_str() {
            "" => Ok(()),
            note => write!(f, " ({note})"),
        }
    }
}

/// Something that the night should have brought and did not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NightlyFailure {
    /// The step, the figures or the condition.
    pub subject: String,
    /// Why, in a sentence.
    pub reason: String,
    /// Whether the suite allows it to fail.
    pub allowed: bool,
}

/// Something that was run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NightlyStep {
    /// What it is called.
    pub name: String,
    /// How it ended.
    pub outcome: StepOutcome,
    /// Seconds it took; 0 where an earlier run of it was used.
    pub seconds: f64,
    /// Why it failed or was not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Its record, relative to the report or the state folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// It was run.
    #[default]
    Done,
    /// It was done before with the same inputs.
    Cached,
    /// It failed.
    Failed,
    /// The night ended before it.
    NotRun,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(metric: &str, verdict: NightlyVerdict) -> NightlyFinding {
        NightlyFinding {
            system: "base".into(),
            metric: metric.into(),
            verdict,
            ..NightlyFinding::default()
        }
    }

    fn night(findings: Vec<NightlyFinding>, failures: &[(&str, &str, bool)]) -> NightlyResults {
        let failure = |&(subject, reason, allowed): &(&str, &str, bool)| NightlyFailure {
            subject: subject.into(),
            reason: reason.into(),
            allowed,
        };
        let failures = failures.iter().map(failure).collect();
        NightlyResults { findings, failures, ..NightlyResults::default() }
    }

    #[test]
    fn only_a_whole_night_without_trouble_is_no_regression() {
        use NightlyVerdict::{InsufficientHistory, Invalid, Moved, Regressed, Unchanged};
        let fine = || finding("cider", Unchanged);
        let headline =
            |findings, failures: &[(&str, &str, bool)]| night(findings, failures).headline();
        assert_eq!(headline(vec![fine()], &[]), "NO REGRESSION");
        assert_eq!(
            headline(vec![finding("cider", InsufficientHistory)], &[]),
            "NOTHING TO COMPARE WITH YET"
        );
        let gone =
            ("score base", "exit code 1: reading; error: base.csv: there is no such file", false);
        assert_eq!(
            headline(vec![fine(), finding("fgd_paired", Invalid)], &[gone]),
            "FAILED: score base (base.csv: there is no such file)"
        );
        assert_eq!(
            headline(vec![finding("cider", Regressed), finding("bleu", Moved)], &[gone]),
            "REGRESSED: base cider. FAILED: score base (base.csv: there is no such file). \
             MOVED, UNTESTED: base bleu"
        );
        let inside = "exit code 1: error: encoder `x/y` is not here (request error: io: no route)";
        assert_eq!(
            headline(vec![fine()], &[("bench encoder", inside, false)]),
            "FAILED: bench encoder (encoder `x/y` is not here (request error: io: no route))"
        );
        let since =
            |note: &str| Acceptance { when: "2026-01-02T03:04:05Z".into(), note: note.into() };
        let accepted = |note: &str| NightlyFinding {
            accepted: Some(since(note)),
            ..finding("cider", Regressed)
        };
        let settled = night(vec![fine(), accepted("a cheaper captioner")], &[gone]);
        assert_eq!(settled.worst(), Invalid);
        assert_eq!(
            settled.headline(),
            "FAILED: score base (base.csv: there is no such file). \
             ACCEPTED: base cider since 2026-01-02 (a cheaper captioner)"
        );
        assert_eq!(
            headline(vec![accepted("")], &[]),
            "NO REGRESSION. ACCEPTED: base cider since 2026-01-02"
        );
        let allowed = ("score base", "known", true);
        assert_eq!(
            headline(vec![fine()], &[allowed]),
            "NO REGRESSION. allowed to fail: score base"
        );
        assert!(!night(vec![], &[allowed]).has_failed() && night(vec![], &[gone]).has_failed());
        let many: Vec<_> = (0..9).map(|_| finding("cider", Regressed)).collect();
        assert!(headline(many, &[]).ends_with("base cider and 3 more"));
    }
}
