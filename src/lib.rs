//! `fgd` tells how good an image-captioning system is, and how sure one can be of it.
//!
//! [`jobs`] is what it does, one file per job; [`bench`](mod@bench) says how fast, [`nightly`] does all of it every night and
//! holds it against its history, [`cli`] is the program. [`host`] describes the machine, [`settings`] reads the environment.
//! The parts stand in crates of their own: captions (`fgd-captions`), vectors (`fgd-encoder`), numbers (`fgd-metrics`),
//! images to captions (`fgd-captioner`), records (`fgd-record`) and the documents made of them (`fgd-reports`).
//!
//! ```no_run
//! use fgd::jobs::{Session, options::References, score};
//! use fgd::settings::Settings;
//!
//! // Encoder, cache, progress and interrupt, shared by all jobs of the session.
//! let mut session = Session::new(Settings::from_env("fgd".into(), false));
//! let request = score::Request {
//!     submission: "submission.csv".into(),
//!     references: References { path: "references.csv".into(), ..Default::default() },
//!     ..Default::default()
//! };
//! let record = score::run(&request, &mut session)?;
//! println!("{}", record.to_json());
//! # Ok::<(), fgd::jobs::JobError>(())
//! ```

pub mod bench;
pub mod cli;
pub mod host;
pub mod jobs;
pub mod nightly;
pub mod settings;
pub mod threads;
pub mod toml_file;
mod variables;
