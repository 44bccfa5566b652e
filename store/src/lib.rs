//! Where things are kept: [`hub`] turns model names into directories, [`arrays`] reads and writes `.npy` and `.npz`,
//! [`file`] writes whatever must appear whole or not at all.

pub mod arrays;
pub mod digest;
pub mod file;
pub mod hub;
