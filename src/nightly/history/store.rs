//! The questions put to the history.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use fgd_metrics::series::Standing;
use fgd_record::Acceptance;
use rusqlite::{Connection, Transaction, params};

use super::codes::{outcome, series, standing};
use super::sqlite::{Copied, copy, open};
use super::statements::{is_other, put_level, put_night, put_point, put_series};
use super::{Entry, HistoryError, Night, Outcome, Row, Series};

/// An opened history.
pub struct History {
    connection: Connection,
    path: PathBuf,
    /// Where the file lies that is read, if that is a copy.
    _copy: Option<Copied>,
}

/// A series with its past.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// The series.
    pub series: Series,
    /// Its points, oldest first.
    pub points: Vec<Point>,
    /// The levels that somebody accepted, oldest first.
    pub levels: Vec<Level>,
}

/// A level that somebody accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Index of the point that it began with.
    pub from: usize,
    /// When it was accepted, and why.
    pub acceptance: Acceptance,
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
    ///
    /// # Errors
    /// A file of another or of a later program, or a damaged one.
    pub fn open_file(path: &Path) -> Result<Self, HistoryError> {
        Ok(Self { connection: open(path, path)?, path: path.into(), _copy: None })
    }

    /// Opens a history file to read it as it is now, from a folder that may be read only; one that is not there is empty.
    ///
    /// # Errors
    /// Those of [`History::open_file`]; a file that cannot be read.
    pub fn read_file(path: &Path) -> Result<Self, HistoryError> {
        let copy = copy(path)?;
        let connection = open(&copy.file, path)?;
        let history = Self { connection, path: path.into(), _copy: Some(copy) };
        history.connection.pragma_update(None, "query_only", true).map_err(history.failed())?;
        Ok(history)
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> HistoryError + use<> {
        let path = self.path.clone();
        move |source| HistoryError::Sqlite { path: path.clone(), source }
    }

    /// All or nothing.
    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Transaction) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        let failed = self.failed();
        let transaction = self.connection.transaction().map_err(&failed)?;
        let done = work(&transaction).map_err(&failed)?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }

    /// Writes the figures of a night. Those that are there already are replaced.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn record(&mut self, night: &Night, entries: &[Entry]) -> Result<(), HistoryError> {
        self.transaction(|database| {
            put_night(database, night)?;
            for entry in entries {
                put_series(database, &entry.series)?;
                put_point(database, night.id(), entry)?;
            }
            Ok(())
        })
    }

    /// The nights of a suite, oldest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn nights(&self, suite: &str) -> Result<Vec<Night>, HistoryError> {
        let read = || {
            let sql = "SELECT suite, started, version, commit_id, host, cpu FROM nights
                       WHERE suite = ?1 ORDER BY started, id";
            let mut statement = self.connection.prepare_cached(sql)?;
            let nights = statement.query_map([suite], |row| {
                Ok(Night {
                    suite: row.get(0)?,
                    started: row.get(1)?,
                    version: row.get(2)?,
                    commit: row.get(3)?,
                    host: row.get(4)?,
                    cpu: row.get(5)?,
                })
            })?;
            nights.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(self.failed())
    }

    /// Every series of a suite with its past, in the order of their keys; `nights` are those of [`History::nights`].
    ///
    /// # Errors
    /// The file cannot be read, or holds what nobody should have written.
    pub fn pasts(&self, suite: &str, nights: &[Night]) -> Result<Vec<Past>, HistoryError> {
        self.read_pasts(suite, nights).map_err(self.failed())
    }

    /// Every series of a suite, in no order.
    ///
    /// # Errors
    /// As [`History::pasts`].
    pub fn series(&self, suite: &str) -> Result<Vec<Series>, HistoryError> {
        let found = self.read_series(suite).map_err(self.failed())?;
        Ok(found.into_iter().map(|(_, series)| series).collect())
    }

    fn read_series(&self, suite: &str) -> rusqlite::Result<Vec<(i64, Series)>> {
        let sql =
            "SELECT id, suite, system, metric, kind, definition, host, engine, dtype, threads,
                          unit, better FROM series WHERE suite = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_map([suite], |row| Ok((row.get(0)?, series(row, 1)?)))?;
        found.collect()
    }

    fn read_pasts(&self, suite: &str, nights: &[Night]) -> rusqlite::Result<Vec<Past>> {
        let place: HashMap<i64, usize> =
            (nights.iter().enumerate()).map(|(index, night)| (night.id(), index)).collect();
        let mut pasts: HashMap<i64, Past> = HashMap::new();
        for (id, series) in self.read_series(suite)? {
            pasts.insert(id, Past { series, points: Vec::new(), levels: Vec::new() });
        }
        let sql =
            "SELECT p.series, p.night, p.outcome, p.value, p.low, p.high, p.standing, p.inputs
                   FROM points p JOIN series s ON s.id = p.series WHERE s.suite = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([suite])?;
        while let Some(row) = rows.next()? {
            let found = (pasts.get_mut(&row.get(0)?)).zip(place.get(&row.get(1)?));
            if let Some((past, night)) = found {
                past.points.push(Point {
                    night: *night,
                    outcome: outcome(row, 2)?,
                    value: row.get(3)?,
                    low: row.get(4)?,
                    high: row.get(5)?,
                    standing: standing(row, 6)?.1,
                    inputs: row.get(7)?,
                });
            }
        }
        for past in pasts.values_mut() {
            past.points.sort_by_key(|point| point.night);
        }
        let sql = "SELECT l.series, l.night, l.accepted, l.note FROM levels l JOIN series s ON s.id = l.series
                   WHERE s.suite = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([suite])?;
        while let Some(row) = rows.next()? {
            let found = (pasts.get_mut(&row.get(0)?)).zip(place.get(&row.get(1)?));
            if let Some((past, night)) = found {
                let before = |point: &Point| point.night < *night;
                past.levels.push(Level {
                    from: past.points.partition_point(before),
                    acceptance: Acceptance { when: row.get(2)?, note: row.get(3)? },
                });
            }
        }
        let mut pasts: Vec<Past> = pasts.into_values().collect();
        for past in &mut pasts {
            past.levels.sort_by_key(|level| level.from);
        }
        pasts.sort_by(|a, b| a.series.cmp(&b.series));
        Ok(pasts)
    }

    /// Accepts the level of a series that began with the night `from`: what follows is no regression any more.
    ///
    /// # Errors
    /// The file cannot be written.
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
                "UPDATE points SET standing = 0 WHERE series = ?1 AND night IN
                     (SELECT id FROM nights WHERE started >= ?2)",
                params![series.id(), from.started],
            )?;
            Ok(())
        })
    }

    /// Hands out everything that stands in the history of a suite, oldest first.
    ///
    /// # Errors
    /// The file cannot be read, or `take` has one.
    pub fn export(
        &self,
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
                   WHERE s.suite = ?1 ORDER BY n.started, s.system, s.metric, s.id";
        let failed = self.failed();
        let mut statement = self.connection.prepare_cached(sql).map_err(&failed)?;
        let rows = statement.query_map([suite], Row::read).map_err(&failed)?;
        for row in rows {
            take(row.map_err(&failed)?)?;
        }
        Ok(())
    }

    /// Writes exported rows: all of them or none. Figures that are there already are replaced.
    ///
    /// # Errors
    /// A row that nobody could have exported; the file cannot be written.
    pub fn import(&mut self, rows: &[Row]) -> Result<usize, HistoryError> {
        let parts = (1..).zip(rows).map(|(number, row)| {
            let wrong = |problem| HistoryError::Row { problem: format!("row {number}: {problem}") };
            row.parts().map_err(wrong)
        });
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        self.transaction(|database| {
            let (mut nights, mut known, mut replaced) = (HashSet::new(), HashSet::new(), 0);
            for ((night, entry), row) in parts.iter().zip(rows) {
                let (night_id, id) = (night.id(), entry.series.id());
                if nights.insert(night_id) {
                    put_night(database, night)?;
                }
                if known.insert(id) {
                    put_series(database, &entry.series)?;
                }
                replaced += usize::from(is_other(database, night_id, entry)?);
                put_point(database, night_id, entry)?;
                if let Some(accepted) = &row.accepted {
                    let note = row.note.as_deref().unwrap_or_default();
                    put_level(database, id, night_id, accepted, note)?;
                }
            }
            Ok(replaced)
        })
    }
}
