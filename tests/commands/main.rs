//! First commands, as people type them, and what is made of records for other places.

#[path = "../program/mod.rs"]
mod program;

mod action;
mod exports;
mod first;
