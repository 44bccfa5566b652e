//! The embedding cache: what was encoded once is never encoded again.
//!
//! One SQLite file holds embeddings keyed by *everything they depend on*: the encoder (hash of its
//! files, pooling, most tokens, engine) and the caption's text. It stands between the jobs and the
//! encoder. SQLite's write-ahead log makes it safe under several processes at once; each batch is its
//! own transaction, so an interrupted run keeps what it has encoded.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ndarray::Array1;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use sha2::{Digest, Sha256};

/// Raised whenever the tables change; a file of another version is rebuilt, since it is only a cache.
const SCHEMA: i64 = 2;
/// Bytes of a page of a new file.
const PAGE: i64 = 16_384;
/// Bytes of the file that are read through a memory map.
const MAPPED: i64 = 1 << 30;
/// How long a process waits for another one that writes.
const BUSY: Duration = Duration::from_secs(60);

/// Why the cache could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The database refused.
    #[error(
        "embedding cache {}: {source}; remove it with `fgd cache clear`, or go on with --no-cache",
        path.display()
    )]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The folder or a file could not be read or made.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no place for a cache.
    #[error("no cache folder: set FGD_CACHE_DIR, XDG_CACHE_HOME or HOME, or use --no-cache")]
    NoFolder,
}

/// The opened cache.
#[derive(Debug)]
pub struct EmbeddingCache {
    connection: Connection,
    path: PathBuf,
}

/// What the cache holds for one encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The encoder's description, as it was given to [`EmbeddingCache::encoder`].
    pub encoder: String,
    /// Number of embeddings.
    pub embeddings: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// An encoder's place in the cache.
#[derive(Debug, Clone, Copy)]
pub struct EncoderKey(i64);

/// The cache folder: `FGD_CACHE_DIR`, else `fgd` in the user's cache folder. `variable` gives the value of a variable that is
/// set and not empty.
///
/// # Errors
/// None of the variables is set.
pub fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, CacheError> {
    let folder = |name| variable(name).map(PathBuf::from);
    folder("FGD_CACHE_DIR")
        .or_else(|| folder("XDG_CACHE_HOME").map(|dir| dir.join("fgd")))
        .or_else(|| folder("HOME").map(|dir| dir.join(".cache").join("fgd")))
        .ok_or(CacheError::NoFolder)
}

impl EmbeddingCache {
    /// Where the cache of `folder` lies.
    pub fn file(folder: &Path) -> PathBuf {
        folder.join("embeddings.sqlite")
    }

    /// Where the hashes of weight files are remembered beside it.
    pub fn hashes(folder: &Path) -> PathBuf {
        folder.join("hashes.json")
    }

