//! The captioner, from the files of a checkpoint to long runs through the program.

#[path = "../schema/mod.rs"]
mod schema;

mod adapters;
mod checkpoint;
mod images;
mod loading;
mod parity;
mod real;
mod refusals;
mod run;
