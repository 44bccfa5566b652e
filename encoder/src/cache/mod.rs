//! The embedding cache: what was encoded once is never encoded again.
//!
//! One SQLite file holds embeddings keyed by *everything they depend on*: the encoder (hash of its
//! files, pooling, most tokens, engine) and the caption's text. It stands between `eval` and the
//! encoder. SQLite's write-ahead log makes it safe under several processes at once; each batch is its
//! own transaction, so an interrupted run keeps what it has encoded.

use ndarray::Array1;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// Raised whenever the tables change; a file of another version is rebuilt, since it is only a cache.
const SCHEMA: i64 = 1;
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
    /// The encoder's key, as it was given to [`EmbeddingCache::encoder`].
    pub encoder: String,
    /// Number of embeddings.
    pub embeddings: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// An encoder's place in the cache.
#[derive(Debug, Clone, Copy)]
pub struct EncoderKey(i64);

/// The cache folder: `FGD_CACHE_DIR`, else `fgd` in the user's cache folder.
pub fn folder() -> Result<PathBuf, CacheError> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable("FGD_CACHE_DIR")
        .or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("fgd")))
        .or_else(|| variable("HOME").map(|dir| dir.join(".cache").join("fgd")))
        .ok_or(CacheError::NoFolder)
}

impl EmbeddingCache {
    /// Where the cache of `folder` lies.
    pub fn file(folder: &Path) -> PathBuf {
        folder.join("embeddings.sqlite")
    }

    /// Opens the cache in `folder`, making both where they are missing.
    pub fn open(folder: &Path) -> Result<Self, CacheError> {
        std::fs::create_dir_all(folder).map_err(|source| CacheError::Io {
            path: folder.into(),
            source,
        })?;
        let path = Self::file(folder);
        let database = |source| CacheError::Database {
            path: path.clone(),
            source,
        };
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
        move |source| CacheError::Database {
            path: path.clone(),
            source,
        }
    }

    /// The place of the encoder that `key` describes.
    pub fn encoder(&self, key: &str) -> Result<EncoderKey, CacheError> {
        self.connection
            .execute(
                "INSERT INTO encoder (key) VALUES (?1) ON CONFLICT (key) DO NOTHING",
                [key],
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
                insert
                    .execute(params![encoder.0, digest(caption), bytes])
                    .map_err(&failed)?;
            }
        }
        transaction.commit().map_err(&failed)
    }

    /// SHA-256 of a file, remembered as long as its path, size and time of change stay the same.
    pub fn file_sha256(&self, path: &Path) -> Result<String, CacheError> {
        let io = |source| CacheError::Io {
            path: path.into(),
            source,
        };
        let canonical = path.canonicalize().map_err(io)?;
        let metadata = canonical.metadata().map_err(io)?;
        let modified = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .and_then(|since| i64::try_from(since.as_nanos()).ok())
            .unwrap_or(0);
        let name = canonical.to_string_lossy();
        let size = i64::try_from(metadata.len()).unwrap_or(i64::MAX);
        let known: Option<String> = self
            .connection
            .query_row(
                "SELECT sha256 FROM file WHERE path = ?1 AND size = ?2 AND modified = ?3",
                params![name, size, modified],
                |row| row.get(0),
            )
            .optional()
            .map_err(self.failed())?;
        if let Some(sha256) = known {
            return Ok(sha256);
        }
        let sha256 =
            fgd_store::hub::sha256(&canonical).map_err(|error| io(std::io::Error::other(error)))?;
        self.connection
            .execute(
                "INSERT OR REPLACE INTO file (path, size, modified, sha256) VALUES (?1, ?2, ?3, ?4)",
                params![name, size, modified, sha256],
            )
            .map_err(self.failed())?;
        Ok(sha256)
    }

    /// What the cache holds, by encoder.
    pub fn holdings(&self) -> Result<Vec<Holding>, CacheError> {
        let mut select = self
            .connection
            .prepare(
                "SELECT key, count(vector), coalesce(sum(length(vector)), 0)
                 FROM encoder LEFT JOIN embedding ON encoder.id = embedding.encoder
                 GROUP BY key ORDER BY key",
            )
            .map_err(self.failed())?;
        let rows = select
            .query_map([], |row| {
                Ok(Holding {
                    encoder: row.get(0)?,
                    embeddings: row.get(1)?,
                    bytes: row.get(2)?,
                })
            })
            .map_err(self.failed())?;
        rows.collect::<Result<_, _>>().map_err(self.failed())
    }
}

/// Removes the cache of `folder`; returns whether there was one.
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
                return Err(CacheError::Io {
                    path: path.into(),
                    source,
                });
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
             DROP TABLE IF EXISTS embedding; DROP TABLE IF EXISTS encoder;
             DROP TABLE IF EXISTS file;
             CREATE TABLE encoder (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
             CREATE TABLE embedding (
                 encoder INTEGER NOT NULL REFERENCES encoder (id),
                 caption BLOB NOT NULL,
                 vector BLOB NOT NULL,
                 PRIMARY KEY (encoder, caption)) WITHOUT ROWID;
             CREATE TABLE file (
                 path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL,
                 sha256 TEXT NOT NULL) WITHOUT ROWID;
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