    /// Opens the cache in `folder`, making both where they are missing.
    ///
    /// # Errors
    /// The folder cannot be made, or the file is no cache.
    pub fn open(folder: &Path) -> Result<Self, CacheError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| CacheError::Io { path: folder.into(), source })?;
        let path = Self::file(folder);
        let database = |source| CacheError::Database { path: path.clone(), source };
        // SQLite does not wait for another process while it switches a file to its log.
        let lock = folder.join("embeddings.lock");
        let guard = File::create(&lock)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|source| CacheError::Io { path: lock, source })?;
        let connection = Connection::open(&path).map_err(database)?;
        prepare(&connection).map_err(database)?;
        drop(guard);
        Ok(Self { connection, path })
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> CacheError + use<> {
        let path = self.path.clone();
        move |source| CacheError::Database { path: path.clone(), source }
    }

    /// The place of the encoder of this `key`, a digest of everything that an embedding depends on besides the caption;
    /// `description` tells people which encoder it is.
    ///
    /// # Errors
    /// The database refused.
    pub fn encoder(&self, key: &str, description: &str) -> Result<EncoderKey, CacheError> {
        self.connection
            .execute(
                "INSERT INTO encoder (key, description) VALUES (?1, ?2) ON CONFLICT (key) DO NOTHING",
                [key, description],
            )
            .map_err(self.failed())?;
        self.connection
            .query_row("SELECT id FROM encoder WHERE key = ?1", [key], |row| {
                row.get(0).map(EncoderKey)
            })
            .map_err(self.failed())
    }

    /// The embeddings of `captions` that are there, `None` for the others. Dimensions other than
    /// `dim` count as absent.
    ///
    /// # Errors
    /// The database refused.
    pub fn get(
        &self,
        encoder: EncoderKey,
        captions: &[&str],
        dim: usize,
    ) -> Result<Vec<Option<Array1<f32>>>, CacheError> {
        let failed = self.failed();
        // One transaction: otherwise every row takes and lets go the locks of the file.
        let transaction = self.connection.unchecked_transaction().map_err(&failed)?;
        let mut select = transaction
            .prepare("SELECT vector FROM embedding WHERE encoder = ?1 AND caption = ?2")
            .map_err(&failed)?;
        // In the order of the keys, so that neighbours are read from the same pages.
        let mut keys: Vec<_> = captions.iter().map(|text| digest(text)).zip(0..).collect();
        keys.sort_unstable();
        let mut found = vec![None; captions.len()];
        for (key, place) in keys {
            let place: usize = place;
            found[place] = select
                .query_row(params![encoder.0, key], |row| {
                    Ok(decode(row.get_ref(0)?.as_blob()?, dim))
                })
                .optional()
                .map_err(&failed)?
                .flatten();
        }
        Ok(found)
    }

    /// Stores embeddings, all or none; row `i` of `embeddings` belongs to `captions[i]`.
    ///
    /// # Errors
    /// The database refused.
    pub fn put(
        &mut self,
        encoder: EncoderKey,
        captions: &[&str],
        embeddings: ndarray::ArrayView2<f32>,
    ) -> Result<(), CacheError> {
        let failed = self.failed();
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        {
            let mut insert = transaction
                .prepare(
                    "INSERT OR REPLACE INTO embedding (encoder, caption, vector) VALUES (?1, ?2, ?3)",
                )
                .map_err(&failed)?;
            for (caption, row) in captions.iter().zip(embeddings.rows()) {
                let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
                insert.execute(params![encoder.0, digest(caption), bytes]).map_err(&failed)?;
            }
        }
        transaction.commit().map_err(&failed)
    }

    /// What the cache holds, by encoder.
    ///
    /// # Errors
    /// The database refused.
    pub fn holdings(&self) -> Result<Vec<Holding>, CacheError> {
        let mut select = self
            .connection
            .prepare(
                "SELECT description, count(vector), coalesce(sum(length(vector)), 0)
                 FROM encoder LEFT JOIN embedding ON encoder.id = embedding.encoder
                 GROUP BY encoder.id ORDER BY description, encoder.id",
            )
            .map_err(self.failed())?;
        let rows = select
            .query_map([], |row| {
                Ok(Holding { encoder: row.get(0)?, embeddings: row.get(1)?, bytes: row.get(2)? })
            })
            .map_err(self.failed())?;
        rows.collect::<Result<_, _>>().map_err(self.failed())
    }
}

/// Removes the cache of `folder`; returns whether there was one.
///
/// # Errors
/// A file that cannot be removed.
pub fn clear(folder: &Path) -> Result<bool, CacheError> {
    let file = EmbeddingCache::file(folder);
    let mut found = false;
    for suffix in ["", "-wal", "-shm"] {
        let mut path = file.clone().into_os_string();
        path.push(suffix);
        match std::fs::remove_file(&path) {
            Ok(()) => found = true,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(CacheError::Io { path: path.into(), source });
            }
        }
    }
    Ok(found)
}

/// Makes the tables where they are missing; only one process at a time may do so.
fn prepare(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY)?;
    // Counts for new files: an embedding of several hundred dimensions then lies inside its page.
    connection.pragma_update(None, "page_size", PAGE)?;
    connection.pragma_update(None, "mmap_size", MAPPED)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    if schema_version(connection)? != SCHEMA {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             DROP TABLE IF EXISTS embedding; DROP TABLE IF EXISTS encoder; DROP TABLE IF EXISTS file;
             CREATE TABLE encoder (
                 id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, description TEXT NOT NULL);
             CREATE TABLE embedding (
                 encoder INTEGER NOT NULL REFERENCES encoder (id),
                 caption BLOB NOT NULL,
                 vector BLOB NOT NULL,
                 PRIMARY KEY (encoder, caption)) WITHOUT ROWID;
             PRAGMA user_version = {SCHEMA};
             COMMIT;"
        ))?;
    }
    Ok(())
}

fn schema_version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn digest(caption: &str) -> [u8; 32] {
    Sha256::digest(caption.as_bytes()).into()
}

fn decode(bytes: &[u8], dim: usize) -> Option<Array1<f32>> {
    (bytes.len() == dim * 4).then(|| {
        bytes
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
            .collect()
    })
}

#[cfg(test)]
mod tests;
