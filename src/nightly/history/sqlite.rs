//! The history in a file: SQLite with its write-ahead log.
//!
//! A file that is not ours, or that is damaged, is refused before anything is written to it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::HistoryError;

/// `FGDH`: what `file` and SQLite call the application of a history.
const APPLICATION: i64 = 0x4647_4448;
/// How long a process waits for another one that writes.
const BUSY: Duration = Duration::from_secs(60);

/// Opens the file, or makes it.
pub(super) fn open(path: &Path) -> Result<Connection, HistoryError> {
    let failed = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            HistoryError::Foreign { path: path.into(), what: "is not an SQLite file".into() }
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            HistoryError::Corrupt { path: path.into(), problem: source.to_string() }
        }
        _ => HistoryError::Sqlite { path: path.into(), source },
    };
    let is_new = std::fs::metadata(path).map_or(true, |data| data.len() == 0);
    if !is_new {
        // Looked at first, so that a file that is refused stays as it is to the byte.
        look(path, &failed)?;
    }
    let connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    if is_new {
        connection.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
    }
    (connection.pragma_update(None, "journal_mode", "wal")).map_err(failed)?;
    (connection.pragma_update(None, "synchronous", "full")).map_err(failed)?;
    Ok(connection)
}

/// Whether the file is a history, and a sound one. Nothing is written.
fn look(path: &Path, failed: &dyn Fn(rusqlite::Error) -> HistoryError) -> Result<(), HistoryError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    let application: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(failed)?;
    if application != APPLICATION {
        return Err(HistoryError::Foreign {
            path: path.into(),
            what: "is an SQLite file of another program".into(),
        });
    }
    let found: String =
        connection.pragma_query_value(None, "quick_check", |row| row.get(0)).map_err(failed)?;
    if found != "ok" {
        return Err(HistoryError::Corrupt { path: path.into(), problem: found });
    }
    Ok(())
}
