//! The history: every figure of every night, keyed by everything that makes two of them comparable.
//!
//! It lives in an SQLite file. [`exchange`] writes and reads it as JSON Lines and Parquet, which is how machines share one.

mod codes;
mod entry;
mod error;
pub mod exchange;
mod row;
mod sqlite;
mod statements;
mod store;

#[cfg(test)]
mod tests;

pub use entry::{Entry, Kind, Night, Outcome, Series, fingerprint, hash};
pub use error::HistoryError;
pub use row::Row;
pub use store::{History, Level, Past, Point};
