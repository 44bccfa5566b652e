//! A figure of tonight with what is said of it: once for the history, once for the record.

use super::history::{Entry, Kind, Night, Outcome, Past, Series};
use fgd_metrics::series::Standing;
use fgd_record::{NightlyFinding, NightlyVerdict};

/// A judged figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// As it stands in the history.
    pub entry: Entry,
    /// As it stands in the record.
    pub finding: NightlyFinding,
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

/// The history as verdicts look at it.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// The nights, oldest first; tonight may be among them, if it is gone on with.
    pub nights: &'a [Night],
    /// The series.
    pub pasts: &'a [Past],
    /// Tonight.
    pub tonight: &'a Night,
}

impl Judged {
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
        Self { entry, finding }
    }

    /// A figure that is missing.
    pub fn missing(series: Series, outcome: Outcome, reason: &str) -> Self {
        let mut judged = Self::new(series, Figure::default(), 0, true);
        judged.entry.outcome = outcome;
        judged.say(NightlyVerdict::Invalid, reason);
        judged
    }

    /// Says something of it.
    pub fn say(&mut self, verdict: NightlyVerdict, reason: impl Into<String>) {
        let reason = reason.into();
        self.entry.verdict = verdict;
        self.finding.verdict = verdict;
        // What is as ever needs no reason in a history of years.
        let is_news = !matches!(verdict, NightlyVerdict::Unchanged);
        self.entry.reason = if is_news {
            reason.clone()
        } else {
            String::new()
        };
        self.finding.reason = reason;
        self.entry.standing = match verdict {
            NightlyVerdict::Regressed => Standing::Regressed,
            _ => Standing::Accepted,
        };
    }
}

impl<'a> Before<'a> {
    /// The past of a series, without tonight.
    pub fn of(&self, series: &Series) -> Option<Past> {
        let past = self
            .pasts
            .iter()
            .find(|past| past.series.id() == series.id())?;
        let mut past = past.clone();
        past.points
            .retain(|point| self.nights[point.night].started < self.tonight.started);
        let points = past.points.len();
        past.levels.retain(|level| *level < points);
        Some(past)
    }

    /// The series of a system that were measured last, one per metric.
    pub fn latest_of(&self, system: &str, kind: Kind, host: &str) -> Vec<&'a Series> {
        let mut latest: Vec<(&Series, usize)> = Vec::new();
        for past in self.pasts {
            let series = &past.series;
            let of_host = kind == Kind::Quality || series.host == host;
            let Some(last) = past.points.last().filter(|_| of_host) else {
                continue;
            };
            if series.system != system || series.kind != kind {
                continue;
            }
            match latest
                .iter_mut()
                .find(|(known, _)| known.metric == series.metric)
            {
                Some(known) if known.1 < last.night => *known = (series, last.night),
                Some(_) => {}
                None => latest.push((series, last.night)),
            }
        }
        latest.into_iter().map(|(series, _)| series).collect()
    }
}
