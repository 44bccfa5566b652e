//! From files to numbers: what one system is worth.
//!
//! [`system`] says what was given (captions, embeddings or moments), [`assemble`](mod@assemble) puts a submission and its
//! references together in one [`set`], [`numbers`] asks `fgd-metrics` for what that set is worth, [`slices`] for each
//! group of its images, and [`moments_only`] where one side has no rows.

pub mod assemble;
pub mod metrics;
pub mod moments_only;
pub mod numbers;
pub mod per_caption;
pub mod set;
pub mod slices;
pub mod system;
