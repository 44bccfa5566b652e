//! Result records of `fgd` and the documents made from them: records in, documents out.
//!
//! [`record`] is the contract: every job of `fgd` ends in one [`record::Record`]. Everything else
//! here turns records into something to look at, and computes nothing that a record does not hold.

pub mod document;
pub mod export;
pub mod format;
pub mod record;

pub use format::{Format, Style, render};
mod charts;
pub mod site;
