//! What `fgd` does, one job per module: a request (plain data) goes in, a record comes out.
//!
//! A [`Session`] is what jobs share: encoder, cache, progress, interrupt. [`request`] is any of them as one type,
//! [`options`] are the parts that several requests have, [`provenance`] says where numbers come from and makes the record.
//! [`saved`] reads such a record again, [`apart`] keeps results from replacing what they are made of. [`scoring`] turns one system's
//! files into numbers, once for every job that scores.

pub mod agreement;
pub mod apart;
pub mod bench;
pub mod caption;
mod captions_csv;
pub mod compare;
pub mod curate;
pub mod embed;
pub mod embedding;
mod error;
pub mod exact;
pub mod features;
pub mod images;
pub mod leaderboard;
pub mod moments;
pub mod options;
pub mod provenance;
pub mod request;
pub mod saved;
pub mod score;
pub mod scoring;
pub mod select;
mod session;
pub mod shard;
pub mod train;
pub mod validate;

pub use error::JobError;
pub use session::{Bar, Interrupt, Progress, Session, Silent};

/// Version of the metrics' definitions. Numbers of different versions are never ranked together.
pub const METRIC_VERSION: u32 = 2;
