//! Caption files: read, linted, aligned.

mod align;
mod documents;
mod formats;
mod malformed;
mod table;
mod undone;
mod workbooks;
mod written;
