//! The questions put to the history, in the SQL that SQLite and PostgreSQL share.

use super::codes::{STANDINGS, outcome, series, standing, verdict};
use super::statements::{put_level, put_night, put_point, put_series};
use super::{Database, Entry, HistoryError, Night, Outcome, Row, Series, connect, open};
use fgd_metrics::series::Standing;
use std::collections::HashMap;
use std::path::Path;

/// What each version of the tables adds to the one before it. Never changed, only added to.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE nights (
        id BIGINT PRIMARY KEY, suite TEXT NOT NULL, started TEXT NOT NULL, version TEXT NOT NULL,
        commit_id TEXT, host TEXT NOT NULL, cpu TEXT NOT NULL);
    CREATE TABLE series (
        id BIGINT PRIMARY KEY, suite TEXT NOT NULL, system TEXT NOT NULL, metric TEXT NOT NULL,
        kind TEXT NOT NULL, definition TEXT NOT NULL, host TEXT NOT NULL, engine TEXT NOT NULL,
        dtype TEXT NOT NULL, threads BIGINT NOT NULL, unit TEXT NOT NULL, better BIGINT NOT NULL);
    CREATE TABLE points (
        series BIGINT NOT NULL REFERENCES series (id), night BIGINT NOT NULL REFERENCES nights (id),
        outcome BIGINT NOT NULL, value DOUBLE PRECISION, low DOUBLE PRECISION,
        high DOUBLE PRECISION, first_value DOUBLE PRECISION, standing BIGINT NOT NULL,
        verdict TEXT NOT NULL, reason TEXT NOT NULL, inputs BIGINT NOT NULL, record TEXT,
        PRIMARY KEY (series, night));
    CREATE TABLE levels (
        series BIGINT NOT NULL REFERENCES series (id), night BIGINT NOT NULL REFERENCES nights (id),
        accepted TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (series, night));
    CREATE INDEX series_of_suite ON series (suite);
    CREATE INDEX nights_of_suite ON nights (suite, started);
"];

/// An opened history.
pub struct History {
    database: Box<dyn Database>,
}

/// A series with its past.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// The series.
    pub series: Series,
    /// Its points, oldest first.
    pub points: Vec<Point>,
    /// The nights with which a level began that somebody accepted, as indices of `points`, ascending.
    pub levels: Vec<usize>,
}

/// A figure of the past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Index of its night in the history's list of nights.
    pub night: usize,
    /// What became of it.
    pub outcome: Outcome,
    /// The figure.
    pub value: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end of its interval.
    pub high: Option<f64>,
    /// How it stands.
    pub standing: Standing,
    /// Hash over everything that went in.
    pub inputs: i64,
}

impl History {
    /// Opens a history file, or makes it.
    pub fn open_file(path: &Path) -> Result<Self, HistoryError> {
        Self::migrated(open(path)?)
    }

    /// Opens the history on a server.
    pub fn connect(connection: &str) -> Result<Self, HistoryError> {
        Self::migrated(connect(connection)?)
    }

    fn migrated(database: Box<dyn Database>) -> Result<Self, HistoryError> {
        let mut history = Self { database };
        let known = MIGRATIONS.len() as i64;
        let found = history.database.version()?;
        if found > known {
            return Err(HistoryError::Newer {
                place: history.database.place(),
                found,
                known,
            });
        }
        if found < known {
            history.transaction(|database| {
                // Another process may have been quicker.
                let found = database.version()?.max(0) as usize;
                for migration in MIGRATIONS.iter().skip(found) {
                    database.batch(migration)?;
                }
                database.set_version(known)
            })?;
        }
        Ok(history)
    }

