//! The history in a file: SQLite with its write-ahead log.
//!
//! A file that is not ours, or that is damaged, is refused before anything is written to it.

use super::{Database, HistoryError, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, params_from_iter};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `FGDH`: what `file` and SQLite call the application of a history.
const APPLICATION: i64 = 0x4647_4448;
/// How long a process waits for another one that writes.
const BUSY: Duration = Duration::from_secs(60);

/// An opened file.
struct Sqlite {
    connection: Connection,
    path: PathBuf,
}

/// Opens the file, or makes it.
pub fn open(path: &Path) -> Result<Box<dyn Database>, HistoryError> {
    let failed = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => HistoryError::Foreign {
            path: path.into(),
            what: "is not an SQLite file".into(),
        },
        Some(ErrorCode::DatabaseCorrupt) => HistoryError::Corrupt {
            path: path.into(),
            problem: source.to_string(),
        },
        _ => HistoryError::Sqlite {
            path: path.into(),
            source,
        },
    };
    let is_new = std::fs::metadata(path).map_or(true, |data| data.len() == 0);
    if !is_new {
        // Looked at first, so that a file that is refused stays as it is to the byte.
        look(path, &failed)?;
    }
    let connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    if is_new {
        connection
            .pragma_update(None, "application_id", APPLICATION)
            .map_err(failed)?;
    }
    (connection.pragma_update(None, "journal_mode", "wal")).map_err(failed)?;
    (connection.pragma_update(None, "synchronous", "full")).map_err(failed)?;
    Ok(Box::new(Sqlite {
        connection,
        path: path.into(),
    }))
}

/// Whether the file is a history, and a sound one. Nothing is written.
fn look(path: &Path, failed: &dyn Fn(rusqlite::Error) -> HistoryError) -> Result<(), HistoryError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    let application: i64 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(failed)?;
    if application != APPLICATION {
        return Err(HistoryError::Foreign {
            path: path.into(),
            what: "is an SQLite file of another program".into(),
        });
    }
    let found: String = connection
        .pragma_query_value(None, "quick_check", |row| row.get(0))
        .map_err(failed)?;
    if found != "ok" {
        return Err(HistoryError::Corrupt {
            path: path.into(),
            problem: found,
        });
    }
    Ok(())
}

impl Sqlite {
    fn failed(&self) -> impl Fn(rusqlite::Error) -> HistoryError + use<> {
        let path = self.path.clone();
        move |source| HistoryError::Sqlite {
            path: path.clone(),
            source,
        }
    }
}

impl Database for Sqlite {
    fn batch(&mut self, sql: &str) -> Result<(), HistoryError> {
        self.connection.execute_batch(sql).map_err(self.failed())
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<(), HistoryError> {
        let failed = self.failed();
        let mut statement = self.connection.prepare_cached(sql).map_err(&failed)?;
        statement
            .execute(params_from_iter(values))
            .map_err(failed)?;
        Ok(())
    }

    fn query(
        &mut self,
        sql: &str,
        values: &[Value],
        row: &mut dyn FnMut(&[Value]) -> Result<(), HistoryError>,
    ) -> Result<(), HistoryError> {
        let failed = self.failed();
        let mut statement = self.connection.prepare_cached(sql).map_err(&failed)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values)).map_err(&failed)?;
        let mut found = Vec::with_capacity(columns);
        while let Some(next) = rows.next().map_err(&failed)? {
            found.clear();
            for column in 0..columns {
                found.push(match next.get_ref(column).map_err(&failed)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(number) => Value::Integer(number),
                    ValueRef::Real(number) => Value::Real(number),
                    ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                    ValueRef::Blob(_) => {
                        return Err(HistoryError::Row {
                            problem: "it holds bytes".into(),
                        });
                    }
                });
            }
            row(&found)?;
        }
        Ok(())
    }

    fn version(&mut self) -> Result<i64, HistoryError> {
        (self.connection)
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(self.failed())
    }

    fn set_version(&mut self, version: i64) -> Result<(), HistoryError> {
        (self.connection)
            .pragma_update(None, "user_version", version)
            .map_err(self.failed())
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}
