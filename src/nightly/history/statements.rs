//! The statements that write: each replaces or keeps what stands there already, so that writing twice is writing once.

use rusqlite::{Connection, Result, params};

use super::codes::{KINDS, OUTCOMES, STANDINGS, number_of};
use super::{Entry, Night, Series};

pub(super) fn put_night(database: &Connection, night: &Night) -> Result<usize> {
    database
        .prepare_cached(
            "INSERT INTO nights (id, suite, started, version, commit_id, host, cpu)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            night.id(),
            night.suite,
            night.started,
            night.version,
            night.commit,
            night.host,
            night.cpu,
        ])
}

pub(super) fn put_series(database: &Connection, series: &Series) -> Result<usize> {
    let kind = KINDS.iter().find(|(_, kind)| *kind == series.kind);
    let better = (series.higher_is_better).map_or(0, |higher| if higher { 1 } else { -1 });
    database
        .prepare_cached(
            "INSERT INTO series (id, suite, system, metric, kind, definition, host, engine, dtype,
                                 threads, unit, better)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            series.id(),
            series.suite,
            series.system,
            series.metric,
            kind.map(|(name, _)| name),
            series.definition,
            series.host,
            series.engine,
            series.dtype,
            series.threads,
            series.unit,
            better,
        ])
}

/// Whether another value stands where this figure goes.
pub(super) fn is_other(database: &Connection, night: i64, entry: &Entry) -> Result<bool> {
    let sql =
        "SELECT EXISTS (SELECT 1 FROM points WHERE series = ?1 AND night = ?2 AND value IS NOT ?3)";
    let mut statement = database.prepare_cached(sql)?;
    statement.query_row(params![entry.series.id(), night, entry.value], |row| row.get(0))
}

pub(super) fn put_point(database: &Connection, night: i64, entry: &Entry) -> Result<usize> {
    let standings = STANDINGS.map(|(_, standing)| standing);
    database
        .prepare_cached(
            "INSERT INTO points (series, night, outcome, value, low, high, first_value, standing,
                                 verdict, reason, inputs, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (series, night) DO UPDATE SET outcome = excluded.outcome,
                 value = excluded.value, low = excluded.low, high = excluded.high,
                 first_value = excluded.first_value, standing = excluded.standing,
                 verdict = excluded.verdict, reason = excluded.reason, inputs = excluded.inputs,
                 record = excluded.record",
        )?
        .execute(params![
            entry.series.id(),
            night,
            number_of(&OUTCOMES, &entry.outcome),
            entry.value,
            entry.low,
            entry.high,
            entry.first,
            number_of(&standings, &entry.standing),
            entry.verdict.name(),
            entry.reason,
            entry.inputs,
            entry.record,
        ])
}

pub(super) fn put_level(
    database: &Connection,
    series: i64,
    night: i64,
    accepted: &str,
    note: &str,
) -> Result<usize> {
    database
        .prepare_cached(
            "INSERT INTO levels (series, night, accepted, note) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (series, night) DO NOTHING",
        )?
        .execute(params![series, night, accepted, note])
}
