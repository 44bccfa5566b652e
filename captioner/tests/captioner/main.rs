//! The captioner, from the files of a checkpoint to long runs through the program.

mod adapters;
mod checkpoint;
mod golden;
mod images;
mod lists;
mod loading;
mod parity;
mod real;
mod refusals;
mod runs;
mod train;
