//! Where things are kept, for every crate that reads or writes files.
//!
//! [`hub`] turns model names into directories; [`arrays`] reads and writes `.npy` and `.npz`; [`mod@file`] writes whatever must appear
//! whole or not at all, [`folder`] files that change together, [`spreadsheet`] what people open in one, [`terminal`] what is shown of foreign files; [`digest`] names what was made of what, so that it is found again;
//! [`lock`] keeps two processes from one place.
//!
//! ```
//! use fgd_store::digest::{Digest, HashMemo};
//! use fgd_store::file;
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let weights = folder.join("weights");
//! file::write(&weights, b"0.5 1.5")?;
//!
//! let mut hashes = HashMemo::open(&folder.join("hashes.json"));
//! let key = Digest::new("embedding", 1).field("weights", hashes.sha256(&weights)?).field("caption", "a red bus").finish();
//! file::write(&folder.join(&key), b"...")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod arrays;
pub mod digest;
pub mod file;
pub mod folder;
pub mod hub;
pub mod lock;
pub mod spreadsheet;
mod temporary;
pub mod terminal;
