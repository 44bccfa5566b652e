//! What `fgd` does, one job per module: a request (plain data) goes in, a record comes out.
//!
//! A [`Session`] is what jobs share: encoder, cache, progress, interrupt. [`options`] are the parts that several requests
//! have, [`provenance`] describes where numbers come from and makes the record, [`host`] the machine.
//! [`scoring`] turns one system's files into numbers, once for every job that scores.

pub mod caption;
pub mod compare;
pub mod embed;
pub mod embedding;
mod error;
pub mod host;
pub mod images;
pub mod leaderboard;
pub mod moments;
pub mod options;
pub mod provenance;
pub mod score;
pub mod scoring;
mod session;
pub mod validate;

pub use error::JobError;
pub use session::{Bar, Interrupt, Progress, Session, Silent};

/// Version of the metrics' definitions. Numbers of different versions are never ranked together.
pub const METRIC_VERSION: u32 = 1;
