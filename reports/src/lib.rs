//! The documents made from the records of `fgd`: records in, documents out.
//!
//! Every job of `fgd` ends in one [`Record`](fgd_record::Record). Everything here turns records into something to look
//! at, and computes nothing that a record does not hold:
//!
//! - `kind` knows what each kind of record says: a [`document`], the same for all formats;
//! - [`format`](mod@format) draws a document for the terminal, as Markdown, CSV or JSON: [`render`];
//! - [`site`] makes pages with pictures of it, which `charts` draws;
//! - [`export`] speaks the formats of other programs.
//!
//! ```
//! use fgd_record::Record;
//! use fgd_reports::{Format, Style, render};
//!
//! let record = Record::from_json(include_str!("../tests/golden/score.json"))?;
//! let text = render(&record, Format::Text, &Style::default());
//! assert!(text.starts_with("submission.csv against references.csv"));
//! assert!(text.contains("fgd_paired      0.1163      ± 0.0041"));
//! # Ok::<(), fgd_record::RecordError>(())
//! ```

mod charts;
pub mod document;
pub mod export;
pub mod format;
mod kind;
pub mod site;

pub use format::{Format, Style, render};
