//! The history: every figure of every night, keyed by everything that makes two of them comparable.
//!
//! It lives in an SQLite file, or on a PostgreSQL server where a team shares one. Both are a [`Database`], and the
//! `store` asks both the same questions in the same SQL. [`exchange`] writes and reads it as JSON Lines and Parquet.

mod codes;
mod database;
mod entry;
mod error;
pub mod exchange;
mod postgres;
mod row;
mod sqlite;
mod statements;
mod store;

#[cfg(test)]
mod tests;

pub use database::{Database, Value};
pub use entry::{Entry, Kind, Night, Outcome, Series, fingerprint, hash};
pub use error::HistoryError;
pub use row::Row;
pub use store::{History, Past, Point};

pub use postgres::connect;
pub use sqlite::open;
