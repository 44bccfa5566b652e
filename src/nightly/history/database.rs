//! The seam between the questions and the databases that answer them.

use super::HistoryError;

/// What stands in a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// `BIGINT`.
    Integer(i64),
    /// `DOUBLE PRECISION`.
    Real(f64),
    /// `TEXT`.
    Text(String),
}

/// A database that understands the SQL that SQLite and PostgreSQL share. Parameters are `$1`, `$2`, … in the order of
/// their first appearance.
pub trait Database: Send {
    /// Runs statements without parameters.
    fn batch(&mut self, sql: &str) -> Result<(), HistoryError>;

    /// Runs a statement.
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<(), HistoryError>;

    /// Runs a query and hands out its rows one by one.
    fn query(
        &mut self,
        sql: &str,
        values: &[Value],
        row: &mut dyn FnMut(&[Value]) -> Result<(), HistoryError>,
    ) -> Result<(), HistoryError>;

    /// Version of the tables; 0 of an empty database.
    fn version(&mut self) -> Result<i64, HistoryError>;

    /// Notes the version of the tables. Runs within the transaction that changed them.
    fn set_version(&mut self, version: i64) -> Result<(), HistoryError>;

    /// What messages call it.
    fn place(&self) -> String;
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<Option<f64>> for Value {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::Null, Self::Real)
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::from)
    }
}

impl Value {
    /// The text.
    pub fn text(&self) -> Result<&str, HistoryError> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(wrong("a text", other)),
        }
    }

    /// The text, where there is one.
    pub fn optional_text(&self) -> Result<Option<&str>, HistoryError> {
        match self {
            Self::Null => Ok(None),
            other => other.text().map(Some),
        }
    }

    /// The whole number.
    pub fn integer(&self) -> Result<i64, HistoryError> {
        match self {
            Self::Integer(number) => Ok(*number),
            other => Err(wrong("a whole number", other)),
        }
    }

    /// The number, where there is one.
    pub fn real(&self) -> Result<Option<f64>, HistoryError> {
        match self {
            Self::Null => Ok(None),
            Self::Real(number) => Ok(Some(*number)),
            Self::Integer(number) => Ok(Some(*number as f64)),
            other => Err(wrong("a number", other)),
        }
    }
}

fn wrong(expected: &str, found: &Value) -> HistoryError {
    HistoryError::Row {
        problem: format!("{expected} is expected where {found:?} stands"),
    }
}
