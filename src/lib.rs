//! `fgd` tells how good an image-captioning system is, and how sure one can be of it.
//!
//! [`jobs`] is what it does, one file per job; [`bench`](mod@bench) says how fast, [`nightly`] does all of it every night and
//! holds it against its history, [`cli`] is the program. The parts stand in crates of their own: captions
//! (`fgd-captions`), vectors (`fgd-encoder`), numbers (`fgd-metrics`), images to captions (`fgd-captioner`), records
//! (`fgd-record`) and the documents made of them (`fgd-reports`).

pub mod bench;
pub mod cli;
pub mod host;
pub mod jobs;
pub mod nightly;
pub mod settings;
