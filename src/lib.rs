//! `fgd` tells how good an image-captioning system is, and how sure one can be of it.
//!
//! The library behind the command line. Reading order: [`captions`] (files of captions), [`hub`]
//! (model names to directories), [`encoder`] (captions to vectors) behind its [`cache`], [`arrays`]
//! (files of vectors), [`eval`] (vectors to a record), [`captioner`] (images to captions), [`bench`](mod@bench)
//! (how fast all this is), [`nightly`] (all of it every night, against its history), [`cli`] (the program). The
//! mathematics is in the crate `fgd-metrics`, the documents are made in `fgd-reports`.

pub mod arrays;
pub mod bench;
pub mod cache;
pub mod captioner;
pub mod captions;
pub mod cli;
pub mod encoder;
pub mod eval;
pub mod host;
pub mod hub;
mod kernels;
pub mod nightly;
