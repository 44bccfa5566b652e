//! A figure with all that the history knows of it: what is exported and imported.

use fgd_record::NightlyVerdict;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::codes::{STANDINGS, outcome, series, standing, verdict};
use super::{Entry, Kind, Night, Outcome, Series};

/// A figure with everything that the history knows of it, as it is exported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields of Night, Series and Entry")]
pub struct Row {
    pub suite: String,
    pub started: String,
    pub version: String,
    pub commit: Option<String>,
    pub night_host: String,
    pub cpu: String,
    pub system: String,
    pub metric: String,
    pub kind: Kind,
    pub definition: String,
    pub host: String,
    pub engine: String,
    pub dtype: String,
    pub threads: u32,
    pub unit: String,
    pub higher_is_better: Option<bool>,
    pub outcome: Outcome,
    pub value: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub first: Option<f64>,
    pub standing: String,
    pub verdict: NightlyVerdict,
    pub reason: String,
    pub inputs: String,
    pub record: Option<String>,
    /// When somebody accepted the level that began with this figure.
    pub accepted: Option<String>,
    /// What they said.
    pub note: Option<String>,
}

impl Row {
    /// Reads what [`History::export`](super::History::export) asks for.
    pub(super) fn read(row: &rusqlite::Row) -> rusqlite::Result<Self> {
        let series = series(row, 0)?;
        Ok(Self {
            suite: series.suite,
            started: row.get(11)?,
            version: row.get(12)?,
            commit: row.get(13)?,
            night_host: row.get(14)?,
            cpu: row.get(15)?,
            system: series.system,
            metric: series.metric,
            kind: series.kind,
            definition: series.definition,
            host: series.host,
            engine: series.engine,
            dtype: series.dtype,
            threads: series.threads,
            unit: series.unit,
            higher_is_better: series.higher_is_better,
            outcome: outcome(row, 16)?,
            value: row.get(17)?,
            low: row.get(18)?,
            high: row.get(19)?,
            first: row.get(20)?,
            standing: standing(row, 21)?.0.into(),
            verdict: verdict(row, 22)?,
            reason: row.get(23)?,
            inputs: format!("{:016x}", row.get::<_, i64>(24)?),
            record: row.get(25)?,
            accepted: row.get(26)?,
            note: row.get(27)?,
        })
    }

    /// The night and the entry, or what is wrong with a row that nobody could have exported.
    pub(super) fn parts(&self) -> Result<(Night, Entry), String> {
        let night = Night {
            suite: self.suite.clone(),
            started: self.started.clone(),
            version: self.version.clone(),
            commit: self.commit.clone(),
            host: self.night_host.clone(),
            cpu: self.cpu.clone(),
        };
        let series = Series {
            suite: self.suite.clone(),
            system: self.system.clone(),
            metric: self.metric.clone(),
            kind: self.kind,
            definition: self.definition.clone(),
            host: self.host.clone(),
            engine: self.engine.clone(),
            dtype: self.dtype.clone(),
            threads: self.threads,
            unit: self.unit.clone(),
            higher_is_better: self.higher_is_better,
        };
        let standing = (STANDINGS.iter().find(|(name, _)| *name == self.standing))
            .map(|(_, standing)| *standing)
            .ok_or_else(|| format!("unknown standing `{}`", self.standing))?;
        // Nights are in the order of these texts.
        if !self.started.ends_with('Z') || OffsetDateTime::parse(&self.started, &Rfc3339).is_err() {
            return Err(format!("`{}` is no time such as 2026-01-31T02:00:00Z", self.started));
        }
        let finite = |value: Option<f64>| value.is_none_or(f64::is_finite);
        if ![self.value, self.low, self.high, self.first].into_iter().all(finite) {
            return Err("a figure is not finite".into());
        }
        let inputs = u64::from_str_radix(&self.inputs, 16)
            .map_err(|_| format!("`{}` is no hash of inputs", self.inputs))?;
        let entry = Entry {
            series,
            outcome: self.outcome,
            value: self.value,
            low: self.low,
            high: self.high,
            first: self.first,
            standing,
            verdict: self.verdict,
            reason: self.reason.clone(),
            inputs: inputs as i64,
            record: self.record.clone(),
        };
        Ok((night, entry))
    }
}
