//! A figure with all that the history knows of it: what is exported and imported.

use super::codes::STANDINGS;
use super::{Entry, HistoryError, Kind, Night, Outcome, Series};
use fgd_record::NightlyVerdict;
use serde::{Deserialize, Serialize};

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
    /// The night and the entry; a row that nobody could have exported is refused.
    pub(super) fn parts(&self) -> Result<(Night, Entry), HistoryError> {
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
        let row_error = |problem: String| HistoryError::Row { problem };
        let standing = (STANDINGS.iter().find(|(name, _)| *name == self.standing))
            .map(|(_, standing)| *standing)
            .ok_or_else(|| row_error(format!("unknown standing `{}`", self.standing)))?;
        let finite = |value: Option<f64>| value.is_none_or(f64::is_finite);
        if ![self.value, self.low, self.high, self.first]
            .into_iter()
            .all(finite)
        {
            return Err(row_error("a figure is not finite".into()));
        }
        let inputs = u64::from_str_radix(&self.inputs, 16)
            .map_err(|_| row_error(format!("`{}` is no hash of inputs", self.inputs)))?;
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
