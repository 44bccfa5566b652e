//! How enumerations and series stand in columns.

use fgd_metrics::series::Standing;
use fgd_record::NightlyVerdict;
use rusqlite::Row;
use rusqlite::types::Type;

use super::{Kind, Outcome, Series};

/// The standings in the order of their numbers.
pub(super) const STANDINGS: [(&str, Standing); 4] = [
    ("accepted", Standing::Accepted),
    ("suspicious", Standing::Suspicious),
    ("regressed", Standing::Regressed),
    ("unproven", Standing::Unproven),
];

/// The outcomes in the order of their numbers.
pub(super) const OUTCOMES: [Outcome; 4] =
    [Outcome::Measured, Outcome::Failed, Outcome::NotRun, Outcome::NotValid];

/// The kinds by their names.
pub(super) const KINDS: [(&str, Kind); 2] = [("quality", Kind::Quality), ("speed", Kind::Speed)];

pub(super) fn number_of<T: PartialEq>(all: &[T], one: &T) -> i64 {
    all.iter().position(|known| known == one).unwrap_or(0) as i64
}

pub(super) fn outcome(row: &Row, column: usize) -> rusqlite::Result<Outcome> {
    let number: i64 = row.get(column)?;
    let known = usize::try_from(number).ok().and_then(|at| OUTCOMES.get(at));
    known.copied().ok_or_else(|| unknown(column, "outcome", number))
}

/// The standing and its name.
pub(super) fn standing(row: &Row, column: usize) -> rusqlite::Result<(&'static str, Standing)> {
    let number: i64 = row.get(column)?;
    let known = usize::try_from(number).ok().and_then(|at| STANDINGS.get(at));
    known.copied().ok_or_else(|| unknown(column, "standing", number))
}

pub(super) fn verdict(row: &Row, column: usize) -> rusqlite::Result<NightlyVerdict> {
    let name: String = row.get(column)?;
    NightlyVerdict::ALL
        .into_iter()
        .find(|verdict| verdict.name() == name)
        .ok_or_else(|| unknown(column, "verdict", name))
}

/// Reads the eleven columns of a series, which begin at `from`.
pub(super) fn series(row: &Row, from: usize) -> rusqlite::Result<Series> {
    let kind: String = row.get(from + 3)?;
    let known = KINDS.iter().find(|(name, _)| *name == kind);
    Ok(Series {
        suite: row.get(from)?,
        system: row.get(from + 1)?,
        metric: row.get(from + 2)?,
        kind: known.ok_or_else(|| unknown(from + 3, "kind", &kind))?.1,
        definition: row.get(from + 4)?,
        host: row.get(from + 5)?,
        engine: row.get(from + 6)?,
        dtype: row.get(from + 7)?,
        threads: row.get(from + 8)?,
        unit: row.get(from + 9)?,
        higher_is_better: match row.get::<_, i64>(from + 10)? {
            0 => None,
            better => Some(better > 0),
        },
    })
}

fn unknown(column: usize, what: &str, found: impl std::fmt::Display) -> rusqlite::Error {
    let problem = format!("{what} `{found}` is unknown");
    rusqlite::Error::FromSqlConversionFailure(column, Type::Null, problem.into())
}
