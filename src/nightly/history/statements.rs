//! The statements that write: each replaces or keeps what stands there already, so that writing twice is writing once.

use super::codes::{OUTCOMES, STANDINGS, number_of};
use super::{Database, Entry, HistoryError, Kind, Night, Series};

pub(super) fn put_night(database: &mut dyn Database, night: &Night) -> Result<(), HistoryError> {
    database.execute(
        "INSERT INTO nights (id, suite, started, version, commit_id, host, cpu)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
        &[
            night.id().into(),
            night.suite.as_str().into(),
            night.started.as_str().into(),
            night.version.as_str().into(),
            night.commit.as_deref().into(),
            night.host.as_str().into(),
            night.cpu.as_str().into(),
        ],
    )
}

pub(super) fn put_series(database: &mut dyn Database, series: &Series) -> Result<(), HistoryError> {
    let kind = match series.kind {
        Kind::Quality => "quality",
        Kind::Speed => "speed",
    };
    let better = series
        .higher_is_better
        .map_or(0, |higher| if higher { 1 } else { -1 });
    database.execute(
        "INSERT INTO series (id, suite, system, metric, kind, definition, host, engine, dtype,
                             threads, unit, better)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING",
        &[
            series.id().into(),
            series.suite.as_str().into(),
            series.system.as_str().into(),
            series.metric.as_str().into(),
            kind.into(),
            series.definition.as_str().into(),
            series.host.as_str().into(),
            series.engine.as_str().into(),
            series.dtype.as_str().into(),
            i64::from(series.threads).into(),
            series.unit.as_str().into(),
            better.into(),
        ],
    )
}

pub(super) fn put_point(
    database: &mut dyn Database,
    night: i64,
    entry: &Entry,
) -> Result<(), HistoryError> {
    let standings = STANDINGS.map(|(_, standing)| standing);
    database.execute(
        "INSERT INTO points (series, night, outcome, value, low, high, first_value, standing,
                             verdict, reason, inputs, record)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (series, night) DO UPDATE SET outcome = excluded.outcome,
             value = excluded.value, low = excluded.low, high = excluded.high,
             first_value = excluded.first_value, standing = excluded.standing,
             verdict = excluded.verdict, reason = excluded.reason, inputs = excluded.inputs,
             record = excluded.record",
        &[
            entry.series.id().into(),
            night.into(),
            number_of(&OUTCOMES, &entry.outcome).into(),
            entry.value.into(),
            entry.low.into(),
            entry.high.into(),
            entry.first.into(),
            number_of(&standings, &entry.standing).into(),
            entry.verdict.name().into(),
            entry.reason.as_str().into(),
            entry.inputs.into(),
            entry.record.as_deref().into(),
        ],
    )
}

pub(super) fn put_level(
    database: &mut dyn Database,
    series: i64,
    night: i64,
    accepted: &str,
    note: &str,
) -> Result<(), HistoryError> {
    database.execute(
        "INSERT INTO levels (series, night, accepted, note) VALUES ($1, $2, $3, $4)
         ON CONFLICT (series, night) DO NOTHING",
        &[series.into(), night.into(), accepted.into(), note.into()],
    )
}
