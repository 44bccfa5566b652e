//! a
pub mod encoder;
