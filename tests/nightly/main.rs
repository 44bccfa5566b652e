//! `fgd nightly` through the program.

#![cfg(unix)]

#[path = "../program/mod.rs"]
mod program;

mod beforehand;
mod changes;
mod nights;
mod notify;
mod outside;
mod suite;
mod training;
mod trouble;
