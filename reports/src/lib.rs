//! The documents made from the records of `fgd`: records in, documents out.
//!
//! Every job of `fgd` ends in one [`Record`](fgd_record::Record). Everything here turns records into something to look
//! at, and computes nothing that a record does not hold:
//!
//! - [`document`] decides what a record says, once for all formats;
//! - [`format`](mod@format) draws a document for the terminal, as Markdown, CSV or JSON: [`render`];
//! - [`site`] makes pages with pictures of it, which `charts` draws;
//! - [`export`] speaks the formats of other programs.

mod charts;
pub mod document;
pub mod export;
pub mod format;
mod kind;
pub mod site;

pub use format::{Format, Style, render};
