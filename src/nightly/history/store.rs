//! The questions put to the history, in the SQL that SQLite and PostgreSQL share.

use super::{Database, Entry, HistoryError, Kind, Night, Outcome, Series, Value, connect, open};
use fgd_metrics::series::Standing;
use fgd_reports::record::NightlyVerdict;
use serde::{Deserialize, Serialize};
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

impl Row {
    fn parts(&self) -> Result<(Night, Entry), HistoryError> {
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

/// The standings in the order of their numbers.
const STANDINGS: [(&str, Standing); 3] = [
    ("accepted", Standing::Accepted),
    ("suspicious", Standing::Suspicious),
    ("regressed", Standing::Regressed),
];

/// The outcomes in the order of their numbers.
const OUTCOMES: [Outcome; 4] = [
    Outcome::Measured,
    Outcome::Failed,
    Outcome::NotRun,
    Outcome::NotValid,
];

fn number_of<T: PartialEq>(all: &[T], one: &T) -> i64 {
    all.iter().position(|known| known == one).unwrap_or(0) as i64
}

fn outcome(number: i64) -> Result<Outcome, HistoryError> {
    let known = usize::try_from(number)
        .ok()
        .and_then(|index| OUTCOMES.get(index));
    known.copied().ok_or_else(|| HistoryError::Row {
        problem: format!("outcome {number} is unknown"),
    })
}

fn standing(number: i64) -> Result<Standing, HistoryError> {
    let known = usize::try_from(number)
        .ok()
        .and_then(|index| STANDINGS.get(index));
    let (_, standing) = known.ok_or_else(|| HistoryError::Row {
        problem: format!("standing {number} is unknown"),
    })?;
    Ok(*standing)
}

fn verdict(name: &str) -> Result<NightlyVerdict, HistoryError> {
    use NightlyVerdict::{Improved, InsufficientHistory, Invalid, Regressed, Unchanged};
    [Improved, InsufficientHistory, Invalid, Regressed, Unchanged]
        .into_iter()
        .find(|verdict| verdict.name() == name)
        .ok_or_else(|| HistoryError::Row {
            problem: format!("verdict `{name}` is unknown"),
        })
}

/// Reads the eleven columns of a series.
fn series(row: &[Value]) -> Result<Series, HistoryError> {
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

fn put_night(database: &mut dyn Database, night: &Night) -> Result<(), HistoryError> {
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

fn put_series(database: &mut dyn Database, series: &Series) -> Result<(), HistoryError> {
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

fn put_point(database: &mut dyn Database, night: i64, entry: &Entry) -> Result<(), HistoryError> {
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

fn put_level(
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
