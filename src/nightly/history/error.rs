//! Why the history cannot be used.

use std::path::PathBuf;

/// Why the history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file is none of ours.
    #[error("{}: {what}; it is left as it is: name another file as [history] file", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        what: String,
    },
    /// The file is damaged.
    #[error(
        "{}: the history is damaged ({problem}); it is left as it is: move it away and `fgd nightly import` a copy",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        problem: String,
    },
    /// A later program wrote it.
    #[error("{}: the history has version {found}, this program knows {known}: update fgd", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The newest known version.
        known: usize,
    },
    /// The file cannot be read.
    #[error("{}: the history cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A row holds what no row should.
    #[error("a row of the history cannot be used: {problem}")]
    Row {
        /// What is wrong.
        problem: String,
    },
    /// A Parquet file cannot be read.
    #[error(transparent)]
    Table(#[from] fgd_captions::TableError),
    /// A file to import or export cannot be used.
    #[error("{}: {problem}", path.display())]
    Exchange {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}
