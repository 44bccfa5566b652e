//! The history in a file: SQLite with its write-ahead log.
//!
//! A file that is not ours, or that is damaged, is refused before anything is written to it. Who only reads has a copy: SQLite makes
//! files beside a database with a log, which a folder of a CI artifact may not allow, and would pass over a log that it may not open.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fgd_store::digest::changed_ns;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::TempDir;

use super::HistoryError;

/// `FGDH`: what `file` and SQLite call the application of a history.
const APPLICATION: i64 = 0x4647_4448;
/// How long a process waits for another one that writes.
const BUSY: Duration = Duration::from_secs(60);
/// How often a file is copied that is written to meanwhile.
const COPIES: usize = 100;

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

/// Opens the file, or makes it; errors call it `name`.
pub(super) fn open(path: &Path, name: &Path) -> Result<Connection, HistoryError> {
    let failed = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            HistoryError::Foreign { path: name.into(), what: "is not an SQLite file".into() }
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            HistoryError::Corrupt { path: name.into(), problem: source.to_string() }
        }
        _ => HistoryError::Sqlite { path: name.into(), source },
    };
    let is_new = std::fs::metadata(path).map_or(true, |data| data.len() == 0);
    if !is_new {
        // Looked at first, so that a file that is refused stays as it is to the byte.
        look(path, name, &failed)?;
    }
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    if is_new {
        connection.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
    }
    (connection.pragma_update(None, "journal_mode", "wal")).map_err(failed)?;
    (connection.pragma_update(None, "synchronous", "full")).map_err(failed)?;
    migrate(&mut connection).map_err(failed)?;
    Ok(connection)
}

/// A copy of a history file as it was at one moment, with its log; its folder goes with it.
pub(super) struct Copied {
    pub(super) file: PathBuf,
    _folder: TempDir,
}

/// Copies the file; the copy of one that is nowhere is nowhere.
pub(super) fn copy(path: &Path) -> Result<Copied, HistoryError> {
    let failed = |source| HistoryError::Unreadable { path: path.into(), source };
    // The log lies beside the file that a link leads to.
    let path = &path.canonicalize().unwrap_or_else(|_| path.into());
    for _ in 0..COPIES {
        let folder = tempfile::tempdir().map_err(failed)?;
        let file = folder.path().join("history.sqlite");
        let before = state(path);
        copy_file(path, &file).map_err(failed)?;
        copy_file(&log(path), &log(&file)).map_err(failed)?;
        if state(path) == before {
            return Ok(Copied { file, _folder: folder });
        }
    }
    Err(failed(io::ErrorKind::ResourceBusy.into()))
}

/// The write-ahead log of a database.
fn log(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// What changes with whatever is written to a database or to its log.
fn state(path: &Path) -> [Option<(u64, i64)>; 2] {
    [path.into(), log(path)].map(|file| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.len(), changed_ns(&metadata)))
    })
}

/// Copies the bytes, and not that nobody may write them.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    match File::open(from) {
        Ok(mut from) => io::copy(&mut from, &mut File::create(to)?).map(drop),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Brings the tables to the version that this program knows.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    if version(connection)? >= MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    // Another process may have been quicker.
    for migration in MIGRATIONS.iter().skip(version(&transaction)?) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.commit()
}

fn version(database: &Connection) -> rusqlite::Result<usize> {
    database.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whether the file is a history, and a sound one. Nothing is written.
fn look(
    path: &Path,
    name: &Path,
    failed: &dyn Fn(rusqlite::Error) -> HistoryError,
) -> Result<(), HistoryError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    let application: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(failed)?;
    if application != APPLICATION {
        return Err(HistoryError::Foreign {
            path: name.into(),
            what: "is an SQLite file of another program".into(),
        });
    }
    let found: String =
        connection.pragma_query_value(None, "quick_check", |row| row.get(0)).map_err(failed)?;
    if found != "ok" {
        return Err(HistoryError::Corrupt { path: name.into(), problem: found });
    }
    let (found, known) = (version(&connection).map_err(failed)?, MIGRATIONS.len());
    if found > known {
        return Err(HistoryError::Newer { path: name.into(), found, known });
    }
    Ok(())
}
