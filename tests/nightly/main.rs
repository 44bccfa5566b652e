//! `fgd nightly` through the program.

#![cfg(unix)]

#[path = "../program/mod.rs"]
mod program;

mod nights;
mod notify;
mod suite;
mod trouble;