    /// All or nothing.
    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut dyn Database) -> Result<T, HistoryError>,
    ) -> Result<T, HistoryError> {
        let database = self.database.as_mut();
        database.batch("BEGIN")?;
        let done = work(database).and_then(|done| database.batch("COMMIT").map(|()| done));
        if done.is_err() {
            // The first error is the one to tell.
            let _ = database.batch("ROLLBACK");
        }
        done
    }

    /// Writes the figures of a night. Those that are there already are replaced.
    pub fn record(&mut self, night: &Night, entries: &[Entry]) -> Result<(), HistoryError> {
        self.transaction(|database| {
            put_night(database, night)?;
            entries.iter().try_for_each(|entry| {
                put_series(database, &entry.series)?;
                put_point(database, night.id(), entry)
            })
        })
    }

    /// The nights of a suite, oldest first.
    pub fn nights(&mut self, suite: &str) -> Result<Vec<Night>, HistoryError> {
        let mut nights = Vec::new();
        let sql = "SELECT suite, started, version, commit_id, host, cpu FROM nights
                   WHERE suite = $1 ORDER BY started, id";
        self.database.query(sql, &[suite.into()], &mut |row| {
            nights.push(Night {
                suite: row[0].text()?.into(),
                started: row[1].text()?.into(),
                version: row[2].text()?.into(),
                commit: row[3].optional_text()?.map(str::to_owned),
                host: row[4].text()?.into(),
                cpu: row[5].text()?.into(),
            });
            Ok(())
        })?;
        Ok(nights)
    }

    /// Every series of a suite with its past, in the order of their keys; `nights` are those of [`History::nights`].
    pub fn pasts(&mut self, suite: &str, nights: &[Night]) -> Result<Vec<Past>, HistoryError> {
        let place: HashMap<i64, usize> = (nights.iter().enumerate())
            .map(|(index, night)| (night.id(), index))
            .collect();
        let mut pasts: HashMap<i64, Past> = HashMap::new();
        let sql =
            "SELECT id, suite, system, metric, kind, definition, host, engine, dtype, threads,
                          unit, better FROM series WHERE suite = $1";
        self.database.query(sql, &[suite.into()], &mut |row| {
            let past = Past {
                series: series(&row[1..])?,
                points: Vec::new(),
                levels: Vec::new(),
            };
            pasts.insert(row[0].integer()?, past);
            Ok(())
        })?;
        let sql =
            "SELECT p.series, p.night, p.outcome, p.value, p.low, p.high, p.standing, p.inputs
                   FROM points p JOIN series s ON s.id = p.series WHERE s.suite = $1";
        self.database.query(sql, &[suite.into()], &mut |row| {
            let found = (pasts.get_mut(&row[0].integer()?)).zip(place.get(&row[1].integer()?));
            if let Some((past, night)) = found {
                past.points.push(Point {
                    night: *night,
                    outcome: outcome(row[2].integer()?)?,
                    value: row[3].real()?,
                    low: row[4].real()?,
                    high: row[5].real()?,
                    standing: standing(row[6].integer()?)?,
                    inputs: row[7].integer()?,
                });
            }
            Ok(())
        })?;
        for past in pasts.values_mut() {
            past.points.sort_by_key(|point| point.night);
        }
        let sql = "SELECT l.series, l.night FROM levels l JOIN series s ON s.id = l.series
                   WHERE s.suite = $1";
        self.database.query(sql, &[suite.into()], &mut |row| {
            let found = (pasts.get_mut(&row[0].integer()?)).zip(place.get(&row[1].integer()?));
            if let Some((past, night)) = found {
                past.levels
                    .push(past.points.partition_point(|point| point.night < *night));
            }
            Ok(())
        })?;
        let mut pasts: Vec<Past> = pasts.into_values().collect();
        pasts
            .iter_mut()
            .for_each(|past| past.levels.sort_unstable());
        pasts.sort_by(|a, b| a.series.cmp(&b.series));
        Ok(pasts)
    }

    /// Accepts the level of a series that began with the night `from`: what follows is no regression any more.
    pub fn accept(
        &mut self,
        series: &Series,
        from: &Night,
        accepted: &str,
        note: &str,
    ) -> Result<(), HistoryError> {
        self.transaction(|database| {
            put_level(database, series.id(), from.id(), accepted, note)?;
            database.execute(
                "UPDATE points SET standing = 0 WHERE series = $1 AND night IN
                     (SELECT id FROM nights WHERE started >= $2)",
                &[series.id().into(), from.started.as_str().into()],
            )
        })
    }

    /// Hands out everything that stands in the history of a suite, oldest first.
    pub fn export(
        &mut self,
        suite: &str,
        take: &mut dyn FnMut(Row) -> Result<(), HistoryError>,
    ) -> Result<(), HistoryError> {
        let sql = "SELECT s.suite, s.system, s.metric, s.kind, s.definition, s.host, s.engine,
                          s.dtype, s.threads, s.unit, s.better,
                          n.started, n.version, n.commit_id, n.host, n.cpu,
                          p.outcome, p.value, p.low, p.high, p.first_value, p.standing, p.verdict,
                          p.reason, p.inputs, p.record, l.accepted, l.note
                   FROM points p JOIN series s ON s.id = p.series JOIN nights n ON n.id = p.night
                        LEFT JOIN levels l ON l.series = p.series AND l.night = p.night
                   WHERE s.suite = $1 ORDER BY n.started, s.system, s.metric, s.id";
        self.database.query(sql, &[suite.into()], &mut |row| {
            let series = series(row)?;
            take(Row {
                suite: series.suite,
                started: row[11].text()?.into(),
                version: row[12].text()?.into(),
                commit: row[13].optional_text()?.map(str::to_owned),
                night_host: row[14].text()?.into(),
                cpu: row[15].text()?.into(),
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
                outcome: outcome(row[16].integer()?)?,
                value: row[17].real()?,
                low: row[18].real()?,
                high: row[19].real()?,
                first: row[20].real()?,
                standing: STANDINGS[row[21].integer()?.clamp(0, 2) as usize].0.into(),
                verdict: verdict(row[22].text()?)?,
                reason: row[23].text()?.into(),
                inputs: format!("{:016x}", row[24].integer()?),
                record: row[25].optional_text()?.map(str::to_owned),
                accepted: row[26].optional_text()?.map(str::to_owned),
                note: row[27].optional_text()?.map(str::to_owned),
            })
        })
    }

    /// Writes exported rows: all of them or none. Figures that are there already are replaced.
    pub fn import(&mut self, rows: &[Row]) -> Result<(), HistoryError> {
        self.transaction(|database| {
            let mut nights: HashMap<i64, ()> = HashMap::new();
            let mut known: HashMap<i64, ()> = HashMap::new();
            for row in rows {
                let (night, entry) = row.parts()?;
                if nights.insert(night.id(), ()).is_none() {
                    put_night(database, &night)?;
                }
                let id = entry.series.id();
                if known.insert(id, ()).is_none() {
                    put_series(database, &entry.series)?;
                }
                put_point(database, night.id(), &entry)?;
                if let Some(accepted) = &row.accepted {
                    let note = row.note.as_deref().unwrap_or_default();
                    put_level(database, id, night.id(), accepted, note)?;
                }
            }
            Ok(())
        })
    }
}
