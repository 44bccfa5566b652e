//! How enumerations and series stand in columns.

use super::{HistoryError, Kind, Outcome, Series, Value};
use fgd_metrics::series::Standing;
use fgd_record::NightlyVerdict;

/// The standings in the order of their numbers.
pub(super) const STANDINGS: [(&str, Standing); 3] = [
    ("accepted", Standing::Accepted),
    ("suspicious", Standing::Suspicious),
    ("regressed", Standing::Regressed),
];

/// The outcomes in the order of their numbers.
pub(super) const OUTCOMES: [Outcome; 4] = [
    Outcome::Measured,
    Outcome::Failed,
    Outcome::NotRun,
    Outcome::NotValid,
];

pub(super) fn number_of<T: PartialEq>(all: &[T], one: &T) -> i64 {
    all.iter().position(|known| known == one).unwrap_or(0) as i64
}

pub(super) fn outcome(number: i64) -> Result<Outcome, HistoryError> {
    let known = usize::try_from(number)
        .ok()
        .and_then(|index| OUTCOMES.get(index));
    known.copied().ok_or_else(|| HistoryError::Row {
        problem: format!("outcome {number} is unknown"),
    })
}

pub(super) fn standing(number: i64) -> Result<Standing, HistoryError> {
    let known = usize::try_from(number)
        .ok()
        .and_then(|index| STANDINGS.get(index));
    let (_, standing) = known.ok_or_else(|| HistoryError::Row {
        problem: format!("standing {number} is unknown"),
    })?;
    Ok(*standing)
}

pub(super) fn verdict(name: &str) -> Result<NightlyVerdict, HistoryError> {
    use NightlyVerdict::{Improved, InsufficientHistory, Invalid, Regressed, Unchanged};
    [Improved, InsufficientHistory, Invalid, Regressed, Unchanged]
        .into_iter()
        .find(|verdict| verdict.name() == name)
        .ok_or_else(|| HistoryError::Row {
            problem: format!("verdict `{name}` is unknown"),
        })
}

/// Reads the eleven columns of a series.
pub(super) fn series(row: &[Value]) -> Result<Series, HistoryError> {
    Ok(Series {
        suite: row[0].text()?.into(),
        system: row[1].text()?.into(),
        metric: row[2].text()?.into(),
        kind: match row[3].text()? {
            "quality" => Kind::Quality,
            "speed" => Kind::Speed,
            other => {
                return Err(HistoryError::Row {
                    problem: format!("kind `{other}` is unknown"),
                });
            }
        },
        definition: row[4].text()?.into(),
        host: row[5].text()?.into(),
        engine: row[6].text()?.into(),
        dtype: row[7].text()?.into(),
        threads: u32::try_from(row[8].integer()?).unwrap_or_default(),
        unit: row[9].text()?.into(),
        higher_is_better: match row[10].integer()? {
            0 => None,
            better => Some(better > 0),
        },
    })
}
