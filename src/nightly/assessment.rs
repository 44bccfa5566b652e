//! A figure of tonight with what is said of it: once for the history, once for the record.

use fgd_metrics::series::Standing;
use fgd_record::{NightlyFinding, NightlyVerdict};

use super::history::{Entry, Kind, Outcome, Series};

/// A figure with its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// As it stands in the history.
    pub entry: Entry,
    /// As it stands in the record.
    pub finding: NightlyFinding,
    /// Whether it is of other inputs than the level that it is held against.
    pub is_changed: bool,
}

/// What was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figure {
    /// The value.
    pub value: Option<f64>,
    /// Its interval.
    pub interval: Option<[f64; 2]>,
    /// The first measurement, where it was measured again.
    pub first: Option<f64>,
}

impl Assessment {
    /// A figure of which nothing is said yet.
    pub fn new(series: Series, figure: Figure, inputs: i64, gated: bool) -> Self {
        let kind = match series.kind {
            Kind::Quality => "quality",
            Kind::Speed => "speed",
        };
        let finding = NightlyFinding {
            system: series.system.clone(),
            metric: series.metric.clone(),
            kind: kind.into(),
            unit: series.unit.clone(),
            higher_is_better: series.higher_is_better,
            gated,
            value: figure.value,
            first: figure.first,
            ..NightlyFinding::default()
        };
        let entry = Entry {
            series,
            outcome: Outcome::Measured,
            value: figure.value,
            low: figure.interval.map(|[low, _]| low),
            high: figure.interval.map(|[_, high]| high),
            first: figure.first,
            standing: Standing::Accepted,
            verdict: NightlyVerdict::Unchanged,
            reason: String::new(),
            inputs,
            record: None,
        };
        Self { entry, finding, is_changed: false }
    }

    /// A figure that is missing.
    pub fn missing(series: Series, outcome: Outcome, reason: &str) -> Self {
        let mut assessment = Self::new(series, Figure::default(), 0, true);
        assessment.entry.outcome = outcome;
        assessment.say(NightlyVerdict::Invalid, reason);
        assessment
    }

    /// Says something of it.
    pub fn say(&mut self, verdict: NightlyVerdict, reason: impl Into<String>) {
        let reason = reason.into();
        self.entry.verdict = verdict;
        self.finding.verdict = verdict;
        // What is as ever needs no reason in a history of years.
        let is_news = !matches!(verdict, NightlyVerdict::Unchanged);
        self.entry.reason = if is_news { reason.clone() } else { String::new() };
        self.finding.reason = reason;
        self.entry.standing = match verdict {
            NightlyVerdict::Regressed => Standing::Regressed,
            NightlyVerdict::Moved => Standing::Suspicious,
            _ => Standing::Accepted,
        };
    }

    /// Says more of what is news.
    pub fn add(&mut self, more: &str) {
        self.entry.reason.push_str(more);
        self.finding.reason.push_str(more);
    }
}
