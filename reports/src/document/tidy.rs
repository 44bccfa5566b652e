//! Numbers for a data frame: one row per number, so that nothing needs to be reshaped.

use fgd_record::Measure;

/// Rows under a header; numbers stay numbers and texts stay as they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tidy {
    /// Names of the columns.
    pub header: &'static [&'static str],
    /// The rows, each with a value per column.
    pub rows: Vec<Vec<Value>>,
}

/// A value of a data frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number, where there is one.
    Number(Option<f64>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_string())
    }
}

impl From<&Option<String>> for Value {
    fn from(text: &Option<String>) -> Self {
        Self::Text(text.clone().unwrap_or_default())
    }
}

impl From<Option<f64>> for Value {
    fn from(number: Option<f64>) -> Self {
        Self::Number(number)
    }
}

impl From<Option<u64>> for Value {
    fn from(count: Option<u64>) -> Self {
        Self::Number(count.map(|n| n as f64))
    }
}

/// A number without uncertainty, if it is there.
pub(crate) fn plain(value: impl Into<Option<f64>>) -> Measure {
    Measure { value: value.into(), ..Measure::default() }
}
