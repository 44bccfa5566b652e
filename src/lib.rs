//! a
pub mod captioner;
