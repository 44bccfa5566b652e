//! How fast is it, and how sure is that? Targets under load, in the sense of MLPerf LoadGen (Reddi et al. 2020,
//! arXiv:1911.02549).
//!
//! A [`Target`] answers queries about items: [`encoder`], [`captioner`] and [`score`] are the three there are. A scenario
//! asks it under a [`load`]: [`queries`] one query after the other or all items at once, [`server`] at random arrivals ([`mod@search`] for the
//! highest rate), [`sweep`] every batch size with every number of threads. All time is read from a
//! [`Clock`], which tests simulate. [`percentiles`] and
//! [`rates`] put bounds on what was measured, [`ceilings`] and [`roofline`] say what the machine would allow,
//! [`validity`] whether the run counts, and [`results`] fills the record.

pub mod captioner;
pub mod ceilings;
mod clock;
pub mod encoder;
pub mod load;
pub mod percentiles;
pub mod queries;
pub mod rates;
pub mod results;
pub mod roofline;
mod samples;
pub mod score;
pub mod search;
pub mod server;
pub mod sweep;
mod target;
pub mod validity;
pub mod workload;

#[cfg(test)]
mod simulation;

pub use clock::{Clock, WallClock};
pub use queries::{Harness, Limits};
pub use samples::{Sample, Samples};
pub use target::{Answer, Cost, Target, Work};

/// Version of what targets and scenarios mean. It grows by one with every change that moves the numbers of the same
/// program on the same machine, so that a history does not take the change for one of speed.
pub const DEFINITION_VERSION: u32 = 1;
