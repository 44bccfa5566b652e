//! The encoder: its numbers and its files.

mod files;
mod numbers;
