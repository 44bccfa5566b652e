//! Scoring and captioning: from files to a record.
//!
//! [`system`] says what was given (captions, embeddings or moments), [`embedder`] turns captions into
//! vectors through the cache, [`score`] asks `fgd-metrics` for the numbers of one system, [`compare`] and
//! [`leaderboard`] for those of several, [`captioning`] counts what a captioner did, and [`provenance`] describes where
//! numbers come from. Reading and linting
//! happen before, in [`crate::captions`]; rendering happens after, in `fgd-reports`.

pub mod assemble;
pub mod captioning;
pub mod compare;
pub mod contrasts;
pub mod embedder;
pub mod gate;
pub mod images;
pub mod leaderboard;
pub mod metrics;
pub mod moments_only;
pub mod per_caption;
pub mod provenance;
mod ranks;
pub mod score;
pub mod set;
pub mod slices;
pub mod split;
pub mod system;

/// Version of the metrics' definitions. Numbers of different versions are never ranked together.
pub const METRIC_VERSION: u32 = 1;
