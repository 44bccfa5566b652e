//! Caption files: read, linted, aligned.

mod align;
mod formats;
mod malformed;
mod table;
