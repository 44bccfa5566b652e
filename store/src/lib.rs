//! Where things are kept: [`hub`] turns model names into directories, [`arrays`] reads and writes `.npy` and `.npz`.

pub mod arrays;
pub mod hub;
